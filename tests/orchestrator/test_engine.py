"""The engine executes a plan: every run once, each on its own, and stops when it is asked."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import pytest

from orchestrator.engine import Engine, Outcome
from orchestrator.events import Adopted, Ended, Event, Live, Started, Stopping
from orchestrator.experiment import ExperimentDirectory
from orchestrator.identity import Run
from orchestrator.plan import Decisions, Plan
from orchestrator.rundir import RunDirectory
from orchestrator.scheduler import make_slots
from orchestrator.selection import select_runs
from orchestrator.state import Failure, Record, State, Status
from orchestrator.stop import StopRequests


def status(record: Record, attempt: int) -> Status:
    failure = Failure("error", "ValueError: lr") if record is Record.FAILED else None
    return Status(record, attempt, "then", "box", 1, failure=failure)


class FakeAttempt:
    """An attempt that is over when the test, or the engine, says so."""

    def __init__(self, directory: RunDirectory, number: int) -> None:
        self.directory = directory
        self.number = number
        self.complaint = ""
        self.heard: list[str] = []
        self._over, self._end = os.pipe()

    def end(self, record: Record | None) -> Self:
        """Write how it ended, and be over."""
        if record is not None:
            self.directory.write_status(status(record, self.number))
        os.close(self._end)
        return self

    def fileno(self) -> int:
        return self._over

    def ask_to_stop(self) -> None:
        self.heard.append("ask")
        self.end(Record.INTERRUPTED)

    def end_at_once(self) -> None:
        self.heard.append("end")

    def abandon(self) -> None:
        self.heard.append("abandon")

    def close(self) -> str:
        os.close(self._over)
        return self.complaint


Script = Callable[[FakeAttempt], object]


@dataclass
class FakeLauncher:
    """Hands every attempt to the test's script, and remembers it."""

    script: Script
    attempts: list[FakeAttempt] = field(default_factory=list)

    def start(
        self, directory: RunDirectory, attempt: int, environment: Mapping[str, str]
    ) -> FakeAttempt:
        assert environment == {}
        started = FakeAttempt(directory, attempt)
        self.attempts.append(started)
        self.script(started)
        return started


@dataclass
class FakeBoard:
    """Remembers what it was shown; ``on_refresh`` is the test's way to act in between."""

    events: list[Event] = field(default_factory=list)
    on_refresh: Callable[[], object] = lambda: None
    most_live: int = 0

    def show(self, event: Event) -> None:
        self.events.append(event)

    def refresh(self, live: Sequence[Live]) -> None:
        self.most_live = max(self.most_live, len(live))
        self.on_refresh()

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def plan_of(experiment: ExperimentDirectory, runs: Sequence[Run]) -> Plan:
    """Return the plan for runs that are seen as they stand."""
    nothing_dropped = select_runs([], [], lambda _: {}, [])
    seen = {place: experiment.run(run.run_id).observe() for place, run in enumerate(runs)}
    return Plan("first", str(experiment.training), nothing_dropped, Decisions(runs, seen))


def execute(
    experiment: ExperimentDirectory,
    plan: Plan,
    launcher: FakeLauncher,
    board: FakeBoard | None = None,
    workers: int = 1,
) -> Outcome:
    engine = Engine(experiment, launcher, board or FakeBoard(), make_slots(workers))
    with StopRequests() as stop:
        return engine.execute(plan, stop)


def states(outcome: Outcome, runs: Sequence[Run]) -> list[State]:
    return [outcome.ended[run.run_id].state for run in runs]


def test_every_run_is_executed_once_in_order(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """A plan of pending runs ends with all of them done."""
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan_of(experiment, runs), launcher)
    assert states(outcome, runs) == [State.DONE] * 3
    assert [attempt.directory.run_id for attempt in launcher.attempts] == [
        run.run_id for run in runs
    ]
    assert (outcome.left, outcome.stopped) == (0, False)


