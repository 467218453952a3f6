"""The lines of learning curves: means over the runs with results, and the others beside them."""

import math

import pytest

from orchestrator.planning.learning_curves import (
    Band,
    default_curve,
    is_drawn,
    line_of,
    names_of,
)
from orchestrator.planning.results_table import Row
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import LIVE, State


def run(name: str, *, state: State = State.DONE, counts: bool | None = None) -> RunResults:
    counts = state is State.DONE if counts is None else counts
    return RunResults({}, {"loss": 1.0} if counts else None, run_id=name, path=name, state=state)


def row(*runs: RunResults) -> Row:
    return Row({}, tuple((each.run_id, each) for each in runs), {})


def test_line_is_the_mean_over_the_runs_at_each_iteration() -> None:
    """The band is the standard deviation of the sample."""
    line = line_of(row(run("a"), run("b")), {"a": {1: 1.0, 2: 2.0}, "b": {1: 3.0, 2: 2.0}})
    first, second = line.points
    assert (first.step, first.mean, first.runs) == (1, 2.0, 2)
    assert (first.low, first.high) == (pytest.approx(2 - 2**0.5), pytest.approx(2 + 2**0.5))
    assert (second.mean, second.low, second.high) == (2.0, 2.0, 2.0)


def test_range_reaches_from_the_least_to_the_greatest() -> None:
    curves = {"a": {1: 1.0}, "b": {1: 4.0}}
    (point,) = line_of(row(run("a"), run("b")), curves, Band.RANGE).points
    assert (point.low, point.high) == (1.0, 4.0)
    (point,) = line_of(row(run("a"), run("b")), curves, Band.NONE).points
    assert (point.low, point.high) == (None, None)


def test_single_run_has_no_band() -> None:
    (point,) = line_of(row(run("a")), {"a": {1: 1.0}}).points
    assert (point.mean, point.low, point.high) == (1.0, None, None)


def test_points_say_how_many_runs_have_reached_them() -> None:
    """A mean over fewer runs must not look like one over all of them."""
    line = line_of(row(run("a"), run("b")), {"a": {1: 1.0, 2: 2.0}, "b": {1: 3.0}})
    assert [(point.mean, point.runs) for point in line.points] == [(2.0, 2), (2.0, 1)]
    assert line.runs == 2


def test_runs_without_results_are_in_no_mean() -> None:
    """Unfinished ones stand beside it; failed ones are not drawn."""
    members = [run("a"), *(run(s.value, state=s) for s in State if s is not State.DONE)]
    curves = {each.path: {1: float(n)} for n, each in enumerate(members)}
    line = line_of(row(*members), curves)
    assert [(point.mean, point.runs) for point in line.points] == [(0.0, 1)]
    assert {each.state for each in line.unfinished} == {*LIVE, State.STALE}


def test_runs_compared_at_an_iteration_count_whatever_their_state() -> None:
    """As in the table of results, and no curve goes on beyond that iteration."""
    stale = run("a", state=State.STALE, counts=True)
    line = line_of(row(stale), {"a": {1: 1.0, 2: 2.0, 3: 3.0}}, last_step=2)
    assert [point.step for point in line.points] == [1, 2]
    assert not line.unfinished


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_value_that_is_not_finite_makes_a_gap(value: float) -> None:
    """Leaving the run out of the mean there would make a diverging row look better."""
    line = line_of(row(run("a"), run("b")), {"a": {1: 1.0, 2: value}, "b": {1: 3.0, 2: 1.0}})
    assert math.isnan(line.points[1].mean)
    assert line.points[1].low is None
    assert line.undefined == 1


def test_numbers_that_are_too_large_to_draw_make_a_gap() -> None:
    """The difference of two of them may be infinite, and then an axis has no ticks."""
    found = line_of(
        row(run("a"), run("b")), {"a": {1: 1.7e308, 2: 1e300}, "b": {1: 1.0, 2: -1e300}}
    )
    assert math.isnan(found.points[0].mean)
    assert found.points[1].mean == 0.0
    assert found.undefined == 1


def test_metric_that_a_run_lacks_does_not_count_it() -> None:
    line = line_of(row(run("a"), run("b")), {"a": {1: 1.0}})
    assert (line.runs, line.points[0].runs) == (1, 1)
    assert line_of(row(run("b")), {}).is_empty


@pytest.mark.parametrize(
    ("names", "sorted_by", "chosen_by", "expected"),
    [
        (("train/loss", "val/f1"), "best/val/f1", None, "val/f1"),
        (("train/loss", "val/f1", "val/loss"), "best/val/f1", "val/loss", "val/loss"),
        (("a", "score"), "score", "absent", "score"),
        (("train/loss", "my_val"), None, None, "my_val"),
        (("test/a", "b"), None, None, "b"),
        (("test/a",), None, None, None),
    ],
)
def test_default_is_the_metric_that_chose_the_checkpoint(
    names: tuple[str, ...], sorted_by: str | None, chosen_by: str | None, expected: str | None
) -> None:
    assert default_curve(names, sorted_by, chosen_by) == expected


def test_names_of_curves_are_in_order_of_occurrence() -> None:
    assert names_of([{"b": {1: 1.0}}, {"a": {1: 1.0}, "b": {1: 1.0}}]) == ("b", "a")


@pytest.mark.parametrize(
    ("state", "counts", "drawn"),
    [
        (State.DONE, True, True),
        (State.RUNNING, False, True),
        (State.STALE, False, True),
        (State.FAILED, False, False),
        (State.FAILED, True, True),
        (State.PENDING, False, False),
    ],
)
def test_failed_and_pending_runs_are_not_drawn(*, state: State, counts: bool, drawn: bool) -> None:
    assert is_drawn(run("a", state=state, counts=counts)) is drawn
