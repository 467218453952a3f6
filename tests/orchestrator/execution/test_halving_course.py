"""A halved grid goes from rung to rung, as its run directories say."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.config.halving_settings import Halving
from orchestrator.execution.events import Event, RungCompleted
from orchestrator.execution.execution_course import Standstill
from orchestrator.execution.halving_course import HalvingCourse
from orchestrator.execution.run_queue import RunQueue
from orchestrator.grid.identity import Run, identify
from orchestrator.planning.halving_stage import StageReader
from orchestrator.planning.plan import Decision, Decisions
from orchestrator.rundir.state import Failure, Record, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.rundir.experiment import ExperimentDirectory

HALF = Halving("loss", True, 2)
ASYNC = replace(HALF, is_asynchronous=True)
STATUS = Status(Record.INTERRUPTED, 1, "then", "box", 1, reason="it has paused")


@pytest.fixture
def runs() -> list[Run]:
    return [identify({"seed": seed}, {"seed": seed}) for seed in range(4)]


class Stand:
    """A halved grid in a folder; ``course`` decides, and ``events`` are what it told."""

    def __init__(
        self, experiment: ExperimentDirectory, runs: Sequence[Run], halving: Halving
    ) -> None:
        self.experiment = experiment
        self.runs = runs
        self.events: list[Event] = []
        reader = StageReader(experiment, halving)
        known = experiment.observe(experiment.run_ids())
        seen = {at: known[run.run_id] for at, run in enumerate(runs) if run.run_id in known}
        decisions = Decisions(runs, seen)
        self.decisions = decisions.staged(reader.stage(decisions, seen))
        tell = self.events.append
        self.course = HalvingCourse(experiment, self.decisions, reader, halving, tell)
        self.queue = RunQueue()

    def start(self) -> list[Decision]:
        """Take what the plan starts."""
        started = [each for each in self.decisions if each.action.value in ("run", "resume")]
        return [self.course.aim(each) for each in started]

    def leave(self, at: int, *values: float, record: Record = Record.INTERRUPTED) -> None:
        """Let a run come as far as it has values."""
        directory = self.experiment.create(self.runs[at])
        points = enumerate(values, start=1)
        lines = [
            json.dumps({"key": "loss", "value": value, "step": step, "timestamp": 1})
            for step, value in points
        ]
        directory.metrics.write_text("\n".join(lines) + "\n")
        progress = {"iteration": len(values), "iterations": 9, "saved": len(values)}
        (directory.path / "progress.json").write_text(json.dumps(progress))
        failure = Failure("error", "no") if record is Record.FAILED else None
        directory.write_status(replace(STATUS, record=record, failure=failure))

    def pause(self, at: int) -> None:
        """Tell the course that a run has paused."""
        seen = self.experiment.run(self.runs[at].run_id).observe()
        self.course.note_pause(self.decisions[at], seen, self.queue)

    def come_to_the_rung(self, *places: int) -> None:
        """Let runs log and pause; the first of them is the best."""
        for at in places:
            self.leave(at, at / 10)
            self.pause(at)

    def go_on(self, *failed: int) -> list[tuple[int, int | None]]:
        """Return what starts when nothing is live: places, and how far."""
        found = self.course.go_on({self.runs[at].run_id for at in failed})
        return [(self.runs.index(each.run), each.stop_after) for each in found]


def test_best_runs_go_on_once_all_have_come(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    stand = Stand(experiment, runs, HALF)
    assert [each.stop_after for each in stand.start()] == [1] * 4
    for at, value in enumerate((0.4, 0.3, 0.2, 0.1)):
        stand.leave(at, value)
        stand.pause(at)
    assert not stand.queue
    assert stand.go_on() == [(2, 2), (3, 2)]
    assert stand.events == [RungCompleted(1, 4, 2, 2, "loss")]
    for at in (2, 3):
        stand.leave(at, 0.2, at / 10)
        stand.pause(at)
    assert stand.go_on() == [(2, None)]
    stand.leave(2, *[0.1] * 9, record=Record.DONE)
    assert stand.go_on() == []
    assert stand.course.count((), ()) == Standstill(0, 3)


def test_failed_run_holds_nobody_up(experiment: ExperimentDirectory, runs: list[Run]) -> None:
    stand = Stand(experiment, runs, HALF)
    stand.start()
    stand.come_to_the_rung(0, 1, 2)
    stand.leave(3, record=Record.FAILED)
    assert stand.go_on(3) == [(0, 2), (1, 2)]
    assert stand.course.count({runs[3].run_id}, ()) == Standstill(2, 1)


def test_next_best_run_takes_the_place_of_one_that_fails_right_at_its_rung(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The rung is told again, and so is each later one that is completed again."""
    stand = Stand(experiment, runs, HALF)
    stand.start()
    stand.come_to_the_rung(1, 2, 3)
    stand.leave(0, 0.0, record=Record.FAILED)
    assert stand.go_on(0) == [(1, 2), (2, 2)]
    assert stand.events == [RungCompleted(1, 4, 2, 1, "loss", failed=1)]
    stand.leave(1, 0.1, 0.1)
    stand.leave(2, 0.2, 0.2)
    stand.pause(1)
    stand.pause(2)
    assert stand.go_on(0) == [(1, None)]
    stand.leave(1, *[0.1] * 8, record=Record.FAILED)
    assert stand.go_on(0, 1) == [(3, 2)]
    stand.leave(3, 0.3, 0.1)
    stand.pause(3)
    assert stand.go_on(0, 1) == [(3, None)]
    stand.leave(3, *[0.1] * 9, record=Record.DONE)
    assert stand.go_on(0, 1) == []
    assert stand.events[1:] == [
        RungCompleted(2, 2, 1, 1, "loss"),
        RungCompleted(1, 4, 2, 0, "loss", failed=2),
        RungCompleted(2, 2, 1, 1, "loss"),
    ]
    failed = {runs[at].run_id for at in (0, 1)}
    assert stand.course.count(failed, failed) == Standstill(0, 1)


