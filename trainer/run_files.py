"""The trainer's files in a run directory: their names, their contents, and when they change."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite, isnan
from typing import TYPE_CHECKING

from trainer.durable_files import (
    append_durably,
    is_there,
    make_folder,
    replace_file,
    sync_folder,
)
from trainer.numbers_version import NUMBERS
from trainer.peak_gpu_memory import most_reserved

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from trainer.history import MetricPoint

CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"
PROGRESS = "progress.json"
METRICS = "metrics.jsonl"
RESULTS = "results.json"
EARLIER = "earlier"
EXTENDED = "extended.json"

BLOCK = 1 << 14

_encode = json.JSONEncoder().encode  # for strings twice as fast as `json.dumps`


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run: `iteration` of `iterations`, and the points of that iteration.

    `reason` is why the training ends with it, if it does so by a decision; None otherwise.
    `is_total_read`: a callback has read the number of iterations.
    """

    iteration: int
    iterations: int
    points: Sequence[MetricPoint]
    reason: str | None = None
    is_total_read: bool = True

    @property
    def is_last(self) -> bool:
        """Whether the training ends with this iteration."""
        return self.iteration == self.iterations or self.reason is not None

    @property
    def stopped_early(self) -> str | None:
        """Why the training ended before its last iteration; None if it did not."""
        return self.reason if self.iteration < self.iterations else None


class Outputs:
    """The files that other programs read: progress, metrics and results.

    In `metrics.jsonl` each (key, step) occurs once, and its timestamp never changes, because a reader
    may have sent it on already: points that a resumed run computes again are not written again.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.checkpoints = run_dir / CHECKPOINTS
        self._metrics = run_dir / METRICS
        self._progress = run_dir / PROGRESS
        self._keys_written: dict[int, set[str]] = {}
        self.note = ""  # for the user, in `progress.json`

    def open(self, since: int) -> None:
        """Read which points from an iteration on are written, and truncate a partial last line.

        Only the end of the file is read: steps never decrease from line to line.

        Raises:
            OSError: If it cannot be read, or is not a regular file.
        """
        self._keys_written = {}
        path = self._metrics
        if not is_there(path):
            return
        size = path.stat().st_size
        whole_lines, torn = _last_lines(path, size, since)
        if torn:
            os.truncate(path, size - torn)
        late = (line for line in whole_lines if _step_of(line) >= since)
        for key, step in filter(None, map(_place_of, late)):
            self._keys_written.setdefault(step, set()).add(key)

    def set_aside(self, numbers: int) -> None:
        """Move the files of another numbers version away, so that versions are not mixed.

        They can be moved back. The checkpoints are moved last, so that it is repeated after a kill.

        Raises:
            ConfigError: If the folder for them is a link, or not a folder.
        """
        make_folder(self.run_dir / EARLIER)
        made = (f"numbers-{numbers}{suffix}" for suffix in ("", *(f".{i}" for i in range(2, 1000))))
        paths = map((self.run_dir / EARLIER).joinpath, made)
        folder = next(path for path in paths if not os.path.lexists(path))
        folder.mkdir()
        for name in (METRICS, PROGRESS, RESULTS, EXTENDED):
            with suppress(FileNotFoundError):
                (self.run_dir / name).rename(folder / name)
        (folder / CHECKPOINTS).mkdir()
        for path in self.checkpoints.glob("*.pt"):  # this process has claimed the folder
            path.rename(folder / CHECKPOINTS / path.name)
        for changed in (
            folder / CHECKPOINTS,
            folder,
            folder.parent,
            self.checkpoints,
            self.run_dir,
        ):
            sync_folder(changed)

    def begun_before(self) -> list[str]:
        """Return one line per restart of this run because of another numbers version."""
        folders = sorted((self.run_dir / EARLIER).glob("numbers-*"))
        return [
            f"restarted with numbers {NUMBERS}: this version of the trainer does not resume from"
            f" those in {EARLIER}/{folder.name}"
            for folder in folders
        ]

    def publish(self, *all_progress: Progress) -> None:
        """Append the points of iterations that are not written yet, and replace `progress.json`."""
        # Each number is formatted once for both files: that takes as long as everything else.
        lines: list[str] = []
        for progress in all_progress:
            written_out = [
                (point, _encode(point.key), _encode_number(point.value))
                for point in progress.points
            ]
            lines += self._new_lines(progress.iteration, written_out)
        if lines:
            append_durably(self._metrics, "".join(lines).encode())
        self._write_progress(progress, {key: value for _, key, value in written_out})

    def _new_lines(
        self, iteration: int, points: Sequence[tuple[MetricPoint, str, str]]
    ) -> list[str]:
        """Return the lines of points that are not written yet, and mark them as written."""
        written = self._keys_written.setdefault(iteration, set())
        lines = [
            f'{{"key": {key}, "value": {value}, "step": {point.step}, "timestamp": {point.timestamp}}}\n'
            for point, key, value in points
            if point.key not in written
        ]
        written.update(point.key for point, _, _ in points)
        # The previous iteration is never repeated; the memory must not grow with the run.
        self._keys_written.pop(iteration - 1, None)
        return lines

    def _write_progress(self, progress: Progress, metrics: Mapping[str, str]) -> None:
        """Replace `progress.json` atomically, without waiting for the disk."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        shown = ", ".join([f"{key}: {value}" for key, value in metrics.items()])
        why = progress.stopped_early
        more = "" if why is None else f', "stopped_early": {_encode(why)}'
        more += f', "note": {_encode(self.note)}' if self.note else ""
        more += f', "total_read": {"true" if progress.is_total_read else "false"}'
        if (reserved := most_reserved()) is not None:
            more += f', "gpu_memory_reserved": {reserved}'
        line = (
            f'{{"iteration": {progress.iteration}, "iterations": {progress.iterations}, '
            f'"metrics": {{{shown}}}, "updated_at": "{now}", "numbers": {NUMBERS}{more}}}\n'
        )
        replace_file(self._progress, line.encode(), durable=False)

    def write_results(self, results: Mapping[str, object]) -> None:
        """Replace `results.json`, and return once it is on the disk.

        Raises:
            OSError: If it is not; the file is removed then, since it says that the run is done.
        """
        document = json.dumps({"schema": 1, **results}, indent=2, allow_nan=False) + "\n"
        path = self.run_dir / RESULTS
        replace_file(path, document.encode(), durable=True)
        try:
            sync_folder(self.run_dir)
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise


def say(line: str) -> None:
    """Print a line and flush it, for readers that follow the log."""
    for stream in (
        sys.stdout,
        sys.__stdout__,
    ):  # the run's own code may have replaced or closed the first
        with suppress(AttributeError, TypeError, ValueError):
            stream.write(line + "\n")  # type: ignore[union-attr]  # AttributeError is suppressed
            stream.flush()  # type: ignore[union-attr]  # as above
            return


def json_number(value: float) -> float | str:
    """Return a number as JSON can represent it: NaN and the infinities become strings."""
    if isfinite(value):
        return value
    if isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def json_numbers(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Return metrics as JSON can represent them; callbacks may have set any type of number."""
    return {key: json_number(float(value)) for key, value in metrics.items()}


def _encode_number(value: float) -> str:
    """Return a number as JSON."""
    return repr(value) if isfinite(value) else f'"{json_number(value)}"'


def copy_points(source: Path, run_dir: Path, step: int, keys: Collection[str]) -> None:
    """Copy a run's points up to a step, and only those of these keys at the step itself.

    Points that the other run has already, before a kill, stay where they are in the file.

    Raises:
        OSError: If a file cannot be read or written.
    """
    before = _whole_lines(run_dir / METRICS)
    present = set(map(_place_of, before))
    added = [
        line
        for line in _whole_lines(source / METRICS)
        if (place := _place_of(line))
        and place not in present
        and (place[1] < step or (place[1] == step and place[0] in keys))
    ]
    replace_file(run_dir / METRICS, b"".join([*before, *added]), durable=True)


def _whole_lines(path: Path) -> list[bytes]:
    if not is_there(path):
        return []
    with path.open("rb") as file:
        return [line for line in file if line.endswith(b"\n")]


def _last_lines(path: Path, size: int, since: int) -> tuple[list[bytes], int]:
    """Return the last whole lines, including all with a step of at least `since`.

    The second value is the number of bytes after the last whole line.
    """
    length = BLOCK
    with path.open("rb") as file:
        while True:
            start = max(0, size - length)
            file.seek(start)
            *lines, torn = file.read(size - start).split(b"\n")
            whole = lines if start == 0 else lines[1:]
            earliest = next(filter(None, map(_place_of, whole)), None)
            if start == 0 or (earliest is not None and earliest[1] < since):
                return whole, len(torn)
            length *= 8


def _step_of(line: bytes) -> int:
    """Return the step in a line, without parsing lines that the trainer wrote; 0 if it has none."""
    digits = line.rpartition(b'"step": ')[2].partition(b",")[0]
    if digits.isdigit():
        return int(digits)
    place = _place_of(line)
    return place[1] if place else 0


def _place_of(line: bytes) -> tuple[str, int] | None:
    """Return a line's key and step, or None if it is not a point."""
    try:
        point = json.loads(line)
        return str(point["key"]), int(point["step"])
    except (ValueError, TypeError, KeyError):
        return None
