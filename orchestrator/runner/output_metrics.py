"""Metrics in the output of a program that cannot be changed: patterns find them, line by line.

The points are appended to ``metrics.jsonl``. A line that a carriage return overwrites counts as a line.
The cost per line is limited: long lines are skipped, and a pattern that takes too long is given up.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, metric_points, records

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path
    from types import FrameType

STEP: Final = "step"
_LONGEST: Final = 4096  # characters of a line
_MOST: Final = 1 << 16  # bytes of a piece of output; of a flood, the end counts
_LIMIT: Final = 0.1  # seconds of the processor for a pattern on one line: others may keep it busy
_QUIET: Final = 1.0  # seconds until a point is written that may still be overwritten
_LINE: Final = re.compile(rb"(?<![^\r\n])([^\r\n]*)(\r?\n|\r)")
_AROUND: Final = ",;:()[]{}%"


class _TooSlowError(Exception):
    """A pattern took too long on a line."""


@dataclass(slots=True)
class _Pending:
    """A point that is not written yet; ``since`` is when its value was read.

    ``is_counted``: its step is the number of matches, while other patterns find steps.
    """

    step: int
    value: float
    since: float
    is_counted: bool


class OutputMetrics:
    """Finds the metrics in the output of one attempt, and writes them.

    The points of a step replace those that an earlier attempt wrote of that step and later ones. Of
    several values of a step in a row, the last one counts.

    Args:
        patterns: Regular expressions; the named groups are metrics, and ``step``. Without ``step``,
            the matches of a pattern are counted, from 1.
        path: ``metrics.jsonl``.
    """

    def __init__(self, patterns: Sequence[str], path: Path) -> None:
        self._path = path
        with warnings.catch_warnings():  # Python's plans for such patterns
            warnings.simplefilter("ignore")
            compiled = [re.compile(pattern) for pattern in patterns]
        self._has_steps = any(STEP in pattern.groupindex for pattern in compiled)
        self._begin(compiled)

    def _begin(self, patterns: Sequence[re.Pattern[str]]) -> None:
        self._patterns = list(patterns)
        self._counts = {pattern.pattern: 0 for pattern in patterns}
        self._rest = b""
        self._pending: dict[str, _Pending] = {}
        self._written: dict[str, set[int]] = {}
        self._replayed: dict[tuple[str, int], _Pending] | None = None

    @property
    def found_any(self) -> bool:
        """Whether a line had metrics."""
        return bool(self._written or self._pending)

    def recover(self, log: bytes, *, is_whole: bool, continues: bool) -> None:
        """Write what a log has and the file lacks, since the process that read the output was killed.

        Args:
            log: The log of the earlier attempt, or of this attempt so far: the whole or its end.
            is_whole: Whether it is the whole log; matches can be counted in that only.
            continues: Whether it is of this attempt: what follows continues its last line.
        """
        patterns = list(self._patterns)
        found = self._replayed = {}
        known = self._read_whole_points()
        if not is_whole:
            self._patterns = [each for each in self._patterns if STEP in each.groupindex]
            log = log.partition(b"\n")[2]
        for begin in range(0, len(log), _MOST):
            self.feed(log[begin : begin + _MOST])
        rest, counts = self._rest, self._counts
        if continues:
            self._write(list(self._pending))
        else:
            self.close()
        self._begin(patterns)
        self._write_missing(found, known)
        if continues:
            self._rest = rest
            self._counts = counts if is_whole else _last_steps(patterns, known)
        else:
            self._written = {}

    def feed(self, piece: bytes) -> None:
        """Take a piece of output."""
        text = self._rest + piece
        if len(piece) > _MOST:
            text = piece[-_MOST:].partition(b"\n")[2]
        end = 0
        with _alarm():
            for line in _LINE.finditer(text):
                self._read(line[1], is_final=line[2] != b"\r")
                end = line.end()
        self._rest = text[end:][: 2 * _LONGEST]  # the rest of a longer line does not count
        self.write_quiet()

    def write_quiet(self) -> None:
        """Write the points that were not overwritten for a second."""
        before = time.monotonic() - _QUIET
        self._write([key for key, point in self._pending.items() if point.since <= before])

    def close(self) -> None:
        """Take the last line, and write the rest."""
        with _alarm():
            self._read(self._rest, is_final=True)
        self._rest = b""
        self._write(list(self._pending))

    def _read(self, line: bytes, *, is_final: bool) -> None:
        if not 0 < len(line) <= _LONGEST:
            return
        text = line.decode(errors="replace")
        for pattern in list(self._patterns):
            try:
                found = _search(pattern, text)
            except _TooSlowError:
                self._patterns.remove(pattern)
                continue
            # A count would take every refresh of a progress bar for a step.
            if found and (is_final or STEP in pattern.groupindex):
                self._take(pattern, found)

    def _take(self, pattern: re.Pattern[str], found: re.Match[str]) -> None:
        groups = found.groupdict()
        if STEP in groups:
            number = _number(groups.pop(STEP))
            if number is None or not number.is_integer() or number < 0:
                return
            step = int(number)
        else:
            step = self._counts[pattern.pattern] = self._counts[pattern.pattern] + 1
        is_counted = self._has_steps and STEP not in pattern.groupindex
        for key, text in groups.items():
            value = _number(text)
            if value is None:
                continue
            if key in self._pending and self._pending[key].step != step:
                self._write([key])
            self._pending[key] = _Pending(step, value, time.monotonic(), is_counted)

    def _write(self, keys: Sequence[str]) -> None:
        """Append the pending points of some keys; a disk error costs these points only."""
        points = {key: self._pending.pop(key) for key in keys}
        if self._replayed is not None:
            self._replayed |= {(key, point.step): point for key, point in points.items()}
        elif points:
            self._record(points)

    def _record(self, points: dict[str, _Pending]) -> None:
        replaced = {
            key: point.step
            for key, point in points.items()
            if key not in self._written or point.step in self._written[key]
        }
        with contextlib.suppress(OSError):
            self._take_back(replaced)
            now = time.time_ns() // 1_000_000
            lines = [_line(key, point, now) for key, point in points.items()]
            _append(self._path, "".join(lines).encode())
        for key, point in points.items():
            self._written.setdefault(key, set()).add(point.step)

    def _write_missing(
        self, found: dict[tuple[str, int], _Pending], known: Collection[tuple[str, int, object]]
    ) -> None:
        """Append those points that are not known."""
        missing = []
        for (key, step), point in found.items():
            if (key, step, _plain(point.value)) in known:
                self._written.setdefault(key, set()).add(step)
            else:
                missing.append((key, point))
        for key, point in missing:
            self._record({key: point})

    def _read_whole_points(self) -> frozenset[tuple[str, int, object]]:
        """Return the points in the file, and remove a last line that was torn by a kill."""
        with contextlib.suppress(OSError):
            content = durable.read_file(self._path)
            whole = content[: content.rfind(b"\n") + 1]
            if whole != content:
                durable.write_file(self._path, whole)
            found = map(metric_points.parse_point, whole.splitlines())
            return frozenset((key, step, value) for key, value, step in filter(None, found))
        return frozenset()

    def _take_back(self, replaced: dict[str, int]) -> None:
        """Remove points that are about to be written again, and what earlier attempts wrote after."""
        if not replaced:
            return
        try:
            lines = durable.read_file(self._path).splitlines(keepends=True)
        except FileNotFoundError:
            return
        kept = [line for line in lines if not self._is_replaced(line, replaced)]
        if len(kept) < len(lines):
            durable.write_file(self._path, b"".join(kept))

    def _is_replaced(self, line: bytes, replaced: dict[str, int]) -> bool:
        point = metric_points.parse_point(line)
        if point is None:
            return not line.endswith(b"\n")  # torn by a kill
        key, _, step = point
        if key not in replaced:
            return False
        return step == replaced[key] or (key not in self._written and step > replaced[key])


def _last_steps(
    patterns: Sequence[re.Pattern[str]], known: Collection[tuple[str, int, object]]
) -> dict[str, int]:
    """Return the last step of the metrics of each pattern."""
    return {
        each.pattern: max((step for key, step, _ in known if key in each.groupindex), default=0)
        for each in patterns
    }


def _search(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Search a line, for a limited time: some patterns take exponential time.

    Raises:
        _TooSlowError: It took too long.
    """
    signal.setitimer(signal.ITIMER_VIRTUAL, _LIMIT)
    try:
        return pattern.search(text)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    """Let the timer of ``_search`` interrupt it; the module ``re`` heeds signals."""
    previous = signal.signal(signal.SIGVTALRM, _give_up)
    try:
        yield
    finally:
        signal.signal(signal.SIGVTALRM, previous)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise _TooSlowError


def _append(path: Path, content: bytes) -> None:
    descriptor, _ = durable.open_below(path.parent, path.name, append=True)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _number(text: str | None) -> float | None:
    """Return the number in a text, whatever punctuation is around it."""
    return records.as_number((text or "").strip(_AROUND))


def _line(key: str, point: _Pending, timestamp: int) -> str:
    content = {"key": key, "value": _plain(point.value), "step": point.step, "timestamp": timestamp}
    mark = f", {metric_points.COUNTED}" if point.is_counted else ""
    return f"{json.dumps(content)[:-1]}{mark}}}\n"


def _plain(value: float) -> object:
    return value if math.isfinite(value) else records.as_metric(value)
