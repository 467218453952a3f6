"""Parallel coordinates as drawn."""

import math

import pytest

from orchestrator.pictures.figure import Caption, render
from orchestrator.pictures.parallel_axes import draw_parallel_axes
from orchestrator.pictures.style import Appearance

from .rows import HOSTILE, table

METRIC = {"loss": "loss (last iteration)"}


def test_line_goes_through_the_values_of_its_row_to_its_metric() -> None:
    """Values are at equal distances in order; the best row is drawn last, and thick."""
    points = [{"lr": 0.1, "m": "b"}, {"lr": 10, "m": "a"}, {"lr": 1, "m": "a"}]
    rows = table(*points, loss=[1.0, 3.0, 2.0]).rows
    figure = draw_parallel_axes(rows, ("lr", "m"), METRIC, Caption(), Appearance())
    (lines,) = (each for each in figure.axes[0].collections)
    segments = [segment[:, 1].tolist() for segment in lines.get_segments()]
    assert segments == [[1.0, 0.0, 1.0], [0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]
    assert lines.get_linewidths()[-1] == max(lines.get_linewidths())
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["lr", "m", "loss"]


@pytest.mark.parametrize("dark", [False, True])
def test_rows_without_the_metric_are_left_out(*, dark: bool) -> None:
    rows = table({"lr": 1}, {"lr": 2}, loss=[math.nan, 2.0]).rows
    look = Appearance(dark=dark)
    figure = draw_parallel_axes(rows, ("lr",), METRIC, Caption(["note"]), look)
    assert len(figure.axes[0].collections[0].get_segments()) == 1
    render(figure, "svg", look)


def test_no_character_of_a_value_has_a_meaning() -> None:
    rows = table(*({text: other, "x": other} for text in HOSTILE for other in HOSTILE)).rows
    figure = draw_parallel_axes(rows, HOSTILE, METRIC, Caption(HOSTILE), Appearance())
    render(figure, "svg", Appearance())
