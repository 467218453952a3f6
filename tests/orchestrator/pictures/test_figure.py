"""The frame of pictures: files that are the same every time, and text that stays text."""

import re
import subprocess
import sys
from itertools import pairwise
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from thinning import combined

from orchestrator.errors import UsageError
from orchestrator.pictures.curve_panels import draw_curves
from orchestrator.pictures.figure import FORMATS, Caption, missing_characters, new_panels, render
from orchestrator.pictures.style import Appearance

from .rows import HOSTILE, lines


def content(form: str, look: Appearance | None = None) -> bytes:
    look = look or Appearance()
    caption = Caption(["a note $ _ <b>"], "and 22 more rows")
    figure = draw_curves({"loss": lines({"lr": 1}, {"lr": 2})}, {}, caption, look)
    return render(figure, form, look)


@pytest.mark.parametrize("form", FORMATS)
def test_same_data_gives_the_same_bytes(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another day, and with another matplotlibrc."""
    first = content(form)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30}):
        assert content(form) == first
    assert b"2026" not in first or form == "png"


def test_text_in_svg_is_text() -> None:
    """So that it can be searched, read aloud and edited."""
    root = ET.fromstring(content("svg"))  # noqa: S314 # our own
    texts = {"".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"iteration", "loss", "lr=1", "and 22 more rows", "a note $ _ <b>"} <= texts


def test_pdf_has_its_font_embedded_as_truetype() -> None:
    found = content("pdf")
    assert found.startswith(b"%PDF")
    assert b"/FontFile2" in found
    assert b"/Type3" not in found


def test_png_is_large_enough_for_print() -> None:
    found = content("png")
    width = int.from_bytes(found[16:20], "big")
    assert width > 900


def test_transparent_picture_has_no_background() -> None:
    assert re.search(rb"fill: ?#ffffff", content("svg", Appearance())) is not None
    assert re.search(rb"fill: ?#ffffff", content("svg", Appearance(transparent=True))) is None


@pytest.mark.parametrize(("form", "text"), combined(form=FORMATS, text=HOSTILE))
def test_no_character_of_a_name_has_a_meaning(form: str, text: str) -> None:
    """Not for mathtext, not for legends, not for XML."""
    points = [{"x": text}, {"x": f"{text}2"}]
    figure = draw_curves({text: lines(*points)}, {}, Caption([text], text), Appearance())
    found = render(figure, form, Appearance())
    if form == "svg":
        ET.fromstring(found)  # noqa: S314 # our own


def test_characters_that_the_font_lacks_are_known() -> None:
    figure = draw_curves({"学習 loss": lines({"lr": 1})}, {}, Caption(), Appearance())
    assert missing_characters(figure) == "学習"


def test_size_without_room_is_an_error() -> None:
    """Rather than a picture without its picture."""
    look = Appearance(size=(1.0, 1.0))
    points = [{"lr": n} for n in range(30)]
    for caption in (Caption(), Caption(["a note"])):
        with pytest.raises(UsageError, match="leave no room"):
            render(draw_curves({"loss": lines(*points)}, {}, caption, look), "png", look)


def test_panels_that_would_be_flat_are_an_error() -> None:
    look = Appearance(size=(3.3, 2.5))
    rows = [{"lr": number} for number in range(7)]
    panels = {name: lines(*rows) for name in ("loss", "accuracy", "f1")}
    with pytest.raises(UsageError, match=r"leave no room.*draw fewer rows \(--top\) or metrics"):
        render(draw_curves(panels, {}, Caption(["a note"] * 3), look), "png", look)


@pytest.mark.parametrize(
    ("size", "columns"), [(None, 2), ((12.0, 3.0), 3), ((7.0, 5.0), 2), ((3.3, 9.0), 1)]
)
def test_panels_are_arranged_as_they_fit_best(
    size: tuple[float, float] | None, columns: int
) -> None:
    figure, panels = new_panels(3, Appearance(size=size))
    figure.draw_without_rendering()
    assert len({round(panel.get_position().x0, 2) for panel in panels}) == columns


def test_size_is_kept() -> None:
    look = Appearance(size=(4.0, 3.0))
    figure = draw_curves({"loss": lines({"lr": 1})}, {}, Caption(["note"]), look)
    assert figure.get_size_inches().tolist() == [4.0, 3.0]


@pytest.mark.parametrize("size", [(3.3, 3.0), (6.0, 4.0), (12.0, 4.0)])
def test_legend_stands_above_the_notes_in_a_figure_of_a_given_size(
    size: tuple[float, float],
) -> None:
    notes = ["a note that is told in more than one line of a figure of one column", "another note"]
    points = [{"lr": n} for n in range(3)]
    figure = draw_curves({"loss": lines(*points)}, {}, Caption(notes), Appearance(size=size))
    figure.draw_without_rendering()
    (panel,), (legend,), (told,) = figure.axes, figure.legends, figure.texts
    edges = [
        (box.y0, box.y1)
        for box in (
            panel.xaxis.label.get_window_extent(),
            legend.get_window_extent(),
            told.get_window_extent(),
        )
    ]
    assert edges == sorted(edges, reverse=True)
    assert all(low >= below for (low, _), (_, below) in pairwise(edges))
    assert edges[-1][0] >= 0


@pytest.mark.parametrize(("width", "rows"), [(2.4, 3), (4.5, 2), (20.0, 1)])
def test_legend_below_has_as_many_columns_as_there_is_room_for(width: float, rows: int) -> None:
    points = [{"rate": f"{n} with a longer name"} for n in range(3)]
    look = Appearance(size=(width, 4.0))
    figure = draw_curves({"loss": lines(*points)}, {}, Caption(), look)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert len({round(text.get_window_extent().y0) for text in legend.get_texts()}) == rows
    assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_labels_tell_the_drawn_rows_from_the_others() -> None:
    others = [{"lr": 1, "width": 1}, {"lr": 2, "width": 1}]
    drawn = {"loss": lines({"lr": 1, "width": 0}, {"lr": 2, "width": 0})}
    figure = draw_curves(drawn, {}, Caption(more="and 2 more rows", others=others), Appearance())
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["lr=1  width=0", "lr=2  width=0", "and 2 more rows"]


def test_legend_covers_no_data() -> None:
    """It stands beside the panels, also with 30 rows."""
    look = Appearance()
    points = [{"name": f"{n} with a longer name"} for n in range(30)]
    figure = draw_curves({"loss": lines(*points), "f1": lines(*points)}, {}, Caption(), look)
    render(figure, "png", look)
    legend = figure.legends[0].get_window_extent()
    assert not any(legend.overlaps(panel.get_window_extent()) for panel in figure.axes)
    assert legend.y0 >= 0
    assert legend.x1 <= figure.bbox.x1 + 1


def test_pyplot_is_not_imported() -> None:
    """It would look for a display, and keep figures in memory."""
    program = "import sys, orchestrator.pictures.curve_panels; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
