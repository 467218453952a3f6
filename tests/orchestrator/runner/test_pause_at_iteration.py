"""A program that ends after the iteration that it was told has paused; it is not done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attempts import carry_out, failure_of, recorded
from thinning import combined

from orchestrator.grid.identity import identify
from orchestrator.rundir.state import Record, State, Status
from orchestrator.runner.attempt_program import Command, Cut, Ending
from orchestrator.runner.pause_at_iteration import STOP_AFTER, HowFar, has_gone_on, own_stop_after
from orchestrator.runner.runner import Verdict, judge_attempt
from orchestrator.runner.runner_guard import Begun
from orchestrator.runner.time_limits import NO_LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory

PROGRESS = (
    """echo '{"iteration": %d, "iterations": 9, "saved": %d}' > $ORCH_RUN_DIR/progress.json"""
)
RESULTS = """echo '{"test": {}}' > $ORCH_RUN_DIR/results.json"""


@pytest.mark.parametrize(
    ("told", "script", "state"),
    [
        ("3", PROGRESS % (3, 3), State.STALE),
        ("3", PROGRESS % (4, 4), State.STALE),  # it saves every second iteration
        ("3", PROGRESS % (9, 9), State.DONE),  # it does not heed the variable
        ("3", PROGRESS % (2, 2), State.STALE),  # it counts from 0, or stopped by itself
        ("3", PROGRESS % (0, 0), State.STALE),
        ("9", PROGRESS % (8, 8), State.DONE),  # it was not to pause before its end
        ("3", f"{PROGRESS % (3, 3)}; {RESULTS}", State.DONE),
        ("3", RESULTS, State.DONE),
        ("3", f"{PROGRESS % (3, 3)}; exit 1", State.FAILED),
        ("", PROGRESS % (3, 3), State.DONE),
        ("soon", PROGRESS % (3, 3), State.DONE),
    ],
)
def test_program_that_ends_after_the_iteration_has_paused(
    directory: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    told: str,
    script: str,
    state: State,
) -> None:
    monkeypatch.setenv(STOP_AFTER, told)
    carry_out(directory, "sh", "-c", script)
    seen = directory.observe()
    assert seen.state is state
    assert seen.is_paused is (state is State.STALE)
    if seen.is_paused:
        after = f"paused after {seen.saved} of 9 iterations"
        assert seen.reason == (after if seen.saved else "it has paused, nothing is saved yet")


def test_paused_run_is_resumed(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STOP_AFTER, "3")
    assert carry_out(directory, "sh", "-c", PROGRESS % (3, 3)) is Verdict.INTERRUPTED
    monkeypatch.delenv(STOP_AFTER)
    assert own_stop_after() is None
    assert carry_out(directory, "sh", "-c", PROGRESS % (9, 9), attempt=2) is Verdict.DONE


@pytest.mark.parametrize(
    ("first", "second", "ends"),
    [
        (PROGRESS % (1, 1), PROGRESS % (2, 2), State.STALE),
        (PROGRESS % (1, 1), PROGRESS % (1, 1), State.FAILED),
        (PROGRESS % (1, 1), "true", State.FAILED),
        (PROGRESS % (2, 2), PROGRESS % (1, 1), State.FAILED),
        (PROGRESS % (1, 1), RESULTS, State.DONE),
        (PROGRESS % (4, 4), "true", State.STALE),  # it is there, and has nothing more to tell
        (f"{PROGRESS % (1, 1)}; kill -9 $$", PROGRESS % (1, 1), State.STALE),
    ],
)
def test_program_that_comes_no_further_fails(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, first: str, second: str, ends: State
) -> None:
    """It would be started without end, and that it has finished is more than anybody knows."""
    monkeypatch.setenv(STOP_AFTER, "3")
    for attempt, script in enumerate((first, second), start=1):
        carry_out(directory, "sh", "-c", script, attempt=attempt)
    assert directory.observe().state is ends
    if ends is State.FAILED:
        kind, message = failure_of(directory)
        assert kind == "error"
        assert "of 9 iterations, was to pause after iteration 3, and came no further" in message


def append(*steps: int) -> str:
    """Return a script that appends points with these steps, and nothing else."""
    points = "".join(
        f'{{"key": "loss", "value": 1, "step": {step}, "timestamp": 1}}\\n' for step in steps
    )
    return f"printf '{points}' >> $ORCH_RUN_DIR/metrics.jsonl"


@pytest.mark.parametrize(
    ("iterations", "steps", "state"),
    [
        (9, (0, 1, 2, 3), State.STALE),
        (4, (0, 1, 2, 3), State.STALE),  # step 0 may be a value before the first iteration
        (4, (1, 2, 3, 4), State.DONE),
        (3, (0, 1, 2, 3), State.DONE),
        (3, (), State.DONE),  # it was not to pause before its end
        (9, (0, 1, 2), State.STALE),
        (9, (0, 1), State.STALE),  # it may have stopped by itself: the next attempt shows it
        (9, range(1, 10), State.DONE),  # it does not heed the variable
        (9, (2, 4), State.STALE),
        (9, (100, 200), State.STALE),
        (9, (9,), State.STALE),
        (9, (), State.FAILED),
        (None, (0, 1, 2, 3), State.STALE),
        (None, (1, 2, 3, 4), State.STALE),  # it saves every second iteration
        (None, (1, 2, 3, 4, 5), State.DONE),
        (None, (2, 4, 6), State.STALE),
        (None, (), State.FAILED),
    ],
)
def test_program_that_reports_no_progress_has_paused_by_what_it_has_logged(
    experiment: ExperimentDirectory,
    monkeypatch: pytest.MonkeyPatch,
    iterations: int | None,
    steps: Sequence[int],
    state: State,
) -> None:
    """It is done only if each iteration is a step, and these go on to the end."""
    directory = experiment.create(identify({"iterations": iterations, "x": 1}, {}))
    monkeypatch.setenv(STOP_AFTER, "3")
    carry_out(directory, "sh", "-c", append(*steps))
    assert directory.observe().state is state
    if state is State.STALE:
        assert recorded(directory).paused_after == 3
    if state is State.FAILED:
        assert failure_of(directory)[1] == (
            "it exited with code 0, was to pause after iteration 3, and has reported nothing, so that nobody"
            " knows whether it is done. Report the number of finished iterations in progress.json, and write"
            " results.json at the end."
        )


@pytest.mark.parametrize(
    ("case", "iterations"),
    combined(
        case=[
            ((1, 2, 3), (), "6", State.FAILED),
            ((1, 2, 3), (4, 5), "6", State.STALE),
            ((2,), (4, 6), "6", State.STALE),
            ((1, 2, 3), (), "2", State.STALE),  # it is there already
        ],
        iterations=[None, 9],
    ),
)
def test_program_that_reports_no_progress_has_to_log_something_new(
    experiment: ExperimentDirectory,
    monkeypatch: pytest.MonkeyPatch,
    iterations: int | None,
    case: tuple[Sequence[int], Sequence[int], str, State],
) -> None:
    first, second, told, ends = case
    directory = experiment.create(identify({"iterations": iterations, "x": 1}, {}))
    monkeypatch.setenv(STOP_AFTER, "3")
    carry_out(directory, "sh", "-c", append(*first))
    monkeypatch.setenv(STOP_AFTER, told)
    carry_out(directory, "sh", "-c", append(*second), attempt=2)
    assert directory.observe().state is ends
    if ends is State.FAILED:
        assert failure_of(directory)[1].startswith("it exited with code 0, was to pause after")


@pytest.mark.parametrize(
    ("known", "step"), combined(known=[(None, State.FAILED), (9, State.STALE)], step=[2, 100])
)
def test_program_that_logs_now_and_then_may_log_nothing_up_to_its_next_pause(
    experiment: ExperimentDirectory,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    known: tuple[int | None, State],
) -> None:
    """As long as the last iteration is known, which ends it; told the same twice, it has to log something."""
    iterations, ends = known
    directory = experiment.create(identify({"iterations": iterations, "x": 1}, {}))
    for attempt, told in enumerate(("2", "3"), 1):
        monkeypatch.setenv(STOP_AFTER, told)
        carry_out(directory, "sh", "-c", append(step) if attempt == 1 else "true", attempt=attempt)
    assert directory.observe().state is ends
    if ends is State.STALE:
        carry_out(directory, "true", attempt=3)
        assert directory.observe().state is State.FAILED


@pytest.mark.parametrize(
    ("steps", "after", "ends"),
    [
        ((0, 1, 2, 3, 4), "3", State.STALE),  # step 0 may be a value before, and 4 a late pause
        ((0, 1, 2, 3, 4), "2", State.DONE),
        ((0, 1, 2, 3, 4, 5), "3", State.DONE),
        ((1, 2, 3, 4), "2", State.STALE),
        ((1, 2, 3, 4, 5), "4", State.DONE),
    ],
)
def test_run_that_counts_from_0_is_done_once_no_other_reading_is_left(
    experiment: ExperimentDirectory,
    monkeypatch: pytest.MonkeyPatch,
    steps: Sequence[int],
    after: str,
    ends: State,
) -> None:
    directory = experiment.create(identify({"iterations": 5, "x": 1}, {}))
    monkeypatch.setenv(STOP_AFTER, after)
    carry_out(directory, "sh", "-c", append(*steps))
    assert directory.observe().state is ends


@pytest.mark.parametrize(
    ("again", "iterations"), combined(again=[(), (6, 7)], iterations=[None, 9])
)
def test_what_a_lost_attempt_has_logged_does_not_show_that_a_run_is_done(
    experiment: ExperimentDirectory,
    monkeypatch: pytest.MonkeyPatch,
    iterations: int | None,
    again: Sequence[int],
) -> None:
    """It came to the last iteration, and had not saved it."""
    directory = experiment.create(identify({"iterations": iterations, "x": 1}, {}))
    monkeypatch.setenv(STOP_AFTER, "7")
    carry_out(directory, "sh", "-c", f"{append(*range(1, 10))}; kill -9 $$")
    assert directory.observe().state is State.FAILED
    carry_out(directory, "sh", "-c", append(*again), attempt=2)
    assert directory.observe().is_paused


@pytest.mark.parametrize(
    ("cut", "state", "reason"),
    [
        (Cut.ASKED, State.STALE, "it was asked to stop (it exited with code 0, without results)"),
        (
            Cut.UNKNOWN,
            State.STALE,
            "it was asked to stop by a process that is gone (it exited with",
        ),
        (Cut.OWN, State.FAILED, "one of its own processes asked its runner to stop it"),
        (Cut.TIMEOUT, State.FAILED, "timeout: it took longer than"),
        (Cut.NO_PROGRESS, State.FAILED, "no-progress: no sign of progress for"),
    ],
)
@pytest.mark.parametrize("last_pause", [None, HowFar(2, 2)])
def test_program_that_was_ended_has_not_paused(
    directory: RunDirectory, cut: Cut, state: State, reason: str, last_pause: HowFar | None
) -> None:
    """Nor has it failed because it came no further: it was not let."""
    (directory.path / "progress.json").write_text('{"iteration": 2, "iterations": 9}')
    status = Status(Record.RUNNING, 2, "then", "box", 1)
    program, signs = Command(("true",)), directory.signs_of_the_end()
    begun = Begun(directory.path, program, NO_LIMITS, status, 0, signs, 4, last_pause)
    directory.write_status(judge_attempt(directory, begun, Ending(0, cut), ""))
    seen = directory.observe()
    assert seen.state is state
    assert reason in seen.reason


@pytest.mark.parametrize(
    ("steps", "is_told"),
    [(range(4), False), (range(5), False), (range(1, 6), True), ((10, 20), False), ((), False)],
)
def test_program_without_progress_has_gone_on_if_its_steps_tell(
    directory: RunDirectory, steps: Sequence[int], *, is_told: bool
) -> None:
    """They may begin at 0 or 1, and need not be iterations."""
    lines = [f'{{"key": "loss", "value": 1, "step": {step}}}\n' for step in steps]
    directory.metrics.write_text("".join(lines))
    assert has_gone_on(directory, None, 3) is is_told
