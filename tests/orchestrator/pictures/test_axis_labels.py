"""Labels of axes are read whole: none sticks out of the picture."""

import pytest
from matplotlib.figure import Figure

from orchestrator.pictures.axis_labels import (
    break_label,
    fit_labels,
    label_short_scale,
    name_axes,
)
from orchestrator.pictures.colour_scale import add_colour_bar
from orchestrator.pictures.figure import drawing, new_panels
from orchestrator.pictures.style import Appearance

LONG = "best/validation/mean_average_precision_at_50 (best iteration)"
WORD = "x" * 200


def labels_of(figure: Figure) -> list[str]:
    """Check that all labels are inside, and return them."""
    figure.draw_without_rendering()
    found = [label for panel in figure.axes for label in (panel.xaxis.label, panel.yaxis.label)]
    for label in found:
        box = label.get_window_extent()
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1
    return [label.get_text() for label in found]


@pytest.mark.parametrize("panels", [1, 4])
@pytest.mark.parametrize("text", ["loss", LONG, WORD, "a b " * 30])
def test_labels_stay_inside(text: str, panels: int) -> None:
    """However small the picture is, as that of a heat map of two rows."""
    look = Appearance()
    with drawing(look):
        figure, axes = new_panels(panels, look, scale=0.8)
        for panel in axes:
            name_axes(panel, text, text)
            image = panel.imshow([[0, 1]], aspect="auto")
            add_colour_bar(panel, image, text)
        fit_labels(figure)
        found = labels_of(figure)
    assert text not in (LONG, "loss") or "".join(found).replace("\n", "").count(text[:4])


def test_label_that_fits_is_left_as_it_is() -> None:
    with drawing(Appearance()):
        figure, (panel,) = new_panels(1, Appearance())
        name_axes(panel, "iteration", "validation/accuracy of class 7")
        fit_labels(figure)
        assert labels_of(figure) == ["iteration", "validation/accuracy of class 7"]


@pytest.mark.parametrize(
    ("text", "longest", "broken"),
    [
        (
            "best/validation/accuracy (best iteration)",
            24,
            "best/validation/accuracy\n(best iteration)",
        ),
        ("abc/def", 4, "abc/\ndef"),
        ("abc/def", 99, "abc/def"),
        ("abcdefgh/ij", 5, "ab…h/\nij"),
        ("a b c d e f g h", 3, "a b\n… g\nh"),
    ],
)
def test_label_is_broken_after_separators(text: str, longest: int, broken: str) -> None:
    """And shortened where there are none, or too many."""
    found = break_label(text, longest)
    assert found == broken
    assert all(len(line) <= longest for line in found.split("\n"))


@pytest.mark.parametrize(("most", "labels"), [(6.0, ["1", "2", "5"]), (1e6, [])])
def test_short_logarithmic_scale_has_more_labels_than_powers_of_ten(
    most: float, labels: list[str]
) -> None:
    panel = Figure().subplots()
    panel.set_xscale("log")
    panel.set_xlim(0.9, most)
    label_short_scale(panel.xaxis)
    shown = [label.get_text() for label in panel.get_xticklabels()]
    assert [text for text in shown if text in labels] == labels
    assert any("$" in text for text in shown) is not bool(labels)