def test_run_that_was_killed_at_its_rung_keeps_its_place_for_the_next_process(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Nobody goes on in its place, since a kill decides nothing; as a failed run it is counted once."""
    stand = Stand(experiment, runs[:2], HALF)
    stand.start()
    stand.come_to_the_rung(1)
    killed = Failure("killed", "by SIGKILL")
    stand.leave(0, 0.0, record=Record.FAILED)
    directory = experiment.run(runs[0].run_id)
    directory.write_status(replace(STATUS, record=Record.FAILED, failure=killed))
    assert stand.go_on() == []
    assert stand.course.count((), {runs[0].run_id}) == Standstill(0, 1)
    again = Stand(experiment, runs[:2], HALF)
    assert [each.action.value for each in again.decisions] == ["retry", "pause"]
    assert again.course.count((), ()) == Standstill(1, 1)  # as after Ctrl-C, before it is retried


def test_failed_run_that_is_not_among_the_best_is_paused_and_said_to_have_failed(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    earlier = Stand(experiment, runs[:2], HALF)
    earlier.leave(0, 0.9, record=Record.FAILED)
    stand = Stand(experiment, runs[:2], HALF)
    stand.start()
    stand.come_to_the_rung(1)
    assert stand.go_on() == [(1, None)]
    assert stand.course.count((), ()) == Standstill(1, 1, failed=1)
    assert stand.course.count({runs[0].run_id}, {runs[0].run_id}) == Standstill(1)


def test_run_that_was_killed_too_often_is_waited_for_and_has_failed(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """It is not counted twice: the others are left, and it has failed."""
    stand = Stand(experiment, runs, HALF)
    stand.start()
    stand.come_to_the_rung(0, 1, 2)
    directory = experiment.create(runs[3])
    killed = replace(STATUS, record=Record.FAILED, failure=Failure("killed", "by SIGKILL"))
    directory.write_status(killed)
    assert stand.go_on() == []
    assert stand.course.count((), {runs[3].run_id}) == Standstill(3)


def test_run_that_does_not_come_to_its_rung_is_left_and_not_started_again(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    stand = Stand(experiment, runs, HALF)
    stand.start()
    stand.come_to_the_rung(0, 1, 2)
    assert stand.go_on() == []
    assert stand.course.count((), ()) == Standstill(4)


def test_run_that_pauses_before_its_rung_goes_on_to_it(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Its program counts from 0, say; one that comes no further fails."""
    stand = Stand(experiment, runs, replace(HALF, rungs=(2,)))
    assert [each.stop_after for each in stand.start()] == [2] * 4
    for at in range(4):
        stand.leave(at, *[at / 10] * (1 if at == 3 else 2))
        stand.pause(at)
    assert stand.go_on() == [(3, 2)]
    stand.leave(3, 0.3, 0.3)
    stand.pause(3)
    assert stand.go_on() == [(0, None), (1, None)]


def test_next_process_goes_on_where_the_files_are(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    first = Stand(experiment, runs, HALF)
    for at in range(4):
        first.leave(at, at / 10)
    second = Stand(experiment, runs, HALF)
    assert [each.stop_after for each in second.start()] == [2, 2]
    assert second.go_on() == []  # they were started, and have not come yet
    assert second.events == []  # this rung is an old story


def test_best_runs_go_on_where_only_the_last_to_come_is_executed_here(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The first pause that a process sees may be the one that completes the rung."""
    first = Stand(experiment, runs, HALF)
    for at in (0, 1, 2):
        first.leave(at, at / 10)
    second = Stand(experiment, runs, HALF)
    assert [each.stop_after for each in second.start()] == [1]
    second.leave(3, 0.9)
    second.pause(3)
    assert not second.queue
    assert second.go_on() == [(0, 2), (1, 2)]
    assert second.events == [RungCompleted(1, 4, 2, 2, "loss")]


def test_survivor_that_another_process_executes_is_waited_for(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    stand = Stand(experiment, runs[:2], HALF)
    stand.start()
    stand.come_to_the_rung(0, 1)
    lock = experiment.run(runs[0].run_id).lock
    descriptor = lock.open()
    try:
        assert lock.take(descriptor)
        (decision,) = stand.course.go_on(())
        assert decision.action.value == "wait"
    finally:
        os.close(descriptor)


def test_asynchronous_run_goes_on_before_the_others_have_begun(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    stand = Stand(experiment, runs, ASYNC)
    stand.start()
    stand.leave(0, 0.5)
    stand.pause(0)
    assert not stand.queue
    stand.leave(1, 0.4)
    stand.pause(1)
    assert [each.decision.run for each in stand.queue] == [runs[1]]
    assert [each.decision.stop_after for each in stand.queue] == [2]
    stand.leave(2, 0.45)
    stand.pause(2)
    assert len(stand.queue) == 1  # one of three, and it is the second
    stand.leave(3, 0.2)
    stand.pause(3)
    assert [each.decision.run for each in stand.queue] == [runs[3], runs[1]]
    assert stand.events == []


def test_missing_metric_is_trouble_as_soon_as_a_run_has_paused(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    stand = Stand(experiment, runs, Halving("acc", False, 2))
    stand.start()
    assert stand.course.trouble == ""
    stand.leave(0, 0.5)
    stand.pause(0)
    assert stand.course.trouble == (
        "halving: no run has the metric 'acc' after iteration 1."
        " Choose one of loss, or a first rung at which it is logged."
    )
    assert stand.go_on() == []
    assert stand.course.count((), ()) == Standstill(4)
    stand.leave(1, 0.5, record=Record.FAILED)
    stand.leave(2, *[0.5] * 9, record=Record.DONE)
    assert stand.course.count({runs[1].run_id}, ()) == Standstill(2)


def test_run_that_another_process_has_executed_is_decided_on_again(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """It is further by now, or waits for others, or is paused for good."""
    stand = Stand(experiment, runs, HALF)
    first = {each.run.run_id: each for each in stand.start()}
    aims = []
    for at, value in enumerate((0.4, 0.3, 0.2, 0.1)):
        stand.leave(at, value)
        again = stand.course.aim_again(first[runs[0].run_id], ())
        aims.append(None if again is None else again.stop_after)
    assert aims == [None] * 4
    best = stand.course.aim_again(first[runs[3].run_id], ())
    assert best is not None
    assert best.stop_after == 2
    stand.pause(2)
    assert stand.go_on() == [(2, 2)]  # the other one was decided on just now
