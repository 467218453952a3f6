"""Tests of orchestrator.execution.halved_search."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from orchestrator.config.halving_settings import Halving
from orchestrator.execution.execution_course import Standstill
from orchestrator.execution.halved_search import HalvedSearch
from orchestrator.execution.run_queue import RunQueue
from orchestrator.grid.identity import Run, identify
from orchestrator.planning.halving_stage import StageReader
from orchestrator.planning.plan import Decisions, decide
from orchestrator.planning.search_members import Member
from orchestrator.rundir.state import PAUSED, Failure, Record, Status

if TYPE_CHECKING:
    from orchestrator.planning.search import Search
    from orchestrator.rundir.experiment import ExperimentDirectory

HALF = Halving("loss", True, 2)
RUNS = [identify({"seed": seed}, {"seed": seed}) for seed in range(4)]


class Choice:
    """Stands for a search: ``found`` are its runs, of the ``expected`` ones."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.found: list[Run] = []

    def members(self) -> list[Member]:
        """Return the runs that were chosen."""
        return [Member(run, (0.0,), "then") for run in self.found]


class Stand:
    """A halved search in a folder, for ``points`` points."""

    def __init__(self, experiment: ExperimentDirectory, halving: Halving, points: int) -> None:
        self.experiment = experiment
        self.choice = Choice(points)
        search = cast("Search", self.choice)
        nothing = Decisions([], {})
        stage = StageReader(experiment, halving, search).stage(nothing, {})
        decisions = nothing.staged(stage)
        self.course = HalvedSearch(experiment, decisions, search, halving, lambda _: None)
        self.queue = RunQueue()

    def choose(self, at: int) -> int | None:
        """Let the search choose a run; return the iteration that it is trained to."""
        run = RUNS[at]
        directory = self.experiment.create(run)
        self.choice.found.append(run)
        return self.course.aim(decide(run, directory.observe())).stop_after

    def pause(self, at: int, *values: float, is_own: bool = True) -> None:
        """Let a run come as far as it has values; ``is_own``: this process has executed it."""
        directory = self.experiment.create(RUNS[at])
        lines = (
            {"key": "loss", "value": value, "step": step, "timestamp": 1}
            for step, value in enumerate(values, 1)
        )
        directory.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
        progress = {"iteration": len(values), "iterations": 8}
        (directory.path / "progress.json").write_text(json.dumps(progress))
        directory.write_status(Status(Record.INTERRUPTED, 1, "then", "box", 1, reason=PAUSED))
        if is_own:
            seen = directory.observe()
            self.course.note_pause(decide(RUNS[at], seen), seen, self.queue)

    def going(self, *failed: int) -> list[tuple[int, int | None]]:
        """Return the runs that go on now that nothing is live, each with its next rung."""
        found = self.course.go_on({RUNS[at].run_id for at in failed})
        return [(RUNS.index(it.run), it.stop_after) for it in found]


def test_chosen_runs_are_trained_to_the_first_rung_and_wait_for_those_to_come(
    experiment: ExperimentDirectory,
) -> None:
    """The best go on once as many as were asked for have come to it."""
    stand = Stand(experiment, HALF, points=3)
    assert [stand.choose(0), stand.choose(1)] == [1, 1]
    stand.pause(0, 0.3)
    stand.pause(1, 0.2)
    assert stand.going() == []
    assert stand.course.count((), ()) == Standstill(2)
    assert stand.choose(2) == 1
    stand.pause(2, 0.1)
    assert stand.going() == [(2, None)]
    assert stand.course.count((), ()) == Standstill(1, 2)


def test_next_best_point_takes_the_place_of_one_that_fails_right_at_its_rung(
    experiment: ExperimentDirectory,
) -> None:
    stand = Stand(experiment, HALF, points=3)
    for at, value in enumerate((0.1, 0.3, 0.2)):
        stand.choose(at)
        stand.pause(at, value, is_own=at > 0)
    failed = Status(Record.FAILED, 1, "then", "box", 1, failure=Failure("error", "no"))
    experiment.run(RUNS[0].run_id).write_status(failed)
    assert stand.going(0) == [(2, None)]


def test_runs_that_another_process_has_chosen_are_compared(
    experiment: ExperimentDirectory,
) -> None:
    """It may have executed the best of them."""
    stand = Stand(experiment, HALF, points=2)
    stand.choose(0)
    stand.pause(0, 0.3)
    stand.choice.found.append(RUNS[1])
    stand.pause(1, 0.2, is_own=False)
    assert stand.going() == [(1, None)]


def test_points_that_there_are_not_are_not_waited_for(experiment: ExperimentDirectory) -> None:
    """The search says that it expects no more."""
    stand = Stand(experiment, HALF, points=4)
    stand.choose(0)
    stand.choose(1)
    stand.pause(0, 0.3)
    stand.pause(1, 0.2)
    stand.choice.expected = 0
    assert stand.going() == [(1, None)]


def test_best_so_far_goes_on_before_others_are_chosen(experiment: ExperimentDirectory) -> None:
    """Without waiting, it is queued before the next point."""
    stand = Stand(experiment, replace(HALF, is_asynchronous=True), points=4)
    for at in (0, 1):
        assert stand.choose(at) == 1
        stand.pause(at, 0.3 - at / 10)
    assert [(it.decision.run, it.decision.stop_after) for it in stand.queue.ready] == [(RUNS[1], 2)]


@pytest.mark.parametrize("points", [1, 4])
def test_single_point_is_trained_to_its_end(experiment: ExperimentDirectory, points: int) -> None:
    """It has nothing to be compared with, if no more are to come."""
    stand = Stand(experiment, HALF, points=points)
    stand.choose(0)
    stand.pause(0, 0.3)
    assert stand.going() == ([(0, None)] if points == 1 else [])
