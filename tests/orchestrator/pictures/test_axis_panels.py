"""Metrics against an axis as drawn."""

import math

import pytest

from orchestrator.pictures.axis_panels import draw_against_axis
from orchestrator.pictures.figure import Caption
from orchestrator.pictures.style import Appearance
from orchestrator.planning.learning_curves import Band
from orchestrator.planning.results_by_axis import lines_against

from .rows import table

POINTS = [{"lr": lr, "m": m, "seed": s} for m in "ab" for lr in (0.1, 1.0) for s in (0, 1)]
METRIC = {"loss": "loss (last iteration)"}


@pytest.mark.parametrize(
    ("band", "reach"), [(Band.STD, 0.5**0.5), (Band.RANGE, 0.5), (Band.NONE, 0.0)]
)
def test_points_are_means_with_bars(band: Band, reach: float) -> None:
    lines = lines_against(table(*POINTS), "lr")
    figure = draw_against_axis(lines, "lr", METRIC, Caption(), Appearance(band=band))
    (panel,) = figure.axes
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("lr", "loss (last iteration)")
    drawn = [container.lines for container in panel.containers]
    assert [list(data.get_xdata()) for data, _, _ in drawn] == [[0.1, 1.0]] * 2
    assert [list(data.get_ydata()) for data, _, _ in drawn] == [[0.5, 2.5], [4.5, 6.5]]
    bars = drawn[0][2][0].get_segments()
    assert bars[0][:, 1].tolist() == pytest.approx([0.5 - reach, 0.5 + reach])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["m=a  (2 runs per point)", "m=b  (2 runs per point)"]


def test_values_without_a_place_on_the_scale_are_left_out() -> None:
    points = [{"lr": lr} for lr in (0, 0.1, 1, 2)]
    lines = lines_against(table(*points, loss=[1.0, math.nan, -1.0, 3.0]), "lr")
    look = Appearance(log_x=True, log_y=True)
    panel = draw_against_axis(lines, "lr", METRIC, Caption(), look).axes[0]
    assert list(panel.containers[0].lines[0].get_xdata()) == [2]


def test_line_without_any_result_says_so() -> None:
    lines = lines_against(table({"lr": 1}, loss=[math.nan]), "lr")
    figure = draw_against_axis(lines, "lr", METRIC, Caption(more="and 1 more row"), Appearance())
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["all runs  (no results)", "and 1 more row"]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.1, 0.001, 0.003, 0.02, 0.3], ["0.001", "0.003", "0.02", "0.1", "0.3"]),
        ([0.003], ["0.003"]),
        ([0.001, 0.00101, 0.0011, 10], None),
        ([1e-30, 1e30], ["1e-30", "1e+30"]),
    ],
)
def test_values_of_a_logarithmic_axis_are_labelled_where_there_is_room(
    values: list[float], labels: list[str] | None
) -> None:
    lines = lines_against(table(*[{"lr": lr} for lr in (0, *values)]), "lr")
    (panel,) = draw_against_axis(lines, "lr", METRIC, Caption(), Appearance(log_x=True)).axes
    shown = [label.get_text() for label in panel.get_xticklabels()]
    assert shown == labels if labels else "$" in "".join(shown)
