"""The exit code of ``orch run`` follows from how its runs ended."""

from typing import Any

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.run_ending import exit_code
from orchestrator.execution.events import Ended, ExecutionResult
from orchestrator.grid.identity import identify
from orchestrator.rundir.state import State


def result(*states: State, left: int = 0, stopped: bool = False) -> ExecutionResult:
    runs = [identify({"seed": seed}, {}) for seed in range(len(states))]
    ended: dict[Any, Ended] = {
        run.run_id: Ended(run, state, "", 1.0, executed=True)
        for run, state in zip(runs, states, strict=True)
    }
    return ExecutionResult(ended, left=left, stopped=stopped)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (result(), ExitCode.DONE),
        (result(State.DONE), ExitCode.DONE),
        (result(State.DONE, State.FAILED), ExitCode.FAILED),
        (result(State.DONE, left=1), ExitCode.LEFT),
        # The gravest one counts.
        (result(State.FAILED, left=1), ExitCode.FAILED),
        (result(State.FAILED, left=1, stopped=True), ExitCode.INTERRUPTED),
    ],
)
def test_exit_code_follows_from_the_ends(outcome: ExecutionResult, code: ExitCode) -> None:
    assert exit_code(outcome) == code
