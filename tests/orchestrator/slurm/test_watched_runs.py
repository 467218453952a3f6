"""Runs that pilots execute are watched by their directories alone."""

import os
from collections.abc import Sequence

import pytest

from orchestrator.execution.events import AttemptStarted, Ended, Event
from orchestrator.grid.identity import Run
from orchestrator.grid.point_selection import Selection
from orchestrator.planning.plan import make_plan
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Failure, Record, State, Status
from orchestrator.slurm.watched_runs import WatchedRuns


def write(directory: RunDirectory, record: Record, attempt: int = 1, kind: str = "error") -> None:
    failure = Failure(kind, "no") if record is Record.FAILED else None
    times = ("2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00")
    status = Status(record, attempt, times[0], "n1", 1, times[1], failure=failure, job="17")
    directory.write_status(status)


def watch(
    experiment: ExperimentDirectory, runs: Sequence[Run], retries: int = 0
) -> tuple[WatchedRuns, list[RunDirectory]]:
    directories = [experiment.create(run) for run in runs]
    seen = experiment.observe(run.run_id for run in runs)
    plan = make_plan("first", "there", Selection(len(runs), 0, [*runs], (), (), ()), seen)
    return WatchedRuns(experiment, plan.decisions, retries), directories


def look(watched: WatchedRuns, moment: float) -> list[Event]:
    return list(watched.look(moment))


def test_runs_start_and_end(experiment: ExperimentDirectory, runs: list[Run]) -> None:
    watched, (first, second, third) = watch(experiment, runs)
    assert (look(watched, 0), watched.startable, watched.is_settled) == ([], 3, False)
    lock = first.lock.open()
    first.lock.take(lock)
    write(first, Record.RUNNING)
    (event,) = look(watched, 1000)
    assert isinstance(event, AttemptStarted)
    assert (event.run, event.attempt, watched.startable, watched.live) == (runs[0], 1, 2, 1)
    assert look(watched, 2000) == []
    assert watched.snapshot("note", 2000).live[0].started is event
    write(first, Record.DONE)
    write(second, Record.FAILED)
    write(third, Record.DONE)
    os.close(lock)
    ended = look(watched, 3000)
    states = [(event.state, event.seconds) for event in ended if isinstance(event, Ended)]
    assert states == [(State.DONE, 60), (State.FAILED, 60), (State.DONE, 60)]
    assert (watched.is_settled, watched.left) == (True, 0)
    assert set(watched.ended) == {run.run_id for run in runs}


def test_looks_are_seconds_apart(experiment: ExperimentDirectory, runs: list[Run]) -> None:
    watched, (first, *_) = watch(experiment, runs)
    look(watched, 0)
    write(first, Record.DONE)
    assert look(watched, 1.9) == []
    assert len(look(watched, 1000)) == 1


@pytest.mark.parametrize(("kind", "retries", "is_over"), [("killed", 1, False), ("error", 1, True)])
def test_failure_that_is_retried_is_not_the_end(
    experiment: ExperimentDirectory, runs: list[Run], kind: str, retries: int, *, is_over: bool
) -> None:
    watched, (first, *_) = watch(experiment, runs, retries)
    write(first, Record.FAILED, kind=kind)
    assert bool(look(watched, 0)) is is_over
    assert watched.startable == 3 - is_over


def test_failure_from_before_the_preparation_is_retried(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    write(experiment.create(runs[0]), Record.FAILED)
    watched, (first, *_) = watch(experiment, runs)
    assert (look(watched, 0), watched.startable) == ([], 3)
    write(first, Record.FAILED, attempt=2)
    assert len(look(watched, 1000)) == 1


def test_run_that_is_continued_is_shown_with_the_reason(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    watched, (first, *_) = watch(experiment, runs)
    write(first, Record.INTERRUPTED)
    look(watched, 0)
    lock = first.lock.open()
    first.lock.take(lock)
    write(first, Record.RUNNING, attempt=2)
    (event,) = look(watched, 1000)
    os.close(lock)
    assert isinstance(event, AttemptStarted)
    assert (event.attempt, event.action.value) == (2, "resume")
    assert "it was asked to stop" in event.reason
