"""Measures small trainings that share a GPU: one at a time, as many as fit, and at the same time under MPS.

``python benchmarks/shared_gpu.py [RUNS] [--mps] [--cpu]``: RUNS trainings (64) of Cnn10 on the digits, and the same bits
in each way, or it ends. Of those that run one at a time, an eighth is measured: each takes the same time. It also prints how long
a warm run takes from its start to the end of its first iteration. ``--cpu`` tries the script itself.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ORCH = str(Path(sys.executable).with_name("orch"))
ITERATIONS = 15
COLD = 4  # runs that may import what later ones find loaded


def main() -> None:
    """Measure each way once, and print the runs per second, and the ratios to one at a time."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    runs = numbers[0] if numbers else 64
    ways: dict[str, tuple[int, list[str]]] = {
        "one at a time": (max(1, runs // 8), ["--workers=1"]),
        "as many as fit": (runs, []),
    }
    if "--mps" in sys.argv:
        ways["the same under MPS"] = (runs, ["orch.mps=true"])
    device = ["device=cpu", "--gpus=none"] if "--cpu" in sys.argv else ["device=cuda", "--gpus=all"]
    first: dict[str, str] = {}
    alone = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for way, (count, words) in ways.items():
            results = Path(folder, way.replace(" ", "-"))
            seconds = execute(results, count, [*device, *words])
            found = digests(results)
            if wrong := [point for point in first if found.get(point) != first[point]]:
                sys.exit(f"{way}: other bits than one at a time: {wrong}")
            first = first or found
            pace = count / seconds
            alone = alone or pace
            print(f"{way:20}{count:4} runs {seconds:7.1f} s {pace:6.2f} runs/s {pace / alone:6.2f}")
            print(f"{'':20}the first iteration of a warm run: {describe(beginnings(results))}")


def execute(results: Path, count: int, words: list[str]) -> float:
    """Return how many seconds a grid takes."""
    grid = ["model=cnn10", f"seed=range({count})", f"iterations={ITERATIONS}"]
    shared = [f"--config-dir={ROOT / 'conf'}", f"results_dir={results}", "--quiet"]
    began = time.perf_counter()
    command = [ORCH, "run", *grid, *shared, "orch.tracking.enabled=false", *words]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def digests(results: Path) -> dict[str, str]:
    """Return each run's digest by its values."""
    found = results.glob("*/training/*/results.json")
    return {str(read(it.with_name("run.json"))["overrides"]): read(it)["digest"] for it in found}


def beginnings(results: Path) -> list[float]:
    """Return how many seconds passed until runs had ended their first iteration, but those that began first."""
    seconds = {}
    for metrics in results.glob("*/training/*/metrics.jsonl"):
        began = datetime.fromisoformat(read(metrics.with_name("status.json"))["started_at"])
        with metrics.open() as lines:
            first = min(
                point["timestamp"] for point in map(json.loads, lines) if point["step"] == 1
            )
        seconds[began.timestamp()] = first / 1000 - began.timestamp()
    return [value for _, value in sorted(seconds.items())][COLD:]


def describe(seconds: list[float]) -> str:
    """Return the median and the range."""
    if not seconds:
        return "all were cold"
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def read(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds."""
    return dict(json.loads(path.read_text()))


if __name__ == "__main__":
    main()
