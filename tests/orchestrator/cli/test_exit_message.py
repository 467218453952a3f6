"""The exit code of ``orch run`` follows from how its runs ended."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.exit_message import describe_left, describe_pauses, exit_code
from orchestrator.execution.events import Ended, ExecutionResult, Pauses
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
        # Runs that others were better than are not left.
        (replace(result(State.DONE), paused=8), ExitCode.DONE),
        (replace(result(State.FAILED, left=1), is_misused=True), ExitCode.WRONG),
    ],
)
def test_exit_code_follows_from_the_ends(outcome: ExecutionResult, code: ExitCode) -> None:
    assert exit_code(outcome) == code


def test_runs_of_another_command_that_go_on_are_told() -> None:
    """Ctrl-C does not reach them."""
    options = parse_arguments(["run", "lr=1"])
    assert describe_left(result(left=4), options) == "4 left, the same command continues them"
    assert describe_left(replace(result(left=4), elsewhere=2), options) == (
        "4 left, the same command continues them; 2 of them, begun by another orch run, go on until orch stop lr=1"
    )


@pytest.mark.parametrize(
    ("pauses", "told"),
    [
        (Pauses(), ""),
        (Pauses(3), ""),  # nothing is known
        (Pauses(1, 0.094), "1 pause, each took about 0.09 s of a slot beyond its iterations"),
        (Pauses(12, 75.0), "12 pauses, each took about 75 s of a slot beyond its iterations"),
    ],
)
def test_price_of_a_pause_is_told_where_it_is_known(pauses: Pauses, told: str) -> None:
    assert describe_pauses(pauses) == told
