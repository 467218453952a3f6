"""How far each run goes before others go on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.execution.execution_course import WHOLE_RUNS, BreadthFirst, variables_of
from orchestrator.execution.run_queue import RunQueue
from orchestrator.grid.identity import identify
from orchestrator.planning.plan import Decision, decide
from orchestrator.rundir.state import (
    NOTHING_THERE,
    PAUSED,
    Failure,
    Observation,
    Progress,
    Record,
    Status,
)

if TYPE_CHECKING:
    from orchestrator.rundir.experiment import ExperimentDirectory

RUN = identify({"seed": 0}, {"seed": 0})
STATUS = Status(Record.INTERRUPTED, 1, "then", "box", 1, reason=PAUSED)


def seen(iteration: int, saved: int | None = None) -> Observation:
    progress = Progress(iteration, 9, {}, saved=iteration if saved is None else saved)
    return Observation(STATUS, attempts=1, progress=progress)


def decision(iteration: int = 0, saved: int | None = None) -> Decision:
    return decide(RUN, seen(iteration, saved) if iteration else NOTHING_THERE)


def test_whole_runs_are_not_told_to_pause() -> None:
    aimed = WHOLE_RUNS.aim(decision())
    assert (aimed.stop_after, variables_of(aimed)) == (None, {})
    queue = RunQueue()
    WHOLE_RUNS.note_pause(aimed, seen(3), queue)
    assert (len(queue), WHOLE_RUNS.go_on(()), WHOLE_RUNS.count((), ())) == (0, (), None)


def test_program_is_told_in_its_environment() -> None:
    assert variables_of(replace(decision(), stop_after=3)) == {"ORCH_STOP_AFTER": "3"}


def test_breadth_first_goes_to_the_next_multiple(experiment: ExperimentDirectory) -> None:
    course = BreadthFirst(experiment, 3)
    found = [course.aim(decision(saved, saved)).stop_after for saved in (0, 1, 2, 3, 4)]
    assert found == [3, 3, 3, 6, 6]


def test_program_is_not_told_to_pause_at_its_end(experiment: ExperimentDirectory) -> None:
    """Not every program counts in the same way, and one that pauses there has no results yet."""
    course = BreadthFirst(experiment, 5)
    assert variables_of(course.aim(decision(4, 4))) == {"ORCH_STOP_AFTER": "5"}
    assert variables_of(course.aim(decision(5, 5))) == {}
    short = replace(decision(), run=identify({"iterations": 5}, {}))
    assert variables_of(course.aim(short)) == {}
    longer = replace(decision(), run=identify({"iterations": 6}, {}))
    assert variables_of(course.aim(longer)) == {"ORCH_STOP_AFTER": "5"}


@pytest.mark.parametrize(("first", "aim"), [(0, 4), (1, 4), (2, 2)])
def test_run_that_reports_no_progress_goes_on_from_what_it_has_logged(
    experiment: ExperimentDirectory, first: int, aim: int
) -> None:
    """Each iteration is a step, from 0 or 1 on; otherwise nobody knows."""
    course, queue = BreadthFirst(experiment, 2), RunQueue()
    directory = experiment.create(RUN)
    lines = [
        json.dumps({"key": "loss", "value": 1, "step": step, "timestamp": 1})
        for step in range(first, first + 2)
    ]
    directory.metrics.write_text("\n".join(lines) + "\n")
    paused = Observation(STATUS, attempts=1)
    course.note_pause(course.aim(decision()), paused, queue)
    assert [each.decision.stop_after for each in queue] == [aim]
    assert course.aim(decide(RUN, paused)).stop_after == aim


def test_paused_run_is_queued_behind_the_others(experiment: ExperimentDirectory) -> None:
    course, queue = BreadthFirst(experiment, 3), RunQueue()
    for at in (3, 5):
        course.note_pause(course.aim(decision()), seen(at), queue)
    assert [each.decision.stop_after for each in queue] == [6, 6]
    assert [each.decision.seen.saved for each in queue] == [3, 5]


def test_run_that_saves_nothing_still_comes_further_each_time(
    experiment: ExperimentDirectory,
) -> None:
    """It begins from nothing each time, and ends at last."""
    course, queue = BreadthFirst(experiment, 2), RunQueue()
    course.note_pause(course.aim(decision()), seen(2, saved=0), queue)
    assert [each.decision.stop_after for each in queue] == [4]


def test_run_has_come_as_far_as_it_was_to() -> None:
    aimed = replace(decision(), stop_after=3)
    assert [aimed.is_reached(seen(at)) for at in (2, 3, 4)] == [False, True, True]
    assert not decision().is_reached(seen(3))
    assert not aimed.is_reached(NOTHING_THERE)
    done = replace(seen(9), status=replace(STATUS, record=Record.DONE))
    assert not aimed.is_reached(done)


@pytest.mark.parametrize(("kind", "is_reached"), [("killed", True), ("error", False)])
def test_run_that_was_killed_where_it_was_to_pause_goes_no_further(
    kind: str, *, is_reached: bool
) -> None:
    """It had reported the iteration, and not ended yet."""
    failed = replace(STATUS, record=Record.FAILED, failure=Failure(kind, "by SIGKILL"))
    aimed = replace(decision(), stop_after=3)
    assert aimed.is_reached(replace(seen(3), status=failed)) is is_reached
    assert not aimed.is_reached(replace(seen(2), status=failed))


def test_run_that_another_process_has_executed_goes_on_from_where_it_is(
    experiment: ExperimentDirectory,
) -> None:
    course = BreadthFirst(experiment, 3)
    aimed = course.aim(decision())
    assert aimed.stop_after == 3
    again = course.aim_again(aimed.again(seen(4)), ())
    assert again is not None
    assert again.stop_after == 6


def test_run_that_logs_now_and_then_goes_on_from_where_it_has_paused(
    experiment: ExperimentDirectory,
) -> None:
    course = BreadthFirst(experiment, 2)
    experiment.create(RUN)
    paused = Observation(replace(STATUS, paused_after=4), attempts=1)
    assert course.aim(decide(RUN, paused)).stop_after == 6
