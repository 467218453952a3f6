"""The handle of the reporter's process in ``orch``: starts it, restarts it, and waits for its end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir import durable
from orchestrator.tracking.delivery_record import (
    count_waiting,
    is_behind,
    read_delivery,
    sqlite_file,
)
from orchestrator.tracking.destination import find_destination, store_uri
from orchestrator.tracking.progress_messages import ProgressMessage, read_newest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from orchestrator.config.orch_settings import Tracking
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory

_REPORTER: Final = (sys.executable, "-P", "-W", "ignore", "-m", "orchestrator.tracking")
_SLICE: Final = 0.05
_MOST_RESTARTS: Final = 20
_BETWEEN_RESTARTS: Final = 5.0
_COMPUTED: Final = 0.1  # seconds of a processor that show that it is at work
_MOST_COMPUTED: Final = 120.0  # more than it takes to import MLflow and to create a store
# MLflow does not retry requests (the reporter does), and sends no telemetry.
MLFLOW_ENVIRONMENT: Final = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "DO_NOT_TRACK": "true",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds to wait for the reporter to finish while it makes no progress.

    ``unheard``: before its first message, while it does not compute either, since it imports MLflow and
    creates the store first; ``working``: without a problem; ``troubled``: with a problem that appeared while finishing; ``hopeless``: with one that
    existed before.
    """

    unheard: float = 60.0
    working: float = 60.0
    troubled: float = 2.5
    hopeless: float = 0.3


# orch sync exists to deliver, so it waits longer; the reporter itself gives up after some attempts.
SYNC_PATIENCE: Final = Patience(unheard=60.0, working=60.0, troubled=45.0, hopeless=45.0)


@dataclass(frozen=True, slots=True)
class Backlog:
    """The number of runs and points that have not arrived yet."""

    runs: int = 0
    points: int = 0

    def __str__(self) -> str:
        """Return it for display; for a run without points, only its state is waiting."""
        runs = f"{self.runs} run{'s' if self.runs != 1 else ''}"
        if not self.points:
            return f"the state of {runs}"
        return f"{self.points} point{'s' if self.points != 1 else ''} of {runs}"


