"""Following a log: the output of a run, from attempt to attempt, while a process executes it."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.rundir import durable
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from orchestrator.execution.stop_requests import StopRequests
    from orchestrator.rundir.directory import RunDirectory

_PIECE: Final = 1 << 16
_LARGEST: Final = 1 << 26  # far more than orch keeps of a log
_PAUSE: Final = 0.2


class Following:
    """The output of a run while it is written: one attempt, or the last one and all later ones.

    ``tail`` is the number of lines to print of the first log; None: all.
    """

    def __init__(
        self,
        directory: RunDirectory,
        stop: StopRequests,
        attempt: int | None = None,
        tail: int | None = None,
    ) -> None:
        folder = directory.path.parents[1]
        self._experiment = ExperimentDirectory(folder.parent, folder.name)
        self._directory = directory
        self._stop = stop
        self._attempt = attempt
        self._tail = tail

    def pieces(self) -> Iterator[bytes]:
        """Yield the output, polling five times per second, until no process writes any more.

        Raises:
            UsageError: There is no log, and no process executes the run.
        """
        path = self._first()
        while path is not None and not self._is_stopped():
            with open_log(path) as file:
                if self._tail is not None:
                    seek_to_tail(file, self._tail)
                    self._tail = None
                yield from self._follow(file, path)
            path = self._next(path)

    def _first(self) -> Path | None:
        """Wait for the first log and return it; None if the user stopped waiting."""
        while not self._is_stopped():
            is_over = self._is_over()
            try:
                return choose_log(self._directory, self._attempt)
            except UsageError:
                if is_over:
                    raise
            select.select([self._stop], [], [], _PAUSE)
        return None

    def _is_stopped(self) -> bool:
        return self._stop.asked

    def _follow(self, file: BinaryIO, path: Path) -> Iterator[bytes]:
        """Yield the output of an attempt until it is over or the next one has begun."""
        while not self._is_stopped():
            # Checked before reading, so that everything an attempt writes before it ends is read.
            is_last = self._is_over() or self._next(path) is not None
            if file.tell() > os.fstat(file.fileno()).st_size:
                file.seek(0, os.SEEK_END)  # a full log was truncated, and is written on at its end
            for piece in read(file):
                yield piece
                if self._is_stopped():
                    return
            if is_last:
                return
            select.select([self._stop], [], [], _PAUSE)

    def _is_over(self) -> bool:
        """Return whether no more output can follow; between attempts and in pauses, it can."""
        is_executed = self._experiment.is_executed()
        seen = self._directory.observe()
        if seen.state is State.RUNNING:
            return self._attempt is not None and seen.attempts > self._attempt
        is_of_past = self._attempt is not None and seen.attempts >= self._attempt
        return seen.state is State.DONE or is_of_past or not is_executed

    def _next(self, path: Path) -> Path | None:
        """Return the log of the next attempt, if it has begun and is followed."""
        if self._attempt is not None:
            return None
        logs = self._directory.attempt_logs()
        later = logs[logs.index(path) + 1 :] if path in logs else logs[-1:]
        return later[0] if later and later[0] != path else None


def choose_log(directory: RunDirectory, attempt: int | None) -> Path:
    """Return the log of an attempt of a run, of the last one if ``attempt`` is None.

    Raises:
        UsageError: There is no such log.
    """
    found = directory.attempt_logs()
    if not found:
        raise UsageError(
            f"run {directory.run_id} has no log: {directory.observe().reason.removesuffix('.')}."
        )
    if attempt is None:
        return found[-1]
    chosen = directory.attempt_log(attempt)
    if chosen not in found:
        there = ", ".join(path.name for path in found)
        raise UsageError(
            f"run {directory.run_id} has no log of attempt {attempt}: it has {there}. Choose one."
        )
    return chosen


def open_log(path: Path) -> BinaryIO:
    """Open a log for reading.

    Raises:
        UsageError: It cannot be read, is not a regular file, or is too large to be a log.
    """
    try:
        descriptor, found = durable.open_below(path.parents[1], f"{path.parent.name}/{path.name}")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}.") from None
    if found.st_size > _LARGEST:
        os.close(descriptor)
        raise UsageError(
            f"{path}: it has {found.st_size:,} bytes, but orch truncates logs at {_LARGEST:,}."
            " Another program wrote it: open it with a pager."
        )
    return open(descriptor, "rb")  # noqa: PTH123 # no path


def read(file: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of a file in pieces."""
    while piece := file.read(_PIECE):
        yield piece


def seek_to_tail(file: BinaryIO, lines: int) -> None:
    """Seek to the beginning of the last ``lines`` lines of a file, reading only these."""
    place = file.seek(0, os.SEEK_END)
    missing = lines + 1  # the line break at the end of the file does not separate lines
    while place > 0:
        size = min(_PIECE, place)
        place -= size
        file.seek(place)
        piece = file.read(size)
        if place + size == file.seek(0, os.SEEK_END) and not piece.endswith(b"\n"):
            missing -= 1
        found = piece.count(b"\n")
        if found >= missing:
            at = len(piece)
            for _ in range(missing):
                at = piece.rindex(b"\n", 0, at)
            file.seek(place + at + 1)
            return
        missing -= found
    file.seek(0)