def test_nothing_is_started_when_all_is_done(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The same command again starts nothing and writes nothing."""
    execute(experiment, plan_of(experiment, runs), FakeLauncher(lambda each: each.end(Record.DONE)))
    before = {path: path.stat().st_mtime_ns for path in experiment.path.rglob("*")}
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan_of(experiment, runs), launcher)
    assert launcher.attempts == []
    assert outcome.ended == {}
    assert {path: path.stat().st_mtime_ns for path in experiment.path.rglob("*")} == before


def test_failed_run_takes_no_other_with_it(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The others go on, and the failure is told with its cause."""
    records = iter([Record.DONE, Record.FAILED, Record.DONE])
    launcher = FakeLauncher(lambda attempt: attempt.end(next(records)))
    outcome = execute(experiment, plan_of(experiment, runs), launcher)
    assert states(outcome, runs) == [State.DONE, State.FAILED, State.DONE]
    assert "ValueError: lr" in outcome.ended[runs[1].run_id].reason


def test_failed_and_stale_runs_begin_a_new_attempt(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The next call retries and resumes, counting on."""
    experiment.create(runs[0]).write_status(status(Record.FAILED, 2))
    experiment.create(runs[1]).write_status(status(Record.RUNNING, 5))
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan_of(experiment, runs), launcher)
    assert [attempt.number for attempt in launcher.attempts] == [3, 6, 1]
    assert states(outcome, runs) == [State.DONE] * 3


def test_as_many_run_at_once_as_there_are_workers(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Two slots hold two runs; the third starts when one is free."""
    launcher = FakeLauncher(lambda _: None)

    def end_one() -> None:
        live = [each for each in launcher.attempts if not each.heard]
        if live:
            live[0].heard.append("over")
            live[0].end(Record.DONE)

    board = FakeBoard(on_refresh=end_one)
    outcome = execute(experiment, plan_of(experiment, runs), launcher, board, workers=2)
    assert states(outcome, runs) == [State.DONE] * 3
    assert board.most_live == 2


def test_run_that_lives_elsewhere_is_waited_for_and_never_started(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """When its other owner has finished it, it counts as done."""
    directory = experiment.create(runs[0])
    directory.write_status(status(Record.RUNNING, 1))
    lock = directory.open_lock()
    fcntl.flock(lock, fcntl.LOCK_EX)
    plan = plan_of(experiment, runs[:1])

    def finish_elsewhere() -> None:
        directory.write_status(status(Record.DONE, 1))

    board = FakeBoard(on_refresh=finish_elsewhere)
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan, launcher, board)
    os.close(lock)
    assert launcher.attempts == []
    assert states(outcome, runs[:1]) == [State.DONE]
    assert not outcome.ended[runs[0].run_id].executed
    assert len(board.of(Adopted)) == 1


def test_run_whose_other_owner_dies_is_resumed(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The lock falls free without an end in the record: it is ours now."""
    directory = experiment.create(runs[0])
    directory.write_status(status(Record.RUNNING, 1))
    locks = [directory.open_lock()]
    fcntl.flock(locks[0], fcntl.LOCK_EX)
    plan = plan_of(experiment, runs[:1])
    board = FakeBoard(on_refresh=lambda: [os.close(locks.pop()) for _ in locks[:]])
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan, launcher, board)
    assert [attempt.number for attempt in launcher.attempts] == [2]
    assert states(outcome, runs[:1]) == [State.DONE]


@pytest.mark.parametrize("record", [Record.DONE, Record.FAILED])
def test_run_that_another_orchestrator_ended_since_the_plan_is_not_repeated(
    experiment: ExperimentDirectory, runs: list[Run], record: Record
) -> None:
    """Its end, good or bad, is the run's end for this call too."""
    plan = plan_of(experiment, runs[:1])
    experiment.create(runs[0]).write_status(status(record, 1))
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan, launcher)
    assert launcher.attempts == []
    assert outcome.ended[runs[0].run_id].state.value == record.value


def test_runner_that_dies_without_a_word_is_a_failure_not_a_loop(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """One attempt is made; what the runner said, if anything, is the reason."""
    launcher = FakeLauncher(lambda attempt: attempt.end(None))
    outcome = execute(experiment, plan_of(experiment, runs[:1]), launcher)
    assert len(launcher.attempts) == 1
    assert states(outcome, runs[:1]) == [State.FAILED]
    assert "died without a word" in outcome.ended[runs[0].run_id].reason


def test_run_that_cannot_be_started_has_failed(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """No process to be had: that run failed, the next one is tried."""

    def refuse(attempt: FakeAttempt) -> None:
        if len(launcher.attempts) == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        attempt.end(Record.DONE)

    launcher = FakeLauncher(refuse)
    outcome = execute(experiment, plan_of(experiment, runs[:2]), launcher)
    assert states(outcome, runs[:2]) == [State.FAILED, State.DONE]


def test_damaged_run_directory_fails_alone(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """A link in place of the lock is one run's trouble."""
    lock = experiment.create(runs[0]).path / "run.lock"
    plan = plan_of(experiment, runs[:2])
    lock.unlink()
    lock.symlink_to("/dev/null")
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan, launcher)
    assert states(outcome, runs[:2]) == [State.FAILED, State.DONE]


def test_asked_to_stop_it_asks_the_runs_and_starts_nothing_more(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """What was begun is interrupted and resumable; the rest is left for the next call."""
    launcher = FakeLauncher(lambda _: os.kill(os.getpid(), signal.SIGINT))
    board = FakeBoard()
    outcome = execute(experiment, plan_of(experiment, runs), launcher, board)
    assert [attempt.heard for attempt in launcher.attempts] == [["ask"]]
    assert outcome.stopped
    assert outcome.left == 3
    assert outcome.ended[runs[0].run_id].state is State.STALE
    assert board.of(Stopping) == [Stopping(1, at_once=False)]


def test_asked_twice_it_ends_the_runs_at_once(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The second request is passed on as such."""

    class Stubborn(FakeAttempt):
        def ask_to_stop(self) -> None:
            self.heard.append("ask")
            os.kill(os.getpid(), signal.SIGTERM)

        def end_at_once(self) -> None:
            self.heard.append("end")
            self.end(Record.INTERRUPTED)

    class StubbornLauncher(FakeLauncher):
        def start(
            self, directory: RunDirectory, attempt: int, environment: Mapping[str, str]
        ) -> FakeAttempt:
            del environment
            self.attempts.append(Stubborn(directory, attempt))
            os.kill(os.getpid(), signal.SIGINT)
            return self.attempts[-1]

    launcher = StubbornLauncher(lambda _: None)
    outcome = execute(experiment, plan_of(experiment, runs), launcher)
    assert [attempt.heard for attempt in launcher.attempts] == [["ask", "end"]]
    assert outcome.stopped


def test_board_is_told_every_start_and_end(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """What happens is shown, with the attempt's number and slot."""
    board = FakeBoard()
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    execute(experiment, plan_of(experiment, runs[:1]), launcher, board)
    started, ended = board.events
    assert isinstance(started, Started)
    assert (started.run, started.attempt, started.slot.number) == (runs[0], 1, 0)
    assert isinstance(ended, Ended)
    assert ended.executed
