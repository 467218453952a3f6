"""The tables and the picture of a page."""

import math

from orchestrator.pictures.curve_panels import draw_curves
from orchestrator.pictures.figure import Caption
from orchestrator.pictures.report_page import ON_PAGE, ReportPage, make_table, render_page

from .rows import HOSTILE, lines


def page_with(label: str) -> ReportPage:
    """Return a page in which every string is the label."""
    table = make_table(label, [label], [[label]])
    points = [{"x": label}, {"x": "other"}]
    return ReportPage(
        experiment=label,
        folder=label,
        as_of=label,
        number=1,
        states=[("done", 1)],
        facts=[(label, label)],
        axes=table,
        filters=table,
        results=table,
        notes=[label],
        figure=draw_curves({label: lines(*points)}, {}, Caption(), ON_PAGE),
        curve_notes=[label],
        failures=[],
        more_failures=0,
        commands=[(label, label)],
        config=label,
        config_of=label,
        runs=table,
    )


def test_column_is_of_numbers_if_all_its_cells_are() -> None:
    """Empty ones aside; a text may stand for a number, by which it is sorted."""
    rows = [
        [1, "a", ("1 of 2", 1), None],
        [("2.5", 2.5), 3, None, None],
        [("NaN", math.nan), 4, ("-", None), None],
        [("-Infinity", -math.inf), True, ("1 of 2", 1), None],
    ]
    table = make_table("t", ["a", "b", "state", "d"], rows)
    assert list(table.numeric) == [True, False, True, False]
    assert table.rows[1][0].text == "2.5"
    assert [row[0].number for row in table.rows] == [1, 2.5, None, None]
    assert table.states == 2


def test_label_that_spells_a_colour_keeps_its_letters() -> None:
    """Only styles follow the page."""
    content = render_page(page_with("stroke: #0072b2")).decode()
    assert content.count("stroke: #0072b2") > 10
    assert "x=stroke: #0072b2" in content
    assert "stroke: var(--c0)" in content


def test_any_label_is_escaped() -> None:
    """And the page is the same each time."""
    pages = [render_page(page_with(label)) for label in HOSTILE]
    assert not any(b"<b>" in content for content in pages)
    assert pages[0] == render_page(page_with(HOSTILE[0]))
