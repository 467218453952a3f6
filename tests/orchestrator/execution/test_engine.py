"""The engine executes a plan: every run once, each on its own, and stops when it is asked."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest

from orchestrator.config.orch_settings import NO_RETRIES, Policy
from orchestrator.execution.engine import Engine
from orchestrator.execution.events import (
    Adopted,
    AttemptStarted,
    Blocked,
    Ended,
    Event,
    ExecutionResult,
    ExecutionSnapshot,
    Paused,
    Retrying,
    Stopping,
)
from orchestrator.execution.execution_course import WHOLE_RUNS, BreadthFirst
from orchestrator.execution.live_attempts import Running
from orchestrator.execution.protocols import Course, Resources
from orchestrator.execution.slots import Gpu, make_slots
from orchestrator.execution.stop_requests import StopLevel, StopRequests
from orchestrator.grid.identity import Run, identify
from orchestrator.grid.point_selection import select_runs
from orchestrator.grid.points import Points
from orchestrator.planning.plan import Action, Decisions, Plan
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Failure, Record, State, Status
from orchestrator.runner.failure_classes import LOST


def status(record: Record, attempt: int, failure: Failure | None = None) -> Status:
    if record is Record.FAILED:
        failure = failure or Failure("error", "ValueError: lr")
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
    made_ready: int = 0

    def make_ready(self) -> None:
        self.made_ready += 1

    def start(
        self, _run: Run, directory: RunDirectory, attempt: int, _environment: Mapping[str, str]
    ) -> FakeAttempt:
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

    def refresh(self, snapshot: ExecutionSnapshot) -> None:
        self.most_live = max(self.most_live, len(snapshot.live))
        self.on_refresh()

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def plan_of(experiment: ExperimentDirectory, runs: Sequence[Run]) -> Plan:
    """Return the plan for runs that are seen as they stand."""
    nothing_dropped = select_runs(Points(), [], lambda _: {}, [])
    seen = {place: experiment.run(run.run_id).observe() for place, run in enumerate(runs)}
    return Plan("first", str(experiment.training), nothing_dropped, Decisions(runs, seen))


def execute(  # a plan and all that it may be executed with
    experiment: ExperimentDirectory,
    plan: Plan,
    launcher: FakeLauncher,
    *,
    board: FakeBoard | None = None,
    workers: int = 1,
    policy: Policy = NO_RETRIES,
    course: Course = WHOLE_RUNS,
) -> ExecutionResult:
    resources = Resources(make_slots(workers), policy, course=course)
    engine = Engine(experiment, launcher, board or FakeBoard(), resources)
    waits = [item for item in plan.decisions if item.action is Action.WAIT]
    with StopRequests() as stop:
        return engine.execute(plan.starts(), waits, stop)


def states(outcome: ExecutionResult, runs: Sequence[Run]) -> list[State]:
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


@pytest.mark.parametrize(("iteration", "is_told"), [(2, False), (3, True), (9, True)])
def test_program_that_does_not_pause_is_told(
    experiment: ExperimentDirectory, runs: list[Run], iteration: int, *, is_told: bool
) -> None:
    """It may have ended where it was to pause."""

    def script(attempt: FakeAttempt) -> None:
        progress = {"iteration": iteration, "iterations": iteration}
        (attempt.directory.path / "progress.json").write_text(json.dumps(progress))
        attempt.end(Record.DONE)

    board, course = FakeBoard(), BreadthFirst(experiment, 2)
    execute(experiment, plan_of(experiment, runs), FakeLauncher(script), board=board, course=course)
    told = [event.notices for event in board.events if isinstance(event, Ended)]
    assert len(told) == 3
    assert all(("ORCH_STOP_AFTER" in str(notices)) is is_told for notices in told)


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
    """The next orch run retries and resumes, and counts on."""
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
    outcome = execute(experiment, plan_of(experiment, runs), launcher, board=board, workers=2)
    assert states(outcome, runs) == [State.DONE] * 3
    assert board.most_live == 2


def test_run_that_lives_elsewhere_is_waited_for_and_never_started(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """When its other owner has finished it, it counts as done, with the time that its attempt took."""
    directory = experiment.create(runs[0])
    directory.write_status(status(Record.RUNNING, 1))
    lock = directory.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    plan = plan_of(experiment, runs[:1])

    def finish_elsewhere() -> None:
        directory.write_status(replace(status(Record.DONE, 1), seconds=4.5))

    board = FakeBoard(on_refresh=finish_elsewhere)
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan, launcher, board=board)
    os.close(lock)
    assert launcher.attempts == []
    assert states(outcome, runs[:1]) == [State.DONE]
    ended = outcome.ended[runs[0].run_id]
    assert (ended.executed, ended.lasted) == (False, 4.5)
    assert len(board.of(Adopted)) == 1


@pytest.mark.parametrize(("kind", "attempts"), [("killed", [2]), ("error", [])])
def test_run_that_fails_elsewhere_is_tried_again_as_if_it_had_failed_here(
    experiment: ExperimentDirectory,
    runs: list[Run],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    attempts: list[int],
) -> None:
    """Its orchestrator may be dead, and not try it again."""
    monkeypatch.setattr("orchestrator.execution.failure_policy._FIRST_DELAY", 0.0)
    directory = experiment.create(runs[0])
    directory.write_status(status(Record.RUNNING, 1))
    locks = [directory.lock.open()]
    fcntl.flock(locks[0], fcntl.LOCK_EX)

    def fail_elsewhere() -> None:
        for lock in locks:
            directory.write_status(status(Record.FAILED, 1, Failure(kind, "why")))
            os.close(lock)
        locks.clear()

    board, launcher = (
        FakeBoard(on_refresh=fail_elsewhere),
        FakeLauncher(lambda it: it.end(Record.DONE)),
    )
    plan = plan_of(experiment, runs[:1])
    outcome = execute(experiment, plan, launcher, board=board, policy=Policy(retries=1))
    assert [attempt.number for attempt in launcher.attempts] == attempts
    assert states(outcome, runs[:1]) == [State.DONE if attempts else State.FAILED]


def test_run_whose_other_owner_dies_is_resumed(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The lock falls free without an end in the record: it is ours now."""
    directory = experiment.create(runs[0])
    directory.write_status(status(Record.RUNNING, 1))
    locks = [directory.lock.open()]
    fcntl.flock(locks[0], fcntl.LOCK_EX)
    plan = plan_of(experiment, runs[:1])
    board = FakeBoard(on_refresh=lambda: [os.close(locks.pop()) for _ in locks[:]])
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan, launcher, board=board)
    assert [attempt.number for attempt in launcher.attempts] == [2]
    assert states(outcome, runs[:1]) == [State.DONE]


