"""The output of an attempt: a pipe that never blocks for long, and a log that cannot fill the disk.

The beginning and the end of the output are kept, what lies between is counted and dropped. While
output floods in, the end is held in memory and written to its place twice a second.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from typing import TYPE_CHECKING, Final, Self

from orchestrator.rundir.durable import NotRegularError, make_folder, open_plain

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

HEAD: Final = 4 << 20
TAIL: Final = 4 << 20
_PIPE: Final = 1 << 20
_LARGEST: Final = 1 << 26  # what is larger was not written by an earlier attempt of this number
_BETWEEN_WRITES: Final = 0.5
_LAST_WORDS: Final = 64 << 10
_NOTICE: Final = "\n... {:,} bytes were left out here: a log keeps its beginning and its end ...\n"


class CappedLog:
    """A log file of at most ``head + tail`` bytes, and a line that says what is missing.

    A disk that takes nothing more costs the log its end, and the attempt nothing.
    """

    def __init__(self, path: Path, *, head: int = HEAD, tail: int = TAIL) -> None:
        self._head = head
        self._tail = tail
        self._file = _Unwritable()
        with contextlib.suppress(OSError):
            make_folder(path.parent)
            self._file = _File(path)
        self._end = bytearray()
        self._seen = self._file.size
        self._written_at = 0.0
        self.is_behind = False

    def add(self, piece: bytes) -> None:
        """Take the next piece of output."""
        room = max(0, self._head - self._seen)
        self._file.write(piece[:room], self._seen)
        self._seen += len(piece)
        self._end += piece
        if len(self._end) > 2 * self._tail:
            del self._end[: -self._tail]
        if len(piece) > room:
            self.is_behind = True
            self.catch_up()

    def catch_up(self, *, now: bool = False) -> None:
        """Bring the file's end up to date, not too often."""
        moment = time.monotonic()
        if self.is_behind and (now or moment > self._written_at + _BETWEEN_WRITES):
            beyond = self._seen - self._head
            end = bytes(self._end[-min(self._tail, beyond) :])
            left_out = beyond - len(end)
            notice = _NOTICE.format(left_out).encode() if left_out else b""
            self._file.write(notice + end, self._head)
            self._file.cut(self._head + len(notice) + len(end))
            self._written_at = moment
            self.is_behind = False

    @property
    def last_words(self) -> str:
        """The end of the output, as far as it is of use for saying what went wrong."""
        return bytes(self._end[-_LAST_WORDS:]).decode(errors="replace")

    def __enter__(self) -> Self:
        """Take output."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is still missing."""
        self.catch_up(now=True)
        self._file.close()


def read_end(path: Path) -> str:
    """Return the end of a log that another process has written; nothing where there is none."""
    with contextlib.suppress(OSError):
        descriptor, found = open_plain(path)
        try:
            piece = os.pread(descriptor, _LAST_WORDS, max(0, found.st_size - _LAST_WORDS))
        finally:
            os.close(descriptor)
        return piece.decode(errors="replace")
    return ""


class Pipe:
    """What a program writes its output to, and the runner reads.

    Only the runner may keep the reading end: a program whose runner is dead must not block for
    ever on a pipe that nobody empties.
    """

    def __init__(self, reading: int = -1) -> None:
        """Make a pipe, or read one whose writing end is the program's alone."""
        self.reading, self.writing = reading, -1
        if reading >= 0:
            return
        self.reading, self.writing = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # a user may have used up what the kernel grants
            fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, _PIPE)
        os.set_blocking(self.reading, False)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable with the output."""
        return self.reading

    def read(self) -> bytes | None:
        """Return what is there: nothing once all writers are gone, None while there may be more."""
        try:
            return os.read(self.reading, _PIPE)
        except BlockingIOError:
            return None

    def close_writing(self) -> None:
        """Leave the writing to the program."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close_reading(self) -> None:
        """Read no more; a program that still writes is told so by the system."""
        if self.reading >= 0:
            os.close(self.reading)
            self.reading = -1

    def __enter__(self) -> Self:
        """Read what the program writes."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave neither end open."""
        self.close_writing()
        self.close_reading()


class _Unwritable:
    """Stands for a log that could not be opened."""

    size = 0

    def write(self, content: bytes, place: int) -> None:
        pass

    def cut(self, size: int) -> None:
        pass

    def close(self) -> None:
        pass


class _File(_Unwritable):
    """A file that is written for as long as the disk takes it."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._descriptor = os.open(path, flags, 0o666)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            os.close(self._descriptor)
            raise NotRegularError("it is not a log")
        self.size = found.st_size

    def write(self, content: bytes, place: int) -> None:
        with contextlib.suppress(OSError):
            while content:
                written = os.pwrite(self._descriptor, content, place)
                content, place = content[written:], place + written

    def cut(self, size: int) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        os.close(self._descriptor)
