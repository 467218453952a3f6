"""The answers to runners that wait for the MLflow runs of their attempts."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.mlflow_run_request import Answer, write_answer
from orchestrator.rundir.state import State
from orchestrator.tracking.delivery_record import state_to_report

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.rundir.state import Observation
    from orchestrator.tracking.delivery_record import Delivery

_TRIES: Final = 2  # until a runner is told that MLflow is not there

logger = logging.getLogger(__name__)


class Answers:
    """Answers each attempt once."""

    def __init__(self) -> None:
        self._answered: dict[Path, int] = {}
        self._failures: Counter[tuple[Path, int]] = Counter()

    def give(
        self, run_dir: Path, seen: Observation, delivery: Delivery | None, problem: str
    ) -> None:
        """Answer the runner of a live attempt, if its MLflow run exists, or cannot be created.

        Args:
            run_dir: The run directory.
            seen: How the run stands.
            delivery: What has arrived of it.
            problem: Why MLflow could not be told that the attempt runs, if it could not.
        """
        attempt = seen.attempts
        if seen.state is not State.RUNNING or self._answered.get(run_dir) == attempt:
            return
        if delivery is not None and delivery.told == state_to_report(seen):
            answer = Answer(attempt, mlflow_run_id=delivery.mlflow_run_id)
        elif problem:
            self._failures[run_dir, attempt] += 1
            if self._failures[run_dir, attempt] < _TRIES:
                return
            answer = Answer(attempt, problem=problem)
        else:
            return
        try:
            write_answer(run_dir, answer)
        except OSError as error:
            logger.warning("%s: the runner gets no answer: %s", run_dir, error)
            return
        self._answered[run_dir] = attempt
