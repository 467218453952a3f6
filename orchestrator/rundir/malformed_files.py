"""Files of a program that have another shape than orch reads: what is wrong, and what is expected."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, metric_points, records
from orchestrator.rundir.program_files import METRICS, PROGRESS, RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE: Final = 1 << 16  # bytes of metrics.jsonl that are looked at, at its beginning and its end
_PROGRESS_SHAPE: Final = '{"iteration": 3, "iterations": 10}'
_POINT_SHAPE: Final = '{"key": "loss", "value": 0.5, "step": 3}'
_RESULTS_SHAPE: Final = '{"test": {"accuracy": 0.9}}'
_IGNORED: Final = "what is not of the shape {} is ignored"


def describe_odd_files(run_dir: str) -> tuple[str, ...]:
    """Return one line per file that is ignored, wholly or in part."""
    return tuple(filter(None, (_progress(run_dir), _metrics(run_dir), _results(run_dir))))


def _progress(run_dir: str) -> str:
    content = _read(f"{run_dir}/{PROGRESS}")
    if content is None or records.parse_progress(content) is not None:
        return ""
    return f"{PROGRESS}: {_IGNORED.format(_PROGRESS_SHAPE)}"


def _results(run_dir: str) -> str:
    content = _read(f"{run_dir}/{RESULTS}")
    if content is None:
        return ""
    found = records.parse(content)
    test = found.get("test") if isinstance(found, dict) else None
    shape = _IGNORED.format(_RESULTS_SHAPE)
    if not isinstance(test, dict):
        return f"{RESULTS}: {shape}"
    wrong = [key for key, value in test.items() if records.as_metric(value) is None]
    return f"{RESULTS}, test.{records.brief(wrong[0])}: {shape}" if wrong else ""


def _metrics(run_dir: str) -> str:
    for place, line in _lines(f"{run_dir}/{METRICS}"):
        if line.strip() and metric_points.parse_point(line) is None:
            return f"{METRICS}, {place}: {_IGNORED.format(_POINT_SHAPE)}"
    return ""


def _lines(path: str) -> Iterator[tuple[str, bytes]]:
    """Yield the complete lines at the beginning and at the end of a file, with their places."""
    with contextlib.suppress(OSError):
        descriptor, found = durable.open_plain(path)
        try:
            head = os.pread(descriptor, _PIECE, 0)
        finally:
            os.close(descriptor)
        for number, line in enumerate(head.split(b"\n")[:-1], 1):
            yield f"line {number}", line
        if found.st_size > _PIECE:
            for line in durable.read_tail(path, _PIECE).split(b"\n")[:-1]:
                yield "one of its last lines", line


def _read(path: str) -> bytes | None:
    with contextlib.suppress(OSError):
        return durable.read_file(path)
    return None