class ReporterProcess:
    """The reporter of an experiment, in its own process."""

    def __init__(self, experiment: ExperimentDirectory, tracking: Tracking) -> None:
        self._experiment = experiment
        self._tracking = tracking
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._heard: ProgressMessage | None = None
        self._before = ProgressMessage()

    @property
    def progress(self) -> ProgressMessage:
        """Its newest message, including what earlier reporters of this ``orch run`` had sent."""
        heard = self._heard or ProgressMessage()
        sent = (self._before.runs + heard.runs, self._before.points + heard.points)
        return ProgressMessage(*sent, heard.behind, heard.problem, heard.beat)

    def start(self, *, end: bool = False) -> None:
        """Start the reporter and return at once; with ``end`` it sends what is there and exits."""
        # The address may contain a password: it is passed in the environment, never as an argument.
        tracking = self._tracking
        switches = {"artifacts": tracking.artifacts, "checkpoint": tracking.checkpoint}
        switches |= {"share": tracking.share, "own": not tracking.uri, "end": end}
        words = [name for name, on in switches.items() if on]
        environment = {
            **MLFLOW_ENVIRONMENT,
            **os.environ,
            "ORCH_TRACKING_URI": store_uri(self._experiment, self._tracking),
            "ORCH_TRACKING_OPTIONS": " ".join(words),
        }
        with _open_log(self._experiment) as log:
            self._process = subprocess.Popen(
                [*_REPORTER, str(self._experiment.results_dir), self._experiment.experiment_id],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        if self._process.stdout:
            os.set_blocking(self._process.stdout.fileno(), False)
        self._started_at = time.monotonic()

    def tend(self) -> None:
        """Restart it if it died; cheap enough to be called frequently."""
        died = self._process is not None and self._process.poll() is not None
        if died and time.monotonic() - self._started_at > _BETWEEN_RESTARTS:
            self._restart(end=False)

    def end_if_idle(self) -> bool:
        """End it if it is still importing MLflow and has nothing to send; return whether it was ended."""
        self._listen()
        if (
            self._process is None
            or self._heard
            or find_backlog(self._experiment, self._tracking).runs
        ):
            return False
        self._end(gave_up="")
        return True

    def finish(self, patience: Patience, give_up: Callable[[], bool]) -> str:
        """Wait until the reporter has sent the rest; return the problem in one line if it could not.

        If it was killed in the meantime, another one sends the rest. Killing it here is harmless:
        what has arrived is recorded.

        Args:
            patience: How long to wait without progress.
            give_up: Returns whether to stop waiting.
        """
        self._listen()
        hopeless = bool(self.progress.problem)
        self._ask_to_end()
        since, last, computed = time.monotonic(), self.progress, 0.0
        restarts = 0
        gave_up = False
        while not (gave_up := give_up()):
            code = self._wait()
            self._listen()
            if code is None:
                if _work(self.progress) != _work(last):
                    since, last, hopeless = time.monotonic(), self.progress, False
                # On a busy machine, the imports and a new store take minutes for seconds of a processor.
                used = self._processor_time()
                if self._heard is None and computed + _COMPUTED < used < _MOST_COMPUTED:
                    since, computed = time.monotonic(), used
                if time.monotonic() - since > self._limit(patience, hopeless=hopeless):
                    break
            elif code == 0 or restarts == _MOST_RESTARTS or (code > 0 and self.progress.problem):
                break
            else:
                restarts += 1
                computed = 0.0
                self._restart(end=True)
        return self._end(gave_up="it was stopped before everything had arrived" if gave_up else "")

    def _limit(self, patience: Patience, *, hopeless: bool) -> float:
        if self._heard is None:
            return patience.unheard
        if not self.progress.problem:
            return patience.working
        return patience.hopeless if hopeless else patience.troubled

    def _ask_to_end(self) -> None:
        if self._process is None:
            self.start(end=True)
        elif self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                # This word is all that is ever written, so it fits into the pipe and never blocks.
                os.write(self._process.stdin.fileno(), b"end\n")

    def _restart(self, *, end: bool) -> None:
        self._listen()
        self._before = _without_problem(self.progress)
        self._heard = None
        self._release()
        self.start(end=end)

    def _wait(self) -> int | None:
        """Return the exit code, if the process exits within ``_SLICE`` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_SLICE) if self._process else 0
        return None

    def _processor_time(self) -> float:
        """Return the seconds of a processor that it has used."""
        with contextlib.suppress(OSError, ValueError):
            pid = self._process.pid if self._process else 0
            _, _, rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")
            return sum(map(int, rest.split()[11:13])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def _listen(self) -> None:
        if self._process and self._process.stdout:
            heard = read_newest(self._process.stdout.fileno(), self._heard or _NO_MESSAGE)
            self._heard = None if heard is _NO_MESSAGE else heard

    def _end(self, gave_up: str) -> str:
        """Make sure that it has exited; return the problem, if any, in one line."""
        process = self._process
        if process is None:
            return ""
        problem = self.progress.problem
        if process.poll() is None:
            process.kill()
            problem = gave_up or problem or "the store takes too long to answer"
        code = process.wait()
        self._release()
        return "" if code == 0 else problem or "the reporter fails, see tracking.log"

    def _release(self) -> None:
        if self._process:
            for stream in (self._process.stdin, self._process.stdout):
                if stream:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()


_NO_MESSAGE: Final = ProgressMessage()


def _open_log(experiment: ExperimentDirectory) -> BinaryIO:
    """Open the log of an experiment's reporters, or the null device if that fails."""
    try:
        descriptor, _ = durable.open_below(experiment.path, "tracking.log", append=True)
    except OSError:
        return open(os.devnull, "wb")  # noqa: PTH123 # a device
    return open(descriptor, "ab")  # noqa: PTH123 # no path


def _work(progress: ProgressMessage) -> tuple[int, int, int]:
    """Return the fields that change whenever a reporter makes progress."""
    return progress.runs, progress.points, progress.beat


def _without_problem(progress: ProgressMessage) -> ProgressMessage:
    """Return what was sent, without the problem."""
    return ProgressMessage(progress.runs, progress.points)


def find_backlog(experiment: ExperimentDirectory, tracking: Tracking) -> Backlog:
    """Return what has not arrived yet, according to the run directories and delivery records.

    A run whose files cannot be read counts as waiting.
    """
    uri = store_uri(experiment, tracking)
    destination = find_destination(experiment, uri, is_own=not tracking.uri)
    is_lost = not _can_exist(uri)
    runs = points = 0
    for run_id, seen in experiment.observe(experiment.run_ids()).items():
        directory = experiment.run(run_id)
        with contextlib.suppress(OSError):
            delivery = None if is_lost else read_delivery(directory, destination)
            if not (is_behind(directory, seen, delivery) and _can_be_sent(directory)):
                continue
            points += count_waiting(directory, delivery)
        runs += 1
    return Backlog(runs, points)


def _can_be_sent(directory: RunDirectory) -> bool:
    """Return whether a run directory is readable; of one that is not, nothing is sent."""
    try:
        directory.read_created_at()
    except RunDirectoryError:
        return False
    return True


def _can_exist(uri: str) -> bool:
    """Return whether the store may exist; the file of a SQLite store may have been removed."""
    file = sqlite_file(uri)
    return file is None or file.exists()