def test_run_whose_runner_alone_was_killed_keeps_its_slot_until_its_program_ends(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The program still holds the lock, and the box has no more room than before."""
    locks: list[int] = []
    begun: list[tuple[str, int]] = []

    def script(attempt: FakeAttempt) -> None:
        begun.append((attempt.directory.run_id, attempt.number))
        if len(begun) > 1:
            attempt.end(Record.DONE)
            return
        attempt.directory.write_status(status(Record.RUNNING, attempt.number))
        locks.append(attempt.directory.lock.open())
        fcntl.flock(locks[0], fcntl.LOCK_EX)
        attempt.end(None)

    looks: list[int] = []

    def let_go() -> None:
        if board.of(Adopted) and locks:
            assert len(begun) == 1
            looks.append(len(begun))
            if len(looks) == 3:
                os.close(locks.pop())

    board = FakeBoard(on_refresh=let_go)
    outcome = execute(experiment, plan_of(experiment, runs), FakeLauncher(script), board=board)
    # Of its one slot the engine makes use again: the others first, for they waited longer.
    assert sorted(begun[1:]) == sorted([(run.run_id, 1) for run in runs[1:]] + [(begun[0][0], 2)])
    assert states(outcome, runs) == [State.DONE] * 3


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


def test_directory_that_somebody_removes_is_made_again(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """``orch prune`` may take it between its creation and its lock: nobody's fault, and no failure."""

    def script(attempt: FakeAttempt) -> object:
        if len(launcher.attempts) > 2:
            return attempt.end(Record.DONE)
        shutil.rmtree(attempt.directory.path)
        attempt.complaint = f"[Errno 2] No such file or directory: '{attempt.directory.lock.path}'"
        return attempt.end(None)

    launcher = FakeLauncher(script)
    outcome = execute(experiment, plan_of(experiment, runs[:1]), launcher)
    assert len(launcher.attempts) == 3
    assert states(outcome, runs[:1]) == [State.DONE]


def test_directory_that_is_always_removed_is_a_failure_in_the_end(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The reason is what the runner said."""

    def script(attempt: FakeAttempt) -> object:
        shutil.rmtree(attempt.directory.path)
        attempt.complaint = "No such file or directory"
        return attempt.end(None)

    launcher = FakeLauncher(script)
    outcome = execute(experiment, plan_of(experiment, runs[:1]), launcher)
    assert states(outcome, runs[:1]) == [State.FAILED]
    assert "No such file" in outcome.ended[runs[0].run_id].reason


def test_run_whose_directory_was_removed_while_it_worked_is_not_begun_again(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """It ended because somebody removed it, and the reason says so."""

    def script(attempt: FakeAttempt) -> object:
        attempt.directory.write_status(status(Record.RUNNING, 1))
        shutil.rmtree(attempt.directory.path)
        attempt.complaint = f"{attempt.directory.path}: {LOST}"
        return attempt.end(None)

    launcher = FakeLauncher(script)
    outcome = execute(experiment, plan_of(experiment, runs[:1]), launcher)
    assert len(launcher.attempts) == 1
    assert states(outcome, runs[:1]) == [State.FAILED]
    assert LOST in outcome.ended[runs[0].run_id].reason


def test_run_waits_for_a_process_that_nobody_else_knows_of(
    experiment: ExperimentDirectory, runs: list[Run], tmp_path: Path
) -> None:
    """It has closed the lock, and all above it were killed; its environment says what it belongs to."""
    directory = experiment.create(runs[0])
    directory.write_status(status(Record.RUNNING, 1))
    os.mkfifo(tmp_path / "more")
    environment = {**os.environ, "ORCH_RUN_DIR": str(directory.path.resolve())}
    script = f"read x < {tmp_path}/more"
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))

    def on_refresh() -> None:
        if board.of(Adopted) and survivor.poll() is None:
            assert launcher.attempts == []
            (tmp_path / "more").write_text("")
            survivor.wait()

    board = FakeBoard(on_refresh=on_refresh)
    with subprocess.Popen(
        ["sh", "-c", f"echo; {script}"], env=environment, stdout=subprocess.PIPE
    ) as survivor:
        try:
            assert survivor.stdout
            survivor.stdout.readline()  # before that, its environment may not be visible yet
            outcome = execute(experiment, plan_of(experiment, runs[:1]), launcher, board=board)
        finally:
            survivor.kill()
    (adopted,) = board.of(Adopted)
    assert isinstance(adopted, Adopted)
    assert adopted.reason.startswith(f"process {survivor.pid} of attempt 1 still lives")
    assert len(launcher.attempts) == 1
    assert states(outcome, runs[:1]) == [State.DONE]


def test_runner_that_dies_without_a_word_is_a_failure_not_a_loop(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """One attempt is made; what the runner said, if anything, is the reason."""
    launcher = FakeLauncher(lambda attempt: attempt.end(None))
    outcome = execute(experiment, plan_of(experiment, runs[:1]), launcher)
    assert len(launcher.attempts) == 1
    assert states(outcome, runs[:1]) == [State.FAILED]
    assert "it was killed before the attempt began" in outcome.ended[runs[0].run_id].reason


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
    """What was begun is interrupted and resumable; the rest is left to the next orch run."""
    launcher = FakeLauncher(lambda _: os.kill(os.getpid(), signal.SIGINT))
    board = FakeBoard()
    outcome = execute(experiment, plan_of(experiment, runs), launcher, board=board)
    assert [attempt.heard for attempt in launcher.attempts] == [["ask"]]
    assert outcome.stopped
    assert outcome.left == 3
    assert outcome.ended[runs[0].run_id].state is State.STALE
    assert board.of(Stopping) == [Stopping(1, at_once=False, unsaved=1)]


@pytest.mark.parametrize(
    ("left", "save_when_asked", "unsaved"),
    [("", False, 1), ("checkpoints/state", False, 0), ("model.pt.tmp", False, 1), ("", True, 0)],
)
def test_user_is_told_how_many_of_the_runs_have_saved_nothing(
    experiment: ExperimentDirectory,
    runs: list[Run],
    left: str,
    save_when_asked: bool,  # noqa: FBT001 # a parameter of the test
    unsaved: int,
) -> None:
    """What the trainer has not saved yet, it saves when it is asked."""

    def begin(attempt: FakeAttempt) -> None:
        if left:
            (attempt.directory.path / left).parent.mkdir(exist_ok=True)
            (attempt.directory.path / left).touch()
        os.kill(os.getpid(), signal.SIGINT)

    board = FakeBoard()
    resources = Resources(make_slots(1), save_when_asked=save_when_asked)
    plan = plan_of(experiment, runs[:1])
    with StopRequests() as stop:
        engine = Engine(experiment, FakeLauncher(begin), board, resources)
        engine.execute(plan.starts(), [], stop)
    assert board.of(Stopping) == [Stopping(1, at_once=False, unsaved=unsaved)]


def test_asked_before_anything_has_started_it_answers_and_starts_nothing(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """As while what runs need is being loaded."""
    board, launcher, plan = FakeBoard(), FakeLauncher(lambda _: None), plan_of(experiment, runs)
    with StopRequests() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        engine = Engine(experiment, launcher, board, Resources(make_slots(1)))
        outcome = engine.execute(plan.starts(), [], stop)
    assert (outcome.left, outcome.stopped, launcher.attempts) == (3, True, [])
    assert board.of(Stopping) == [Stopping(0, at_once=False)]


def test_drained_it_lets_the_runs_finish_and_starts_no_more(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The runs are not told; what is left was not interrupted."""
    launcher = FakeLauncher(lambda _: os.kill(os.getpid(), signal.SIGINT))
    ends = [lambda: launcher.attempts[0].end(Record.DONE)]
    board = FakeBoard(on_refresh=lambda: ends and ends.pop()())
    plan = plan_of(experiment, runs)
    with StopRequests(StopLevel.DRAIN) as stop:
        engine = Engine(experiment, launcher, board, Resources(make_slots(1)))
        outcome = engine.execute(plan.starts(), [], stop)
    assert [attempt.heard for attempt in launcher.attempts] == [[]]
    assert outcome.ended[runs[0].run_id].state is State.DONE
    assert (outcome.left, outcome.stopped) == (2, False)
    assert board.of(Stopping) == [Stopping(1, at_once=False, drain=True)]


def test_run_that_fails_while_it_is_drained_is_left_for_the_next_time(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    killed = Failure("killed", "by SIGKILL")

    def fail() -> None:
        if launcher.attempts[0].directory.read_status() is None:
            launcher.attempts[0].directory.write_status(status(Record.FAILED, 1, killed))
            launcher.attempts[0].end(None)

    launcher = FakeLauncher(lambda _: os.kill(os.getpid(), signal.SIGINT))
    plan = plan_of(experiment, runs[:1])
    resources = Resources(make_slots(1), Policy(retries=3))
    with StopRequests(StopLevel.DRAIN) as stop:
        engine = Engine(experiment, launcher, FakeBoard(on_refresh=fail), resources)
        outcome = engine.execute(plan.starts(), [], stop)
    assert len(launcher.attempts) == 1
    assert outcome.ended[runs[0].run_id].state is State.FAILED


def test_other_orch_asks_by_the_stop_file(experiment: ExperimentDirectory, runs: list[Run]) -> None:
    """The request reaches an engine that is at work, and none that begins later."""
    launcher = FakeLauncher(lambda _: experiment.stop_file().ask("at_checkpoint"))
    plan = plan_of(experiment, runs)
    with StopRequests(news=experiment.stop_file().news) as stop:
        engine = Engine(experiment, launcher, FakeBoard(), Resources(make_slots(1)))
        outcome = engine.execute(plan.starts(), [], stop)
    assert launcher.attempts[0].heard == ["ask"]
    assert outcome.stopped
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    plan = plan_of(experiment, runs)
    with StopRequests(news=experiment.stop_file().news) as stop:
        engine = Engine(experiment, launcher, FakeBoard(), Resources(make_slots(1)))
        outcome = engine.execute(plan.starts(), [], stop)
    assert states(outcome, runs) == [State.DONE] * 3


def test_directories_of_the_next_runs_are_built_while_a_run_is_busy_and_gone_when_it_ends_there(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The user stops the grid: what never started leaves nothing."""
    beside: list[int] = []

    def stop() -> None:
        beside.append(len([*experiment.training.glob(".new-*")]))
        os.kill(os.getpid(), signal.SIGINT)

    launcher, board = FakeLauncher(lambda _: None), FakeBoard(on_refresh=stop)
    execute(experiment, plan_of(experiment, runs), launcher, board=board)
    assert beside[0] == 1  # as many as there are slots
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


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
            self, _run: Run, directory: RunDirectory, attempt: int, _: Mapping[str, str]
        ) -> FakeAttempt:
            self.attempts.append(Stubborn(directory, attempt))
            os.kill(os.getpid(), signal.SIGINT)
            return self.attempts[-1]

    launcher = StubbornLauncher(lambda _: None)
    outcome = execute(experiment, plan_of(experiment, runs), launcher)
    assert [attempt.heard for attempt in launcher.attempts] == [["ask", "end"]]
    assert outcome.stopped


def test_next_start_is_made_ready_only_where_there_is_one(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """What nobody needs is not made ready."""
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    execute(experiment, plan_of(experiment, runs[:1]), launcher)
    assert launcher.made_ready == 0
    execute(experiment, plan_of(experiment, runs[1:3]), launcher)
    assert launcher.made_ready == 1


def test_board_is_told_every_start_and_end(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """What happens is shown, with the attempt's number and slot."""
    board = FakeBoard()
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    execute(experiment, plan_of(experiment, runs[:1]), launcher, board=board)
    started, ended = board.events
    assert isinstance(started, AttemptStarted)
    assert (started.run, started.attempt, started.slot.number) == (runs[0], 1, 0)
    assert isinstance(ended, Ended)
    assert ended.executed


def fail_as(kind: str) -> Script:
    """Return a script in which every attempt fails with a class."""

    def script(attempt: FakeAttempt) -> None:
        attempt.directory.write_status(status(Record.FAILED, attempt.number, Failure(kind, "why")))
        attempt.end(None)

    return script


def test_killed_run_is_tried_again_and_an_error_is_not(
    experiment: ExperimentDirectory, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may pass is repeated, as often as allowed; what comes again is left to the user."""
    monkeypatch.setattr("orchestrator.execution.failure_policy._FIRST_DELAY", 0.0)
    for kind, attempts in (("killed", 2), ("error", 1)):
        launcher, board = FakeLauncher(fail_as(kind)), FakeBoard()
        plan = plan_of(experiment, [runs[len(kind) % 2]])
        outcome = execute(experiment, plan, launcher, board=board, policy=Policy(retries=5))
        # Neither attempt saved anything: trying a third time would not help.
        assert [attempt.number for attempt in launcher.attempts] == [1, 2][:attempts]
        assert len(board.of(Retrying)) == attempts - 1
        assert [ended.state for ended in outcome.ended.values()] == [State.FAILED]


def test_end_of_a_run_tells_the_time_of_all_its_attempts(
    experiment: ExperimentDirectory, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of the last one alone."""
    monkeypatch.setattr("orchestrator.execution.failure_policy._FIRST_DELAY", 0.0)
    monkeypatch.setattr(Running, "seconds", 1.5)
    board = FakeBoard()
    plan = plan_of(experiment, runs[:1])
    execute(
        experiment, plan, FakeLauncher(fail_as("killed")), board=board, policy=Policy(retries=5)
    )
    assert [event.seconds for event in board.of(Ended)] == [3.0]


def test_enough_failures_end_the_call_and_leave_the_rest(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Nothing is lost: what was not started, or asked to stop, is left to the next orch run."""

    def script(attempt: FakeAttempt) -> None:
        if len(launcher.attempts) == 2:
            fail_as("error")(attempt)

    launcher = FakeLauncher(script)
    outcome = execute(
        experiment, plan_of(experiment, runs), launcher, workers=2, policy=Policy(most_failures=1)
    )
    assert launcher.attempts[0].heard == ["ask"]
    assert len(launcher.attempts) == 2
    assert (outcome.stopped, outcome.left) == (False, 2)
    assert "1 failed" in outcome.gave_up


def test_same_error_in_run_after_run_pauses_the_grid(
    experiment: ExperimentDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What every run would fail of is found out with a few, not with all."""
    monkeypatch.setattr("orchestrator.execution.failure_policy._PAUSES", (0.01, 0.01))
    many = [identify({"seed": seed}, {"seed": seed}) for seed in range(20)]
    launcher, board = FakeLauncher(fail_as("error")), FakeBoard()
    outcome = execute(experiment, plan_of(experiment, many), launcher, board=board)
    assert len(launcher.attempts) == 7
    assert [event.seconds for event in board.of(Paused)] == [0.01, 0.01, float("inf")]
    assert "7 runs in a row failed in the same way (error: why)" in outcome.gave_up
    assert outcome.left == 13


def test_run_that_lacked_gpu_memory_beside_others_gets_a_gpu_alone(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """It waits until the GPU is free, and nothing joins it there; alone, a lack is a failure."""
    gpu = Gpu(0, "GPU-1", "H200", 1 << 37)
    alive: list[FakeAttempt] = []

    def script(attempt: FakeAttempt) -> None:
        if attempt.directory.run_id == runs[0].run_id:
            beside.append(len(alive))
            fail_as("out-of-memory")(attempt)
        else:
            alive.append(attempt)

    def end_one() -> None:
        if (alive and len(launcher.attempts) > 2) or (alive and board.of(Retrying)):
            alive.pop().end(Record.DONE)

    beside: list[int] = []
    launcher, board = FakeLauncher(script), FakeBoard(on_refresh=end_one)
    resources = Resources(make_slots(2, [gpu]))
    engine = Engine(experiment, launcher, board, resources)
    order = [runs[1], runs[0], runs[2]]
    with StopRequests() as stop:
        outcome = engine.execute(plan_of(experiment, order).starts(), [], stop)
    assert beside == [1, 0]
    assert states(outcome, runs) == [State.FAILED, State.DONE, State.DONE]
    assert [event.alone for event in board.of(Retrying)] == [True]


def test_gpu_that_others_fill_keeps_its_slot_empty(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The board says why, once; the run starts when there is room."""
    gpus = [Gpu(number, f"GPU-{number}", "H200", 1 << 37) for number in range(2)]

    class Gate:
        looks = 0

        def obstacle(self, gpu: Gpu, *, is_taken: bool) -> str:
            assert not is_taken  # each of the two slots has a GPU of its own
            self.looks += gpu.number
            return "full" if gpu.number == 1 and self.looks < 3 else ""

    launcher, board = FakeLauncher(lambda each: each.end(Record.DONE)), FakeBoard()
    engine = Engine(experiment, launcher, board, Resources(make_slots(2, gpus), gate=Gate()))
    with StopRequests() as stop:
        engine.execute(plan_of(experiment, runs).starts(), [], stop)
    assert [(event.slot.number, event.reason) for event in board.of(Blocked)] == [(1, "full")]
    assert len(launcher.attempts) == 3


def test_run_whose_orchestrator_is_gone_takes_up_a_slot(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The box has no more room than before; when that run is over, its place is used."""
    lock = experiment.create(runs[0]).lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    plan = plan_of(experiment, runs)
    started_beside = []

    def script(attempt: FakeAttempt) -> None:
        started_beside.append(attempt.directory.run_id)
        attempt.end(Record.DONE)

    def let_go() -> None:
        if experiment.run(runs[0].run_id).lock.is_held():
            experiment.run(runs[0].run_id).write_status(status(Record.DONE, 1))
            assert started_beside == []
            os.close(lock)

    board = FakeBoard(on_refresh=let_go)
    resources = Resources(make_slots(1), orphans=frozenset([runs[0].run_id]))
    engine = Engine(experiment, FakeLauncher(script), board, resources)
    waits = [item for item in plan.decisions if item.action is Action.WAIT]
    with StopRequests() as stop:
        outcome = engine.execute(plan.starts(), waits, stop)
    assert started_beside == [run.run_id for run in runs[1:]]
    assert states(outcome, runs) == [State.DONE] * 3


def test_full_disk_is_waited_for(
    experiment: ExperimentDirectory, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the runner itself cannot write its records, too."""
    monkeypatch.setattr("orchestrator.execution.failure_policy._FIRST_DELAY", 0.01)

    def fill_once(attempt: FakeAttempt) -> None:
        is_first = len(launcher.attempts) == 1
        attempt.complaint = "[Errno 28] No space left on device" if is_first else ""
        attempt.end(None if is_first else Record.DONE)

    launcher, board = FakeLauncher(fill_once), FakeBoard()
    plan = plan_of(experiment, runs[:1])
    outcome = execute(experiment, plan, launcher, board=board, policy=Policy(retries=1))
    assert states(outcome, runs[:1]) == [State.DONE]
    assert "disk-full" in board.of(Retrying)[0].reason


def test_run_that_loses_its_runner_again_and_again_is_let_be(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """It is resumed once, and again only for as long as it gets on."""
    held: list[int] = []

    def lose_the_runner(attempt: FakeAttempt) -> None:
        attempt.directory.write_status(status(Record.RUNNING, attempt.number))
        held.append(attempt.directory.lock.open())
        assert attempt.directory.lock.take(held[-1])  # the program lives on
        attempt.end(None)

    def let_programs_end() -> None:
        while held:
            os.close(held.pop())

    launcher = FakeLauncher(lose_the_runner)
    board = FakeBoard(on_refresh=let_programs_end)
    outcome = execute(experiment, plan_of(experiment, runs[:1]), launcher, board=board)
    assert len(launcher.attempts) == 2
    assert states(outcome, runs[:1]) == [State.STALE]
    assert "killed again" in outcome.ended[runs[0].run_id].reason
    assert outcome.left == 1


def test_folder_that_another_process_locks_is_waited_for_with_a_word(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The runs start as soon as the lock is free, and nothing failed meanwhile."""
    descriptor = os.open(experiment.training, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    board = FakeBoard(on_refresh=lambda: board.of(Blocked) and give_back())

    def give_back() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan_of(experiment, runs), launcher, board=board)
    os.close(descriptor)
    assert states(outcome, runs) == [State.DONE] * 3
    (told,) = board.of(Blocked)
    assert isinstance(told, Blocked)
    assert "holds its lock" in told.reason


def test_stop_is_heard_while_another_process_locks_the_folder(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """One Ctrl-C is enough, and the runs are left to the next orch run."""
    descriptor = os.open(experiment.training, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    board = FakeBoard(on_refresh=lambda: board.of(Blocked) and os.kill(os.getpid(), signal.SIGINT))
    launcher = FakeLauncher(lambda attempt: attempt.end(Record.DONE))
    outcome = execute(experiment, plan_of(experiment, runs), launcher, board=board)
    os.close(descriptor)
    assert launcher.attempts == []
    assert (outcome.stopped, outcome.left) == (True, 3)
