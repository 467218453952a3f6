"""The commands of Slurm: starts them without waiting, and keeps "no answer" apart from answers."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from orchestrator.errors import UsageError
from orchestrator.sanitize import one_line
from orchestrator.slurm.durations import parse_time
from orchestrator.slurm.jobs import QUEUE_FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

# sbatch blocks for two minutes where Slurm has too many jobs, the others for ten seconds without it.
_SUBMITTING: Final = 150.0
_ASKING: Final = 30.0
_PAUSE: Final = 0.02
# What they say if they got no answer. Everything else is one.
_NO_ANSWER: Final = re.compile(
    r"(?i)unable to contact|connect failure|connection (refused|reset|timed out)|timed out"
    r"|communication|not responding|zero bytes|slurmctld|temporarily|protocol|munge|credential"
)
# Variables of an allocation that this process runs in would become options of a new one.
_OWN_ALLOCATION: Final = re.compile(r"SLURM_(?!CONF$)|SLURMD_|SBATCH_JOB_NAME$")
_PREFIX: Final = re.compile(r"(?m)^(sbatch|squeue|scancel|slurm_\w+)?:? ?(error|fatal)?:? *")


@dataclass(frozen=True, slots=True)
class SlurmAnswer:
    """What a command of Slurm answered: its output; or why it refused; or ``is_none``: nothing."""

    output: str = ""
    refusal: str = ""
    is_none: bool = False

    @property
    def is_given(self) -> bool:
        """Whether it did what it was asked for."""
        return not (self.refusal or self.is_none)


class Call(Protocol):
    """A started command of Slurm."""

    def poll(self) -> SlurmAnswer | None:
        """Return its answer; None while it runs."""


class StartedCommand:
    """A command that was started; it outlives this process, but not its time limit."""

    def __init__(
        self, words: Sequence[str], seconds: float, given: str = "", keep: Sequence[int] = ()
    ) -> None:
        self._until = time.monotonic() + seconds
        self._output, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        environment = {
            name: value for name, value in os.environ.items() if not _OWN_ALLOCATION.match(name)
        }
        try:
            with tempfile.TemporaryFile() as file:
                file.write(given.encode())
                file.seek(0)
                self._process = subprocess.Popen(
                    words,
                    stdin=file,
                    stdout=self._output,
                    stderr=self._errors,
                    env=environment,
                    pass_fds=keep,
                    start_new_session=True,  # Ctrl-C is for us
                )
        except BaseException:
            self._output.close()
            self._errors.close()
            raise

    def poll(self) -> SlurmAnswer | None:
        """Return its answer; None while it runs. One that takes too long is ended."""
        code = self._process.poll()
        if code is None and time.monotonic() < self._until:
            return None
        if code is None:
            os.killpg(self._process.pid, signal.SIGKILL)  # it has a session of its own
            self._process.wait()
        said, errors = _read(self._output), _read(self._errors)
        if code is None or code < 0:
            return SlurmAnswer(refusal=errors, is_none=True)
        return understand(code, said, errors)


def understand(code: int, output: str, errors: str) -> SlurmAnswer:
    """Return what a command that has ended answered."""
    if code == 0:
        return SlurmAnswer(output or errors)  # sbatch --test-only answers on stderr
    why = one_line(_PREFIX.sub("", errors).strip()) or f"exit code {code}"
    return SlurmAnswer(output, why, is_none=not errors.strip() or bool(_NO_ANSWER.search(errors)))


def _read(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode(errors="replace")


class Slurm:
    """Starts the commands of Slurm, as the user would."""

    def submit(self, arguments: Sequence[str], script: str, lock: int) -> Call:
        """Submit a job; the answer's output is its ID.

        ``lock`` is a descriptor that ``sbatch`` keeps open, so that others see whether it has ended.

        Raises:
            OSError: No process could be started.
        """
        return StartedCommand(["sbatch", "--parsable", *arguments], _SUBMITTING, script, [lock])

    def test(self, arguments: Sequence[str], script: str) -> Call:
        """Ask whether a job could be submitted, and when it would start; nothing is submitted."""
        return StartedCommand(["sbatch", "--test-only", *arguments], _ASKING, script)

    def queue(self, names: Sequence[str]) -> Call:
        """Ask for the jobs with these names; the output is for ``parse_queue``."""
        words = ["squeue", "-h", "-r", "-t", "all", "-o", QUEUE_FORMAT, f"--name={','.join(names)}"]
        return StartedCommand(words, _ASKING)

    def cancel(self, names: Sequence[str], *, only_pending: bool) -> Call:
        """Cancel the jobs with these names."""
        pending = ["--state=PENDING"] if only_pending else []
        return StartedCommand(["scancel", *pending, f"--name={','.join(names)}"], _ASKING)

    def time_left(self, job: str) -> Call:
        """Ask how much time a job has left; the output is for ``parse_time``."""
        return StartedCommand(["squeue", "-h", "-j", job, "-o", "%L"], _ASKING)


def wait_for(call: Call, give_up: Callable[[], bool] = bool) -> SlurmAnswer:
    """Wait for the answer of a command; no answer if ``give_up`` returns true first."""
    while (answer := call.poll()) is None:
        if give_up():
            return SlurmAnswer(is_none=True)
        time.sleep(_PAUSE)
    return answer


def require_slurm() -> None:
    """Check that this host can submit jobs.

    Raises:
        UsageError: It cannot.
    """
    for command in ("sbatch", "squeue", "scancel"):
        if shutil.which(command) is None:
            raise UsageError(
                f"orch.slurm: {command} is not on the PATH. Start this on a host of the cluster that"
                " submits jobs, or remove orch.slurm to execute the runs here."
            )


def time_left(environment: Mapping[str, str], now: float, slurm: Slurm) -> float | None:
    """Return the seconds until the job that this process runs in ends; None without an end.

    ``now`` is the time in seconds since 1970.
    """
    job = environment.get("SLURM_JOB_ID")
    if not job:
        return None
    with contextlib.suppress(ValueError):  # it is set by Slurm 23.02 and newer
        return float(environment.get("SLURM_JOB_END_TIME", "")) - now
    try:
        answer = wait_for(slurm.time_left(job))
    except OSError:
        return None
    return parse_time(answer.output.strip()) if answer.is_given else None
