"""Lines can be told apart by everybody, on white and on black."""

import pytest

from orchestrator.pictures.colour_scale import ink_on
from orchestrator.pictures.style import Appearance, style_of

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency" (2009), severity 1: what readers without one kind of cone see, in linear RGB.
DEFICIENCIES = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
LEAST = 10  # distance in CIELAB; 2.3 is just noticeable


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def seen(colour: str, matrix: tuple[tuple[float, ...], ...]) -> list[float]:
    """Return a colour in CIELAB as a reader with a deficiency sees it."""
    rgb = linear(colour)
    red, green, blue = (
        min(1.0, max(0.0, sum(m * c for m, c in zip(line, rgb, strict=True)))) for line in matrix
    )
    xyz = (
        (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047,
        0.2126729 * red + 0.7151522 * green + 0.0721750 * blue,
        (0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


def distance(one: str, other: str, matrix: tuple[tuple[float, ...], ...]) -> float:
    pairs = zip(seen(one, matrix), seen(other, matrix), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


@pytest.mark.parametrize("name", DEFICIENCIES)
@pytest.mark.parametrize("dark", [False, True])
def test_colours_differ_for_every_reader(name: str, *, dark: bool) -> None:
    """From each other, and from the page."""
    look = Appearance(dark=dark)
    colours = [style_of(place, look).colour for place in range(7)]
    for place, one in enumerate(colours):
        for other in colours[place + 1 :]:
            assert distance(one, other, DEFICIENCIES[name]) > LEAST, (one, other)
        assert distance(one, look.paper, DEFICIENCIES[name]) > 25, one


def test_lines_differ_in_grey_too() -> None:
    """Neighbours by their markers, and all of 49 by colour, marker and dashes together."""
    styles = [style_of(place, Appearance()) for place in range(49)]
    assert len(set(styles)) == 49
    assert len({style.marker for style in styles[:7]}) == 7


def test_text_in_a_cell_is_black_or_white_as_its_colour_needs() -> None:
    assert ink_on((1.0, 1.0, 0.0)) == "#000000"
    assert ink_on((0.2, 0.0, 0.3)) == "#FFFFFF"


def test_small_pictures_have_smaller_text() -> None:
    assert Appearance().scale == 1.0
    assert Appearance(size=(3.3, 2.5)).scale == 0.75
    assert Appearance(size=(20, 2.5)).scale == 1.0
