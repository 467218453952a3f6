"""Learning curves as drawn."""

import math

import pytest
from matplotlib.axes import Axes

from orchestrator.pictures.curve_panels import draw_curves
from orchestrator.pictures.figure import Caption
from orchestrator.pictures.style import Appearance
from orchestrator.planning.curve_scale import CurveScale
from orchestrator.planning.learning_curves import line_of
from orchestrator.planning.results_table import Row
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import State

from .rows import lines


def draw(
    curves: dict[str, dict[int, float]],
    states: dict[str, State],
    look: Appearance,
    scale: CurveScale | None = None,
) -> Axes:
    """Return the panel of one row with these runs."""
    runs = [
        RunResults({}, {"loss": 1.0} if state is State.DONE else None, path=name, state=state)
        for name, state in states.items()
    ]
    row = Row({}, tuple((run.path, run) for run in runs), {})
    scales = {"loss": scale} if scale else {}
    return draw_curves({"loss": [line_of(row, curves)]}, scales, Caption(), look).axes[0]


def test_panel_per_metric_and_line_per_row() -> None:
    found = lines({"lr": 1}, {"lr": 2})
    figure = draw_curves({"loss": found, "f1": found, "auc": found}, {}, Caption(), Appearance())
    assert [panel.get_ylabel() for panel in figure.axes] == ["loss", "f1", "auc"]
    assert {panel.get_xlabel() for panel in figure.axes} == {"iteration"}
    drawn = figure.axes[0].get_lines()
    assert [list(line.get_xdata()) for line in drawn] == [[1, 2, 3]] * 2
    assert [list(line.get_ydata()) for line in drawn] == [[1, 2, 3], [2, 3, 4]]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["lr=1", "lr=2"]


def test_rows_that_are_not_drawn_are_told_in_the_legend() -> None:
    figure = draw_curves(
        {"loss": lines({"lr": 1})}, {}, Caption(more="and 22 more rows"), Appearance()
    )
    assert figure.legends[0].get_texts()[-1].get_text() == "and 22 more rows"


def test_line_is_thin_beyond_the_end_of_a_run() -> None:
    """There is no gap, and no band, in between."""
    curves = {"a": {1: 1.0, 2: 2.0, 3: 3.0}, "b": {1: 3.0, 2: 2.0}}
    panel = draw(curves, {"a": State.DONE, "b": State.DONE}, Appearance())
    whole, thin = panel.get_lines()
    assert [value for value in whole.get_ydata() if not math.isnan(value)] == [2.0, 2.0]
    assert [value for value in thin.get_ydata() if not math.isnan(value)] == [2.0, 3.0]
    assert thin.get_linewidth() < whole.get_linewidth()
    (band,) = panel.collections
    assert band.get_paths()[0].vertices[:, 0].max() == 2


@pytest.mark.parametrize("state", [State.RUNNING, State.STALE])
def test_unfinished_run_is_a_line_of_its_own_with_an_open_end(state: State) -> None:
    panel = draw(
        {"a": {1: 1.0, 2: 2.0}, "b": {1: 9.0}}, {"a": State.DONE, "b": state}, Appearance()
    )
    mean, own = panel.get_lines()
    assert list(mean.get_ydata()) == [1.0, 2.0]
    assert (list(own.get_ydata()), own.get_markevery()) == ([9.0], [0])
    assert own.get_markerfacecolor() == Appearance().paper


@pytest.mark.parametrize(("state", "line"), [(State.DONE, 0), (State.STALE, -1)])
def test_value_between_gaps_has_a_marker(state: State, line: int) -> None:
    """A line alone would show nothing of it, although the scale of the panel has room for it."""
    curve = {step: 1.0 if step in (31, 60) or step < 9 else math.nan for step in range(1, 61)}
    panel = draw({"a": curve}, {"a": state}, Appearance())
    assert {30, 59} <= set(panel.get_lines()[line].get_markevery())


def test_logarithmic_scale_has_gaps_where_values_are_not_positive() -> None:
    """Clipped to the bottom, they would look like the best ones."""
    panel = draw({"a": {1: 1.0, 2: 0.0, 3: 0.1}}, {"a": State.DONE}, Appearance(log_y=True))
    assert [math.isnan(value) for value in panel.get_lines()[0].get_ydata()] == [False, True, False]
    assert panel.get_yscale() == "log"


def test_band_of_a_single_iteration_can_be_seen() -> None:
    states = {"a": State.DONE, "b": State.DONE}
    panel = draw({"a": {1: 1.0}, "b": {1: 3.0}}, states, Appearance())
    (bar,) = panel.collections
    low, high = bar.get_segments()[0][:, 1]
    assert (low, high) == (pytest.approx(2 - 2**0.5), pytest.approx(2 + 2**0.5))


def test_curve_that_diverges_leaves_the_panel() -> None:
    curves = {"a": {1: 2.0, 2: 1.0}, "b": {1: 2.0, 2: 1e9}}
    states = {"a": State.DONE, "b": State.STALE}
    panel = draw(curves, states, Appearance(), CurveScale(1.0, 2.0, 1))
    assert panel.get_ylim() == pytest.approx((0.95, 2.05))
    assert draw(curves, states, Appearance()).get_ylim()[1] > 1e9
