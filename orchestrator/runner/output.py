"""The output of an attempt: a pipe that never blocks for long, and a log of limited size.

The head and the tail of the output are kept, the bytes in between are counted and dropped. While the
output is large, the tail is held in memory and written to the file twice per second.
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
_LARGEST: Final = 1 << 26  # a larger file was not written by this class
_BETWEEN_WRITES: Final = 0.5
_TAIL_FOR_ERRORS: Final = 1 << 20  # behind an error, thousands of objects may complain
_NOTICE: Final = "\n... {:,} bytes were left out here: a log keeps its beginning and its end ...\n"


class CappedLog:
    """A log file of at most ``head + tail`` bytes, and a line that says how many are missing.

    If the disk is full, the log is incomplete; the attempt continues.
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
        """Append a piece of output."""
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
        """Write the tail to the file if it is due."""
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
    def tail_text(self) -> str:
        """The tail of the output, in which the cause of a failure is searched."""
        return bytes(self._end[-_TAIL_FOR_ERRORS:]).decode(errors="replace")

    def __enter__(self) -> Self:
        """Return the log."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the rest of the tail, and close the file."""
        self.catch_up(now=True)
        self._file.close()


def read_tail(path: Path) -> tuple[bytes, bool]:
    """Return the tail of a log that another process wrote, if any, and whether that is all of it."""
    with contextlib.suppress(OSError):
        descriptor, found = open_plain(path)
        begin = max(0, found.st_size - _TAIL_FOR_ERRORS)
        try:
            return os.pread(descriptor, _TAIL_FOR_ERRORS, begin), begin == 0
        finally:
            os.close(descriptor)
    return b"", True


class Pipe:
    """The pipe that a program writes its output to and its runner reads.

    Only the runner may keep the read end: a program whose runner is dead must not block forever on
    a full pipe.
    """

    def __init__(self, reading: int = -1) -> None:
        """Create a pipe, or wrap the read end of an existing one."""
        self.reading, self.writing = reading, -1
        if reading >= 0:
            return
        self.reading, self.writing = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # the user's limit of pipe memory may be reached
            fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, _PIPE)
        os.set_blocking(self.reading, False)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable with output."""
        return self.reading

    def read(self) -> bytes | None:
        """Return the available output: empty at the end of the file, None if there is none yet."""
        try:
            return os.read(self.reading, _PIPE)
        except BlockingIOError:
            return None

    def close_writing(self) -> None:
        """Close the write end in this process."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close_reading(self) -> None:
        """Close the read end; a program that still writes gets SIGPIPE."""
        if self.reading >= 0:
            os.close(self.reading)
            self.reading = -1

    def __enter__(self) -> Self:
        """Return the pipe."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close both ends."""
        self.close_writing()
        self.close_reading()


class _Unwritable:
    """Takes the place of a log that could not be opened."""

    size = 0

    def write(self, content: bytes, place: int) -> None:
        pass

    def cut(self, size: int) -> None:
        pass

    def close(self) -> None:
        pass


class _File(_Unwritable):
    """A file whose write errors are ignored."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._descriptor = os.open(path, flags, 0o666)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            os.close(self._descriptor)
            raise NotRegularError("it is not a log file")
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


def up_to(error: str, output: str) -> str:
    """Return the output of a program up to the error that ended it, if it told one.

    What it had started may have printed more until it ended.
    """
    before, found, _ = output.rpartition(error) if error else (output, "", "")
    return f"{before}{found}" if found or not error else error
