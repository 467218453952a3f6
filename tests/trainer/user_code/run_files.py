"""Reads what a run leaves in its directory, and names the kinds of fixtures."""

import json
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

MakeRun = Callable[..., Path]
Train = Callable[[Path], dict[str, float]]
Start = Callable[..., int]
Launch = Callable[..., BaseProcess]
Interrupt = Callable[..., Path]


class End(NamedTuple):
    """How a run ended: its exit code, what it wrote to stderr, and whether it has results."""

    code: int
    said: str
    has_results: bool

    @property
    def is_line(self) -> bool:
        """Whether it said one line."""
        return self.said.count("\n") == 1 and len(self.said) > 20


EndsOf = Callable[[dict[str, Path]], dict[str, End]]


def results_of(run_dir: Path) -> dict[str, Any]:
    """Read a run's results."""
    results: dict[str, Any] = json.loads((run_dir / "results.json").read_text())
    return results


def points_of(run_dir: Path) -> list[dict[str, Any]]:
    """Read a run's metrics."""
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def places_of(run_dir: Path) -> list[tuple[str, int]]:
    """Read the (key, step) of each of a run's metrics."""
    return [(point["key"], point["step"]) for point in points_of(run_dir)]


def checkpoints_of(run_dir: Path) -> list[Path]:
    """List a run's checkpoints, the oldest first, without `best.pt`."""
    return sorted((run_dir / "checkpoints").glob("0*.pt"))
