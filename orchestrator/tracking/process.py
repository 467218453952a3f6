"""The reporter's process, as seen from ``orch run``: started first, asked to end last."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from orchestrator.tracking.delivery import is_behind, read_delivery, store_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.experiment import ExperimentDirectory

_REPORTER: Final = (sys.executable, "-P", "-m", "orchestrator.tracking.reporter")
_LONGEST: Final = 60.0
_SLICE: Final = 0.25
_PATIENCE: Final = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


class ReporterProcess:
    """The reporter of an experiment, in a process of its own."""

    def __init__(self, experiment: ExperimentDirectory, uri: str) -> None:
        self._experiment = experiment
        self._uri = uri
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where the reporter writes what went wrong."""
        return self._experiment.path / "tracking.log"

    def start(self) -> None:
        """Start the reporter and return at once."""
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        # The address may hold a password: it goes through the environment, never the arguments.
        environment = {**_PATIENCE, **os.environ, "ORCH_TRACKING_URI": self._uri}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*_REPORTER, str(self._experiment.results_dir), self._experiment.experiment_id],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def finish(self, give_up: Callable[[], bool]) -> bool:
        """Ask the reporter to send the rest; tell whether everything has arrived.

        If it was killed in the meantime, another one does the rest. The reporter itself ends when
        MLflow fails again and again; ``_LONGEST`` is for an MLflow that does not even fail.

        Args:
            give_up: Tells, when asked, that nobody wants to wait any longer.
        """
        process = self._process
        if process is None or process.poll() is not None:
            process = self._spawn()
        with contextlib.suppress(BrokenPipeError):
            # What is written is only ever this word, so it fits the pipe and never blocks.
            os.write(process.stdin.fileno() if process.stdin else -1, b"end\n")
        deadline = time.monotonic() + _LONGEST
        while time.monotonic() < deadline and not give_up():
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_SLICE) == 0
        process.kill()
        process.wait()
        return False


def count_behind(experiment: ExperimentDirectory, uri: str) -> int:
    """Return how many runs have something to tell that has not arrived yet."""
    name = store_name(uri)
    return sum(
        is_behind(directory, directory.observe(), read_delivery(directory, name))
        for directory in experiment.runs()
    )


def store_uri(experiment: ExperimentDirectory, uri: str | None) -> str:
    """Return the address of the store: the one given, or SQLite under ``results_dir``."""
    return uri or f"sqlite:///{(experiment.results_dir / 'mlflow.db').absolute()}"
