"""The vertical scale of learning curves."""

import math

import pytest

from orchestrator.planning.curve_scale import CurveScale, scale_without_diverged
from orchestrator.planning.learning_curves import Line, line_of
from orchestrator.planning.results_table import Row
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import State


def line(*values: float, state: State = State.DONE) -> Line:
    metrics = {"loss": 1.0} if state is State.DONE else None
    run = RunResults({}, metrics, run_id="a", path="a", state=state)
    return line_of(Row({}, (("", run),), {}), {"a": dict(enumerate(values))})


@pytest.mark.parametrize("state", [State.DONE, State.RUNNING, State.STALE])
@pytest.mark.parametrize("sign", [1, -1])
def test_diverged_curve_does_not_set_the_scale(state: State, sign: int) -> None:
    diverged = line(2.0, sign * 1e6, sign * 1e12, state=state)
    assert scale_without_diverged("validation/loss", [line(2.0, 0.5), diverged]) == CurveScale(
        0.5, 2.0, 1
    )


def test_curve_of_a_single_huge_value_is_beyond_the_scale() -> None:
    lines = [line(1e12, state=State.RUNNING), line(2.0, 0.5), line(2.0, 0.1)]
    assert scale_without_diverged("loss", lines) == CurveScale(0.1, 2.0, 1)


@pytest.mark.parametrize("metric", ["validation/accuracy", "reward", "made_up"])
def test_curves_that_may_be_better_fit(metric: str) -> None:
    """Two at chance, and two that learn: these are the ones that are looked for."""
    lines = [line(0.01, 0.01), line(0.01, 0.012), line(0.01, 0.7), line(0.01, 0.8)]
    assert scale_without_diverged(metric, lines) is None


def test_curves_that_begin_far_out_and_come_back_fit() -> None:
    lines = [line(0.5, 0.002), line(0.4, 0.003), line(60.0, 0.01), line(70.0, 0.02)]
    assert scale_without_diverged("loss", lines) is None


def test_curves_that_are_merely_worse_fit() -> None:
    assert (
        scale_without_diverged(
            "validation/loss", [line(2.3, 0.1), line(2.3, 0.01), line(8.0, 40.0)]
        )
        is None
    )


def test_scale_is_that_of_all_if_most_diverge_or_nothing_can_be_compared() -> None:
    """Of one curve, of most, of equal values: there is nothing else that could be seen better."""
    assert scale_without_diverged("validation/loss", [line(1.0, 1e9)]) is None
    assert (
        scale_without_diverged("validation/loss", [line(1.0, 1e9), line(1.0, 1e9), line(1.0, 0.5)])
        is None
    )
    assert scale_without_diverged("validation/loss", [line(1.0), line(1e9)]) is None
    assert scale_without_diverged("validation/loss", [line(math.nan), line(math.nan)]) is None
    assert scale_without_diverged("validation/loss", []) is None


def test_band_counts() -> None:
    runs = [RunResults({}, {"loss": 1.0}, path=it, state=State.DONE) for it in "ab"]
    row = Row({}, tuple((run.path, run) for run in runs), {})
    wide = line_of(row, {"a": {1: -1e9}, "b": {1: 1e9}})
    assert wide.points[0].mean == 0
    assert scale_without_diverged("validation/loss", [line(2.0, 0.5), wide]) == CurveScale(
        0.5, 2.0, 1
    )
