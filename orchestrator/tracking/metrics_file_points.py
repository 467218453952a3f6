"""The metric points of a run, read from its ``metrics.jsonl``, which any program may write."""

from __future__ import annotations

import errno
import json
import math
import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.rundir import durable, records
from orchestrator.tracking.mlflow_names import metric_name

if TYPE_CHECKING:
    from pathlib import Path

CHUNK: Final = 1_000_000
_LONGEST_LINE: Final = 16_384
_TAIL: Final = 64
_INT64: Final = range(-(2**63), 2**63)
_LARGEST: Final = 1.7976931348623157e308  # MLflow's value for infinity


class MetricPoint(NamedTuple):
    """One value of one metric; ``timestamp`` is in milliseconds and never changes."""

    key: str
    value: float
    step: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class FilePosition:
    """A position in a file: the offset in bytes, and a checksum of the last bytes before it."""

    offset: int = 0
    tail: int = 0


START: Final = FilePosition()


@dataclass(frozen=True, slots=True)
class Reading:
    """The points read after a position, and the next position.

    ``garbage`` counts the lines that are not points. ``rewritten`` is set, and nothing was read, if
    the content before the position has changed.
    """

    samples: tuple[MetricPoint, ...]
    place: FilePosition
    garbage: int = 0
    rewritten: bool = False


def read_points(
    path: Path, place: FilePosition, *, is_over: bool, timeless: int, until: int | None = None
) -> Reading:
    """Read the next points of a file, at most a megabyte; none at its end.

    An incomplete last line is still being written, and is left for the next read. The same bytes
    always result in the same points.

    Args:
        path: The file, which need not exist.
        place: The position to read from.
        is_over: Whether no process writes any more, so that the last line is complete.
        timeless: The timestamp, in ms, of points without one.
        until: The offset to stop at; None: the end of the file.
    """
    try:
        descriptor, found = durable.open_plain(path)
    except OSError:
        return Reading((), place)
    try:
        if found.st_size < place.offset or _checksum(descriptor, place.offset) != place.tail:
            return Reading((), FilePosition(), rewritten=True)
        rest = CHUNK if until is None else min(CHUNK, until - place.offset)
        content = os.pread(descriptor, rest, place.offset)
        length = _whole_lines(descriptor, content, place.offset, is_over=is_over)
        lines = content[:length].splitlines()
        parsed = [_parse(line, timeless) for line in lines if line.strip()]
        samples = tuple(sample for sample in parsed if sample)
        end = place.offset + length
        behind = FilePosition(end, _checksum(descriptor, end))
        return Reading(samples, behind, garbage=len(parsed) - len(samples))
    finally:
        os.close(descriptor)


def has_points_after(path: Path, offset: int, *, is_over: bool) -> bool:
    """Return whether there are complete lines after an offset, or the file was rewritten."""
    try:
        descriptor, found = durable.open_plain(path)
    except OSError:
        return False  # without the file there is nothing to read
    try:
        if found.st_size <= offset or is_over:
            return found.st_size != offset
        return _line_end(descriptor, offset) > offset
    finally:
        os.close(descriptor)


def count_points_after(path: Path, offset: int) -> int:
    """Return the number of lines after an offset; holes in a sparse file are skipped."""
    try:
        descriptor, found = durable.open_plain(path)
    except OSError:
        return 0
    try:
        at = offset if offset <= found.st_size else 0
        count = 0
        while piece := os.pread(descriptor, CHUNK, _next_data(descriptor, at)):
            at = _next_data(descriptor, at) + len(piece)
            count += piece.count(b"\n")
        return count
    finally:
        os.close(descriptor)


def finite(number: float) -> float:
    """Return a number as MLflow stores it: NaN stays, infinity becomes the largest float."""
    return number if math.isnan(number) else max(-_LARGEST, min(_LARGEST, number))


def is_same_value(one: float, other: float) -> bool:
    """Return whether MLflow stores the same for both."""
    return one == other or (math.isnan(one) and math.isnan(other))


def _whole_lines(descriptor: int, content: bytes, offset: int, *, is_over: bool) -> int:
    """Return the length of the complete lines."""
    if is_over and len(content) < CHUNK:
        return len(content)
    if end := content.rfind(b"\n") + 1:
        return end
    # A line longer than a chunk is not a point; it is skipped once it is complete.
    return _line_end(descriptor, offset, is_over=is_over) - offset if len(content) == CHUNK else 0


def _line_end(descriptor: int, offset: int, *, is_over: bool = False) -> int:
    """Return the end of the line that begins at an offset; the offset if it is incomplete."""
    at = _next_data(descriptor, offset)
    while piece := os.pread(descriptor, CHUNK, at):
        if (end := piece.find(b"\n")) >= 0:
            return at + end + 1
        at = _next_data(descriptor, at + len(piece))
    return at if is_over else offset


def _next_data(descriptor: int, offset: int) -> int:
    """Return the next offset with data; the holes of a sparse file may span terabytes."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            return offset  # this file system does not support it
        return max(offset, os.fstat(descriptor).st_size)


def _checksum(descriptor: int, offset: int) -> int:
    length = min(_TAIL, offset)
    return zlib.crc32(os.pread(descriptor, length, offset - length)) if length else 0


def _parse(line: bytes, timeless: int) -> MetricPoint | None:
    if len(line) > _LONGEST_LINE:
        return None
    try:
        match json.loads(line):
            case {
                "key": str(key),
                "value": float() | int() | str() as value,
                "step": int(step),
            } as at:
                number = records.as_number(value)
                timestamp = at.get("timestamp")
            case _:
                return None
    except (ValueError, OverflowError, RecursionError):
        return None
    if number is None or step not in _INT64:
        return None
    if not isinstance(timestamp, int) or timestamp not in _INT64 or timestamp < 0:
        timestamp = timeless
    return MetricPoint(metric_name(key), finite(number), int(step), timestamp)
