"""The variables that let a program log to the MLflow run of its attempt."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.mlflow_run_request import Answer, read_answer, ring, write_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Status

# The variables that name the store are handed over under names that no program looks at, since they
# hold only together with the run's ID.
PREFIX: Final = "ORCH_SHARED_"
RUN_ID: Final = "MLFLOW_RUN_ID"
_OTHER_NAME: Final = "MLFLOW_EXPERIMENT_ID"  # MLflow fails if it is not that of the name
PATIENCE: Final = 120.0  # the reporter imports MLflow first, and may have to create the store
_TICK: Final = 0.02
_TOO_LATE: Final = f"MLflow did not answer within {PATIENCE:g} s"


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Return whether the program is to log to the MLflow run of its attempt."""
    return any(name.startswith(PREFIX) for name in environment)


def ask(directory: RunDirectory, status: Status, is_over: Callable[[], bool]) -> Answer:
    """Return the MLflow run that the program logs to; without an ID if none was asked for.

    The status ``running`` is recorded first, as the reporter answers for live runs.

    Raises:
        OSError: The status cannot be written.
    """
    if not is_asked_for(os.environ):
        return Answer(status.attempt)
    directory.write_status(status, named=False)
    return await_answer(directory.path.resolve(), status.attempt, is_over)


def await_answer(
    run_dir: Path, attempt: int, is_over: Callable[[], bool], patience: float = PATIENCE
) -> Answer:
    """Ask for the MLflow run of an attempt, which counts as running, and wait for the answer.

    Args:
        run_dir: The run directory.
        attempt: The number of the attempt.
        is_over: Returns whether to give up, because the user wants the attempt to end.
        patience: How many seconds to wait.
    """
    ring(run_dir)
    until = time.monotonic() + patience
    while not is_over():
        answer = read_answer(run_dir)
        if answer and answer.attempt == attempt:
            return answer
        if time.monotonic() > until:
            answer = Answer(attempt, problem=_TOO_LATE)
            with contextlib.suppress(OSError):  # for those who look at the run later
                write_answer(run_dir, answer)
            return answer
        time.sleep(_TICK)
    return Answer(attempt, problem="it was asked to stop first")


def with_variables(environment: Mapping[str, str], mlflow_run_id: str) -> dict[str, str]:
    """Return the environment of a program; without an ID, as it would be if nothing were shared."""
    own = {name: value for name, value in environment.items() if not name.startswith(PREFIX)}
    if not mlflow_run_id:
        return own
    handed_over = {
        name.removeprefix(PREFIX): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    own.pop(_OTHER_NAME, None)
    return {**own, **handed_over, RUN_ID: mlflow_run_id}
