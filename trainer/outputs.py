"""Owns the trainer's files in a run directory: their names, what they hold, and when they change."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from math import isfinite, isnan
from typing import TYPE_CHECKING

from trainer.disk import append_durably, replace_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from trainer.history import Point

CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"
PROGRESS = "progress.json"
METRICS = "metrics.jsonl"
RESULTS = "results.json"


class Outputs:
    """Write what other programs read of a run: its progress, metrics and results.

    In `metrics.jsonl` each (key, step) stands once, with one timestamp for ever, because a reader
    may have passed it on already: what a resumed run computes again is not written again.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.checkpoints = run_dir / CHECKPOINTS
        self._written: set[tuple[str, int]] = set()

    def open(self) -> None:
        """Read which metrics are written already, and cut off a last line that a kill left torn."""
        path = self.run_dir / METRICS
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        self._written = {place for line in whole.splitlines() if (place := _place_of(line))}

    def append_metrics(self, points: Iterable[Point]) -> None:
        """Append the points that are not there yet, in one durable write."""
        new = [point for point in points if (point.key, point.step) not in self._written]
        if not new:
            return
        lines = [json.dumps(point._asdict() | {"value": json_number(point.value)}) for point in new]
        append_durably(self.run_dir / METRICS, ("\n".join(lines) + "\n").encode())
        self._written.update((point.key, point.step) for point in new)

    def write_progress(self, iteration: int, iterations: int, metrics: Mapping[str, float]) -> None:
        """Replace `progress.json`: whole at any moment, but not worth waiting for the disk."""
        progress = {
            "iteration": iteration,
            "iterations": iterations,
            "metrics": json_numbers(metrics),
            "updated_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        replace_file(self.run_dir / PROGRESS, _encoded(progress), durable=False)

    def write_results(self, results: Mapping[str, object]) -> None:
        """Replace `results.json`, and return when it is on the disk."""
        replace_file(self.run_dir / RESULTS, _encoded({"schema": 1, **results}), durable=True)
        sync_folder(self.run_dir)


def say(line: str) -> None:
    """Print a line at once: the reader may be a log that is followed."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def json_number(value: float) -> float | str:
    """Return a number as JSON can hold it: `NaN`, `Infinity` and `-Infinity` become texts."""
    if isfinite(value):
        return value
    if isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def json_numbers(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Return metrics as JSON can hold them."""
    return {key: json_number(value) for key, value in metrics.items()}


def _encoded(document: Mapping[str, object]) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()


def _place_of(line: bytes) -> tuple[str, int] | None:
    """Return a line's key and step; none for a line that is no point."""
    try:
        point = json.loads(line)
        return str(point["key"]), int(point["step"])
    except (ValueError, TypeError, KeyError):
        return None
