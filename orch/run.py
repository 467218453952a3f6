"""The run that a program carries out, as the program sees it."""

from __future__ import annotations

import functools
import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from orch.run_dir_writer import MetricsFile, as_json_number, now, replace_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANKS = ("RANK", "SLURM_PROCID")
_STOPPED = 128 + signal.SIGTERM  # what a shell reports of a program that SIGTERM ended


class Run:
    """The run of this program: records its metrics and progress, and tells when to stop.

    Args:
        directory: The run directory; None outside ``orch``.
        writes: Whether anything is written; only one process of a distributed training does.
    """

    def __init__(self, directory: Path | None, *, writes: bool) -> None:
        #: The run directory; None outside ``orch``.
        self.dir = directory
        #: The run ID, and the experiment it belongs to; empty outside ``orch``.
        self.id = os.environ.get("ORCH_RUN_ID", "") if directory else ""
        self.experiment = os.environ.get("ORCH_EXPERIMENT", "") if directory else ""
        #: Which execution of the run this is, counted from 1.
        self.attempt = int(os.environ.get("ORCH_ATTEMPT") or 1) if directory else 1
        self._latest: dict[str, float] = {}
        self._files = directory if writes else None
        self._metrics = None
        if directory is not None and writes:
            self._metrics = MetricsFile(
                directory / "metrics.jsonl", _began(directory, self.attempt)
            )
        self._stop: _StopFlag | None = None
        self._resumes = False
        told = os.environ.get("ORCH_STOP_AFTER", "")
        self._stop_after = int(told) if directory and told.isdecimal() else None
        self._is_pausing = False

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        """Record the values of metrics at a step, in one write.

        A value logged again replaces the previous one. The first value of a metric in a later attempt
        removes what earlier attempts logged of it from that step on, so that steps that a resumed
        program repeats are recorded once.

        Args:
            metrics: Numbers, or anything that ``float`` converts, such as a tensor with one element.
            step: An epoch, an update, or another count; 0 or more.

        Raises:
            TypeError: A name is not a string, a value not a number, or the step not an integer.
            ValueError: The step is negative.
            OSError: The file cannot be written.
        """
        step = _count(step, "step")
        values = _numbers(metrics, "metric")
        self._latest.update(values)
        if self._metrics is not None:
            self._metrics.append(values, step)

    def progress(self, iteration: int, iterations: int, *, saved: int | None = None) -> None:
        """Record how far the run is: ``iteration`` of ``iterations`` are done.

        ``orch`` shows it with the latest metrics, and estimates from it when the grid will be done.
        ``saved`` is the iteration from which the program would resume, if that is another one, or if
        its checkpoints are not in the run directory.

        Raises:
            TypeError: One is not an integer.
            ValueError: One is negative.
            OSError: The file cannot be written.
        """
        after = self._stop_after
        self._is_pausing = after is not None and after <= iteration < iterations
        content: dict[str, Any] = {
            "iteration": _count(iteration, "iteration"),
            "iterations": _count(iterations, "iterations"),
            "metrics": {key: as_json_number(value) for key, value in self._latest.items()},
            "updated_at": now(),
        }
        if saved is not None:
            content["saved"] = _count(saved, "saved")
        if self._resumes:
            content["resumes"] = True
        if self._files is not None:
            replace_json(self._files / "progress.json", content, durable=False)

    def finish(self, results: Mapping[str, Any]) -> None:
        """Record the results of the whole run; it is on disk when this returns.

        Raises:
            TypeError: A name is not a string, or a value not a number.
            OSError: The file cannot be written.
        """
        test = {key: as_json_number(value) for key, value in _numbers(results, "result").items()}
        if self._files is not None:
            replace_json(self._files / "results.json", {"schema": 1, "test": test}, durable=True)

    def checkpoint(self) -> Path | None:
        """Return the newest file or folder in ``checkpoints/`` of the run directory, if there is one.

        A name that ends in ``.tmp`` is ignored: write a checkpoint under such a name and rename it,
        so that a killed program never leaves a partial checkpoint. A program that asks for it is
        expected to continue from it, and ``orch`` says so.
        """
        self._resumes = True
        if self.dir is None:
            return None
        folder = self.dir / "checkpoints"
        if not folder.is_dir():
            return None
        whole = (path for path in folder.iterdir() if path.suffix != ".tmp")
        return max(whole, key=lambda path: path.stat().st_mtime_ns, default=None)

    @property
    def stop_requested(self) -> bool:
        """Whether the run was asked to stop: save a checkpoint then, and call ``stop``.

        It is also asked to, after that iteration, if ``ORCH_STOP_AFTER`` names the one in ``progress``.
        The first use installs a handler for the signal that asks (SIGTERM, or ``orch.stop.signal``),
        which then no longer ends the program by itself.
        """
        if self._stop is None:
            self.listen()
        return self._is_pausing or (self._stop is not None and self._stop.is_set)

    def listen(self) -> None:
        """Install the handler for the signal that asks to stop, or install it again.

        Frameworks install handlers of their own; call this after that.
        """
        if self._stop is None:
            self._stop = _StopFlag()
        if self.dir is not None:
            self._stop.listen()

    def stop(self) -> NoReturn:
        """End the program as one that was asked to stop: the next ``orch run`` resumes the run.

        Raises:
            SystemExit: Always, with the exit code of a program that SIGTERM ended, or 0 if it pauses as
                ``ORCH_STOP_AFTER`` says.
        """
        if self._is_pausing and not (self._stop and self._stop.is_set):
            raise SystemExit(0)
        raise SystemExit(_STOPPED)


class _StopFlag:
    """Remembers that the signal arrived."""

    def __init__(self) -> None:
        self.is_set = False

    def listen(self) -> None:
        """Replace the handler of the signal."""
        number = getattr(signal, os.environ.get("ORCH_STOP_SIGNAL", ""), signal.SIGTERM)
        try:
            signal.signal(number, self._set)
        except ValueError:  # only the main thread may; elsewhere the signal ends the program
            return

    def _set(self, _number: int, _frame: object) -> None:
        self.is_set = True


@functools.lru_cache(maxsize=None)
def current_run() -> Run:
    """Return the run that the environment names."""
    directory = os.environ.get("ORCH_RUN_DIR")
    is_first = all(os.environ.get(name, "0") in ("", "0") for name in _RANKS)
    return Run(Path(directory) if directory else None, writes=bool(directory) and is_first)


def _numbers(values: Mapping[str, Any], what: str) -> dict[str, float]:
    for key in values:
        if not isinstance(key, str):
            raise TypeError(f"the name of a {what} is {key!r}. Make it a string.")
    return {key: float(value) for key, value in values.items()}


def _count(value: object, name: str) -> int:
    try:
        number = value.__index__()  # type: ignore[attr-defined] # TypeError is raised below
    except AttributeError:
        raise TypeError(f"{name} is {value!r}. Make it an integer.") from None
    if number < 0:
        raise ValueError(f"{name} is {number}. Make it 0 or more.")
    return int(number)


def _began(directory: Path, attempt: int) -> int:
    """Return when this attempt started, in ms; 0 for the first attempt."""
    if attempt > 1:
        try:
            status = json.loads((directory / "status.json").read_bytes())
            began = datetime.fromisoformat(status["started_at"])
        except (OSError, ValueError, TypeError, KeyError):
            return time.time_ns() // 1_000_000
        return int(began.timestamp() * 1000)
    return 0
