"""The points of a run: what stands in its ``metrics.jsonl``, whoever wrote it and however."""

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
_LARGEST: Final = 1.7976931348623157e308  # what MLflow keeps for infinity


class MetricPoint(NamedTuple):
    """One value of one metric; ``timestamp`` is in milliseconds and never changes."""

    key: str
    value: float
    step: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read: the bytes before, and a checksum of the last of them."""

    offset: int = 0
    tail: int = 0


START: Final = Place()


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read behind a place, and the place behind it.

    ``garbage`` counts the lines that are no point; ``rewritten`` says that what stood before the
    place does not stand there any more, so nothing was read.
    """

    samples: tuple[MetricPoint, ...]
    place: Place
    garbage: int = 0
    rewritten: bool = False


def read_points(
    path: Path, place: Place, *, is_over: bool, timeless: int, until: int | None = None
) -> Reading:
    """Read the next points of a file, a megabyte at most; at its end, there are none.

    A last line without its end is still being written and waits for the next time. The same bytes
    give the same points, whenever they are read.

    Args:
        path: The file, which need not exist.
        place: Where to go on.
        is_over: Whether nobody writes any more, so that the last line needs no end.
        timeless: The timestamp, in ms, of points that have none of their own.
        until: Where to stop, if not at the end of the file.
    """
    try:
        descriptor, found = durable.open_plain(path)
    except OSError:
        return Reading((), place)
    try:
        if found.st_size < place.offset or _checksum(descriptor, place.offset) != place.tail:
            return Reading((), Place(), rewritten=True)
        rest = CHUNK if until is None else min(CHUNK, until - place.offset)
        content = os.pread(descriptor, rest, place.offset)
        length = _whole_lines(descriptor, content, place.offset, is_over=is_over)
        lines = content[:length].splitlines()
        parsed = [_parse(line, timeless) for line in lines if line.strip()]
        samples = tuple(sample for sample in parsed if sample)
        end = place.offset + length
        behind = Place(end, _checksum(descriptor, end))
        return Reading(samples, behind, garbage=len(parsed) - len(samples))
    finally:
        os.close(descriptor)


def has_points_behind(path: Path, offset: int, *, is_over: bool) -> bool:
    """Tell whether something stands behind an offset that can be read, or the file was rewritten."""
    try:
        descriptor, found = durable.open_plain(path)
    except OSError:
        return False  # what is not there cannot be read, whatever was read before
    try:
        if found.st_size <= offset or is_over:
            return found.st_size != offset
        return _line_end(descriptor, offset) > offset
    finally:
        os.close(descriptor)


def count_points_behind(path: Path, offset: int) -> int:
    """Return how many lines stand behind an offset; what was never written is passed over."""
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
    """Return a number as MLflow keeps it: NaN stays, and infinity is the largest there is."""
    return number if math.isnan(number) else max(-_LARGEST, min(_LARGEST, number))


def is_same_value(one: float, other: float) -> bool:
    """Tell whether MLflow keeps the same for both."""
    return one == other or (math.isnan(one) and math.isnan(other))


def _whole_lines(descriptor: int, content: bytes, offset: int, *, is_over: bool) -> int:
    """Return the length of what can be read now."""
    if is_over and len(content) < CHUNK:
        return len(content)
    if end := content.rfind(b"\n") + 1:
        return end
    # A line longer than all that was read is no point; it is passed over as soon as it ends.
    return _line_end(descriptor, offset, is_over=is_over) - offset if len(content) == CHUNK else 0


def _line_end(descriptor: int, offset: int, *, is_over: bool = False) -> int:
    """Return the offset behind the line that begins at an offset; itself, if it has no end yet."""
    at = _next_data(descriptor, offset)
    while piece := os.pread(descriptor, CHUNK, at):
        if (end := piece.find(b"\n")) >= 0:
            return at + end + 1
        at = _next_data(descriptor, at + len(piece))
    return at if is_over else offset


def _next_data(descriptor: int, offset: int) -> int:
    """Return where something was written at or behind an offset: a sparse file has terabytes of nothing."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            return offset  # this file system does not tell
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
