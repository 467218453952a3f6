"""The reporter's process, as seen from ``orch``: started first, asked to end last."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
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
from orchestrator.tracking.progress_messages import News, hear

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from orchestrator.config.settings import Tracking
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory

_REPORTER: Final = (sys.executable, "-P", "-W", "ignore", "-m", "orchestrator.tracking")
_SLICE: Final = 0.05
_REBIRTHS: Final = 20
_BETWEEN_REBIRTHS: Final = 5.0
# MLflow as this project uses it: it asks once (the reporter repeats), and keeps to itself.
MLFLOW_MANNERS: Final = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "DO_NOT_TRACK": "true",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds without progress the end of the reporter's work is waited for.

    ``unheard``: before it says anything, for it imports MLflow first; ``working``: while nothing
    is wrong; ``troubled``: when something goes wrong at the end; ``hopeless``: when it was wrong
    all along.
    """

    unheard: float = 60.0
    working: float = 60.0
    troubled: float = 2.5
    hopeless: float = 0.3


# Who calls orch sync wants it to arrive; the reporter itself gives up after some tries.
STUBBORN: Final = Patience(unheard=60.0, working=60.0, troubled=45.0, hopeless=45.0)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What has not arrived yet: so many points of so many runs."""

    runs: int = 0
    points: int = 0

    def __str__(self) -> str:
        """Write it for people; a run may wait for its end to be told, with no point."""
        runs = f"{self.runs} run{'s' if self.runs != 1 else ''}"
        if not self.points:
            return f"news of {runs}"
        return f"{self.points} point{'s' if self.points != 1 else ''} of {runs}"


class ReporterProcess:
    """The reporter of an experiment, in a process of its own."""

    def __init__(self, experiment: ExperimentDirectory, tracking: Tracking) -> None:
        self._experiment = experiment
        self._tracking = tracking
        self._process: subprocess.Popen[bytes] | None = None
        self._born = 0.0
        self._heard: News | None = None
        self._before = News()

    @property
    def news(self) -> News:
        """What it has said last; what earlier reporters of this call had sent is counted in."""
        heard = self._heard or News()
        sent = (self._before.runs + heard.runs, self._before.points + heard.points)
        return News(*sent, heard.behind, heard.problem, heard.beat)

    def start(self, *, end: bool = False) -> None:
        """Start the reporter and return at once; with ``end`` it sends what is there and ends."""
        # The address may hold a password: it goes through the environment, never the arguments.
        tracking = self._tracking
        switches = {"artifacts": tracking.artifacts, "checkpoint": tracking.checkpoint}
        switches |= {"own": not tracking.uri, "end": end}
        words = [name for name, on in switches.items() if on]
        environment = {
            **MLFLOW_MANNERS,
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
        self._born = time.monotonic()

    def tend(self) -> None:
        """Start it anew if it died; to be called now and then, at no cost."""
        died = self._process is not None and self._process.poll() is not None
        if died and time.monotonic() - self._born > _BETWEEN_REBIRTHS:
            self._restart(end=False)

    def finish(self, patience: Patience, give_up: Callable[[], bool]) -> str:
        """Have the reporter send the rest; return what is wrong if it could not, in one line.

        If it was killed in the meantime, another one does the rest. Killing it here is harmless:
        what has arrived is remembered.

        Args:
            patience: How long to wait while nothing arrives.
            give_up: Tells, when asked, that nobody wants to wait any longer.
        """
        self._listen()
        hopeless = bool(self.news.problem)
        self._order_end()
        since, last = time.monotonic(), self.news
        births = 0
        gave_up = False
        while not (gave_up := give_up()):
            code = self._wait()
            self._listen()
            if code is None:
                if _work(self.news) != _work(last):
                    since, last, hopeless = time.monotonic(), self.news, False
                if time.monotonic() - since > self._limit(patience, hopeless=hopeless):
                    break
            elif code == 0 or births == _REBIRTHS or (code > 0 and self.news.problem):
                break
            else:
                births += 1
                self._restart(end=True)
        return self._end(gave_up="it was stopped before everything had arrived" if gave_up else "")

    def _limit(self, patience: Patience, *, hopeless: bool) -> float:
        if self._heard is None:
            return patience.unheard
        if not self.news.problem:
            return patience.working
        return patience.hopeless if hopeless else patience.troubled

    def _order_end(self) -> None:
        if self._process is None:
            self.start(end=True)
        elif self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                # What is written is only ever this word, so it fits the pipe and never blocks.
                os.write(self._process.stdin.fileno(), b"end\n")

    def _restart(self, *, end: bool) -> None:
        self._listen()
        self._before = without_problem(self.news)
        self._heard = None
        self._release()
        self.start(end=end)

    def _wait(self) -> int | None:
        """Return the exit code, if the process ends within a moment."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_SLICE) if self._process else 0
        return None

    def _listen(self) -> None:
        if self._process and self._process.stdout:
            heard = hear(self._process.stdout.fileno(), self._heard or _SILENCE)
            self._heard = None if heard is _SILENCE else heard

    def _end(self, gave_up: str) -> str:
        """Make sure that it has ended; return what is wrong, in one line."""
        process = self._process
        if process is None:
            return ""
        problem = self.news.problem
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


_SILENCE: Final = News()


def _open_log(experiment: ExperimentDirectory) -> BinaryIO:
    """Open the log of an experiment's reporters; what it cannot be written to is done without."""
    try:
        descriptor, _ = durable.open_below(experiment.path, "tracking.log", append=True)
    except OSError:
        return open(os.devnull, "wb")  # noqa: PTH123 # a device
    return open(descriptor, "ab")  # noqa: PTH123 # no path


def _work(news: News) -> tuple[int, int, int]:
    """Return what changes whenever a reporter has done a part of its work."""
    return news.runs, news.points, news.beat


def without_problem(news: News) -> News:
    """Return what was sent, without what was wrong."""
    return News(news.runs, news.points)


def look_at_waiting(experiment: ExperimentDirectory, tracking: Tracking) -> Backlog:
    """Return what has not arrived yet, as the run directories and what stands beside them say.

    Where that cannot be told of a run, it waits: whoever sends it finds out.
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
    """Tell whether a run directory says which run it is; of one that does not, nothing is sent."""
    try:
        directory.read_created_at()
    except RunDirectoryError:
        return False
    return True


def _can_exist(uri: str) -> bool:
    """Tell whether there may be a store; one in SQLite is a file, which somebody may remove."""
    file = sqlite_file(uri)
    return file is None or file.exists()
