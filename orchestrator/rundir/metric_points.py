"""The points in ``metrics.jsonl``: one per line; lines that are not points are ignored."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.records import LARGEST, as_metric, as_number, parse
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orchestrator.rundir.records import Metric

_KEY_FIRST: Final = re.compile(rb'\s*\{\s*"key"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")')
# In the line of a point whose step is a count of matches, where other metrics have steps that were printed.
COUNTED: Final = '"counted": true'
_LAST_TIME: Final = 253_402_300_800_000  # the year 10,000
_quote: Final = json.JSONEncoder().encode


def parse_numbers_at(lines: bytes, step: int) -> Mapping[str, float]:
    """Return the metrics that are numbers at one step in lines of ``metrics.jsonl``; the last counts."""
    # Most lines are those of other steps, and need not be parsed.
    this_step = re.compile(rb'"step"\s*:\s*%d\b' % step)
    points = map(parse_point, filter(this_step.search, lines.splitlines()))
    read = ((point[0], as_number(point[1])) for point in points if point and point[2] == step)
    return {key: number for key, number in read if number is not None}


def parse_last_points(lines: bytes, known: Collection[str] = ()) -> Mapping[str, Metric]:
    """Return the last value of each metric in lines of ``metrics.jsonl``; ignore other lines.

    A string counts only if the metric has no number. Of a metric, only as many lines are parsed as it
    takes from the end to find a number, which makes this five times as fast as parsing all of them.
    Lines of metrics that are ``known`` may be left out.
    """
    # Most programs report all of their metrics, so that no line is left; a match costs half of a loop.
    if known and b"\r" not in lines and _lines_of(*known).fullmatch(lines):
        return {}
    skipped = _beginnings(*known)
    split = [line for line in lines.splitlines() if not line.startswith(skipped)]
    names = [begins[1] if (begins := _KEY_FIRST.match(line)) else line for line in split]
    found: dict[bytes, tuple[bool, int, str, Metric] | None] = dict.fromkeys(names)
    for at in range(len(split) - 1, -1, -1):
        before = found[names[at]]
        if (before is None or not before[0]) and (point := parse_point(split[at])):
            is_number = as_number(point[1]) is not None
            if before is None or is_number:
                found[names[at]] = is_number, at, point[0], point[1]
    points = [each for each in found.values() if each]
    last = {key: value for _, _, key, value in sorted(points)}
    return {key: last[key] for _, _, key, _ in points}  # in order of first occurrence


@lru_cache(64)
def _beginnings(*names: str) -> tuple[bytes, ...]:
    """Return how lines of these metrics begin; the runs of a grid have the same metrics."""
    return tuple(f'{{"key": {_quote(name)}, '.encode() for name in names)


@lru_cache(64)
def _lines_of(*names: str) -> re.Pattern[bytes]:
    """Return a pattern of any number of lines of these metrics, which end with a line feed."""
    beginnings = b"|".join(map(re.escape, _beginnings(*names)))
    return re.compile(rb"(?:(?:%s).*\n)*+" % beginnings)


def parse_all_points(lines: bytes) -> Iterator[tuple[str, Metric, int]]:
    """Yield the metric, value and step of each point in lines of ``metrics.jsonl``.

    Lines that are not points, or have a step beyond 64 bits, are left out.
    """
    for point in map(parse_point, lines.splitlines()):
        if point and abs(point[2]) < LARGEST:
            yield point


def parse_last_step(lines: bytes) -> int | None:
    """Return the step of the last point in lines of ``metrics.jsonl``, or None without one.

    Lines are left out as by ``parse_all_points``.
    """
    points = map(parse_point, reversed(lines.splitlines()))
    return next((point[2] for point in points if point and abs(point[2]) < LARGEST), None)


def parse_last_iteration(lines: bytes) -> int | None:
    """Return the step of the last point, as ``parse_last_step``, but of one that is not a mere count.

    Counts are those of matches in the output (``COUNTED``); if there is nothing else, they count.
    """
    mark = COUNTED.encode()
    if mark in lines:
        printed = b"\n".join(line for line in lines.splitlines() if mark not in line)
        if (step := parse_last_step(printed)) is not None:
            return step
    return parse_last_step(lines)


def parse_times(lines: bytes) -> dict[int, float]:
    """Return when the last point of each step was logged, in milliseconds since 1970.

    Lines are left out as by ``parse_all_points``, and those with a time that no calendar has.
    """
    times: dict[int, float] = {}
    for line in lines.splitlines():
        match parse(line):
            case {"step": int(step), "timestamp": int(when) | float(when)}:
                if abs(step) < LARGEST and 0 <= when < _LAST_TIME:
                    times[step] = max(when, times.get(step, when))
    return times


def parse_point(line: bytes) -> tuple[str, Metric, int] | None:
    """Return the metric, value and step in a line of ``metrics.jsonl``; None if it is not a point."""
    match parse(line):
        case {"key": str(key), "value": value, "step": int(step)}:
            metric = as_metric(value)
            return None if metric is None else (printable(key), metric, int(step))
    return None
