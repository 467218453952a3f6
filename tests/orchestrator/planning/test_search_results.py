"""Tests of orchestrator.planning.search_results."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from orchestrator.config.halving_settings import Halving
from orchestrator.errors import UsageError
from orchestrator.grid.identity import identify
from orchestrator.planning.proposals import PointOutcome, TriedPoint
from orchestrator.planning.search_members import Member
from orchestrator.planning.search_results import SearchResults
from orchestrator.rundir.state import PAUSED, Failure, Record, Status

if TYPE_CHECKING:
    from orchestrator.rundir.experiment import ExperimentDirectory

HALVING = Halving("error", True, 3)  # after 1, 3 and 9
VALUES = [0.5, 0.4, 0.3, 0.2]
RECORDS = [Record.RUNNING, Record.INTERRUPTED, Record.FAILED, Record.DONE]


def _leave(
    experiment: ExperimentDirectory, record: Record, values: list[float], metric: str = "loss"
) -> Member:
    """Leave a run that has logged some values; return it as a member of a search."""
    key = f"{record.value}-{len(values)}"
    run = identify({"x": key}, {"x": key})
    directory = experiment.create(run)
    lines = (
        {"key": metric, "value": value, "step": at, "timestamp": 1}
        for at, value in enumerate(values, 1)
    )
    directory.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    progress = {"iteration": len(values), "iterations": 9}
    (directory.path / "progress.json").write_text(json.dumps(progress))
    failure = Failure("error", "no") if record is Record.FAILED else None
    reason = PAUSED if record is Record.INTERRUPTED else None
    directory.write_status(Status(record, 1, "then", "box", 1, reason=reason, failure=failure))
    return Member(run, (0.0,), "then")


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("halving", [HALVING, None])
@pytest.mark.parametrize("reached", range(5))
def test_run_that_is_not_over_tells_its_value_at_the_last_rung(
    experiment: ExperimentDirectory, record: Record, halving: Halving | None, reached: int
) -> None:
    """Without halving it tells nothing, since it could not be compared with others."""
    member = _leave(experiment, record, VALUES[:reached])
    results = SearchResults(experiment, "loss", halving)
    if record is Record.DONE and not reached:
        with pytest.raises(UsageError, match="runs are done, and none reports 'loss'"):
            results.read([member])
        return
    told = results.read([member])
    expected = TriedPoint((0.0,), PointOutcome.OPEN)
    if record is Record.DONE:
        expected = TriedPoint((0.0,), PointOutcome.MEASURED, VALUES[reached - 1])
    elif record is Record.FAILED:
        expected = TriedPoint((0.0,), PointOutcome.NOTHING)
    elif halving and (reached > 1 or (reached and record is Record.INTERRUPTED)):
        # Step 1 of one that was killed may be its second iteration.
        rung = 3 if reached >= 3 else 1
        expected = TriedPoint((0.0,), PointOutcome.PARTLY, VALUES[rung - 1], rung)
    assert repr(told) == repr([expected])  # NaN is not equal to itself


def test_metric_that_no_run_has_at_a_rung_is_an_error(experiment: ExperimentDirectory) -> None:
    """A run that is before it counts for nothing, and one that has it suffices."""
    before = _leave(experiment, Record.RUNNING, [], "error")
    at_rung = _leave(experiment, Record.INTERRUPTED, [0.1], "error")
    results = SearchResults(experiment, "loss", HALVING)
    assert [each.outcome for each in results.read([before])] == [PointOutcome.OPEN]
    with pytest.raises(
        UsageError, match=r"come to a rung, and none reports 'loss'\. Choose one of error\."
    ):
        results.read([before, at_rung])
    other = _leave(experiment, Record.INTERRUPTED, [0.1, 0.2])
    outcomes = [each.outcome for each in results.read([at_rung, other])]
    assert outcomes == [PointOutcome.NOTHING, PointOutcome.PARTLY]


@pytest.mark.parametrize("record", [Record.INTERRUPTED, Record.DONE])
def test_run_that_has_diverged_has_the_metric(
    experiment: ExperimentDirectory, record: Record
) -> None:
    """The first run of a search may well be one; the search goes on, and knows it as bad."""
    member = _leave(experiment, record, [math.nan])
    (told,) = SearchResults(experiment, "loss", HALVING).read([member])
    is_done = record is Record.DONE
    assert told.outcome is (PointOutcome.NOTHING if is_done else PointOutcome.PARTLY)
