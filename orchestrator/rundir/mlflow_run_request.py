"""The request of an attempt for the MLflow run that its program logs to, and the answer to it.

The runner of the attempt asks and waits; the reporter answers in a file beside the run directory. A
named pipe wakes the reporter, so that the program need not wait for its next round.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.rundir import durable, records

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER: Final = "tracking"
_BELL: Final = "bell"
_SUFFIX: Final = ".request.json"


class Answer(NamedTuple):
    """The MLflow run of an attempt, or why its program has to do without."""

    attempt: int
    mlflow_run_id: str = ""
    problem: str = ""


def read_answer(run_dir: Path) -> Answer | None:
    """Return the newest answer for a run; None if there is none yet."""
    with contextlib.suppress(OSError):
        match records.parse(durable.read_file(_file(run_dir))):
            case {"attempt": int(attempt), "mlflow_run_id": str(run), "problem": str(problem)}:
                return Answer(attempt, run, problem)
    return None


def write_answer(run_dir: Path, answer: Answer) -> None:
    """Replace the answer for a run.

    Raises:
        OSError: It cannot be written.
    """
    durable.make_folder(_file(run_dir).parent)
    durable.write_file(_file(run_dir), records.dump(answer._asdict()), lasting=False)


def describe_problem(run_dir: Path, attempt: int) -> tuple[str, ...]:
    """Return one line if the program of an attempt had to do without its MLflow run."""
    answer = read_answer(run_dir)
    if answer is None or answer.attempt != attempt or not answer.problem:
        return ()
    return (f"attempt {attempt} ran without MLFLOW_RUN_ID: {answer.problem}",)


def ring(run_dir: Path) -> None:
    """Wake the reporter of the run's experiment, if there is one."""
    path = run_dir.parents[1] / _FOLDER / _BELL
    with contextlib.suppress(OSError):
        bell = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(bell).st_mode):
                os.write(bell, b"!")
        os.close(bell)


class Bell:
    """The end of the named pipe on which a reporter listens; without one, it just looks regularly."""

    def __init__(self, experiment: Path) -> None:
        self._path = experiment / _FOLDER / _BELL
        self._has_tried = False
        self.descriptors: tuple[int, ...] = ()

    def listen(self) -> None:
        """Begin to listen; from the second call on, do nothing."""
        if self._has_tried:
            return
        self._has_tried = True
        with contextlib.suppress(OSError):
            durable.make_folder(self._path.parent)
            with contextlib.suppress(FileExistsError):
                os.mkfifo(self._path, 0o600)
            # Open for writing as well: otherwise it would be at its end whenever nobody rings.
            bell = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            if stat.S_ISFIFO(os.fstat(bell).st_mode):
                self.descriptors = (bell,)
            else:
                os.close(bell)

    def silence(self) -> None:
        """Forget who has rung so far."""
        for bell in self.descriptors:
            with contextlib.suppress(BlockingIOError):
                while os.read(bell, 4096):
                    pass

    def close(self) -> None:
        """Stop listening."""
        for bell in self.descriptors:
            os.close(bell)
        self.descriptors = ()


def _file(run_dir: Path) -> Path:
    return run_dir.parents[1] / _FOLDER / f"{run_dir.name}{_SUFFIX}"
