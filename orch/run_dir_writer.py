"""The files that a program writes into its run directory; a killed program leaves them readable."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_BLOCK = 1 << 16


class MetricsFile:
    """``metrics.jsonl``: one point per line, each (key, step) once.

    The file is opened with the first point. Threads may share it, and so may processes that log
    different metrics or steps.

    Args:
        path: The file.
        since: When this attempt started, in ms; points with an earlier timestamp are of earlier ones.
    """

    def __init__(self, path: Path, since: int) -> None:
        self._path = path
        self._since = since
        self._descriptor = -1
        self._lock = threading.Lock()
        self._was_empty = True
        self._last: dict[str, int] = {}  # the highest step that this process logged of a metric
        self._unordered: dict[str, set[int]] = {}  # all of them, where they do not ascend

    def append(self, values: Mapping[str, float], step: int) -> None:
        """Append the points of a step in one write.

        Raises:
            OSError: The file cannot be written.
        """
        timestamp = time.time_ns() // 1_000_000
        lines = [
            f'{{"key": {_quote(key)}, "value": {_encode(value)}, '
            f'"step": {step}, "timestamp": {timestamp}}}\n'
            for key, value in values.items()
        ]
        with self._lock:
            if self._descriptor < 0:
                self._open()
            first = set() if self._was_empty else {key for key in values if key not in self._last}
            again = {key for key in values if self._logged_before(key, step)}
            if first or again:
                self._take_back(first, again, step)
            _write_all(self._descriptor, "".join(lines).encode())
            for key in values:
                self._last[key] = max(step, self._last.get(key, step))

    def _open(self) -> None:
        """Open the file, and truncate a partial last line that a killed attempt left."""
        descriptor = os.open(self._path, _APPEND, 0o666)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):  # a pipe would be full at some time
            os.close(descriptor)
            raise OSError(errno.EEXIST, "it is not a regular file", str(self._path))
        self._descriptor = descriptor
        at = size = found.st_size
        self._was_empty = size == 0
        while at:
            start = max(0, at - _BLOCK)
            newline = os.pread(self._descriptor, at - start, start).rfind(b"\n")
            if newline >= 0 or not start:
                if start + newline + 1 < size:
                    os.ftruncate(self._descriptor, start + newline + 1)
                return
            at = start

    def _logged_before(self, key: str, step: int) -> bool:
        """Return whether this process logged a metric at a step; cheap if its steps ascend."""
        if step > self._last.get(key, -1):
            if key in self._unordered:
                self._unordered[key].add(step)
            return False
        if key not in self._unordered:
            places = (_read_place(line) for line in self._lines())
            self._unordered[key] = {at for found, at, _ in places if found == key}
        known = step in self._unordered[key]
        self._unordered[key].add(step)
        return known

    def _take_back(self, first: set[str], again: set[str], step: int) -> None:
        """Remove the points that are about to be logged again.

        For a metric that this process logs for the first time, these include all points of earlier
        attempts from the step on.
        """

        def is_replaced(line: bytes) -> bool:
            key, at, timestamp = _read_place(line)
            if key in first and at > step:
                return timestamp < self._since
            return at == step and (key in first or key in again)

        lines = self._lines()
        kept = [line for line in lines if not is_replaced(line)]
        if len(kept) < len(lines):
            _replace(self._path, b"".join(kept), durable=True)
            os.close(self._descriptor)
            self._descriptor = os.open(self._path, _APPEND, 0o666)

    def _lines(self) -> list[bytes]:
        with self._path.open("rb") as file:
            return file.readlines()


def replace_json(path: Path, content: Mapping[str, Any], *, durable: bool) -> None:
    """Replace a JSON file so that readers find the old content or the new one, never a part.

    With ``durable`` it is on disk when this returns.

    Raises:
        OSError: The file cannot be written; the old one is unchanged.
    """
    text = json.dumps(content, allow_nan=False) + "\n"
    _replace(path, text.encode(), durable=durable)


def as_json_number(value: float) -> float | str:
    """Return a number as JSON can represent it: ``NaN`` and the infinities become strings."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def now() -> str:
    """Return the time in ISO 8601, in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


_quote = json.JSONEncoder().encode


def _encode(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'"{as_json_number(value)}"'


def _read_place(line: bytes) -> tuple[str | None, int, int]:
    """Return the key, step and timestamp of a line; the key is None if the line is not a point."""
    try:
        point = json.loads(line)
        return str(point["key"]), int(point["step"]), int(point.get("timestamp", 0))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, -1, 0


def _replace(path: Path, content: bytes, *, durable: bool) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    # Of a killed process with the same ID, in a container for example; or a link, which is not followed.
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, _NEW, 0o666)
    try:
        try:
            _write_all(descriptor, content)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 # the system call is meant
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
