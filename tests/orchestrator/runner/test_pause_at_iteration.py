"""A program that ends after the iteration that it was told has paused; it is not done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attempts import carry_out

from orchestrator.rundir.state import State
from orchestrator.runner.pause_at_iteration import STOP_AFTER, own_stop_after
from orchestrator.runner.runner import Verdict

if TYPE_CHECKING:
    from orchestrator.rundir.directory import RunDirectory

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
        ("3", PROGRESS % (2, 2), State.DONE),
        ("3", f"{PROGRESS % (3, 3)}; {RESULTS}", State.DONE),
        ("3", "true", State.DONE),
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
        assert seen.reason == f"it has paused, {seen.saved} of 9 iterations are saved"


def test_paused_run_is_resumed(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STOP_AFTER, "3")
    assert carry_out(directory, "sh", "-c", PROGRESS % (3, 3)) is Verdict.INTERRUPTED
    monkeypatch.delenv(STOP_AFTER)
    assert own_stop_after() is None
    assert carry_out(directory, "sh", "-c", PROGRESS % (9, 9), attempt=2) is Verdict.DONE
