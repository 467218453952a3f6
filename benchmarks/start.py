"""Measures the startup of ``orch --help`` and of a small ``orch plan`` as whole processes.

Beside them, in the same run, stand the bare interpreter and the import of Hydra alone, which no
Hydra program can do without; read the ratios, for the seconds are the machine's.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
ORCH = str(Path(sys.executable).with_name("orch"))
ROUNDS = 9


def main() -> None:
    """Measure all rows in turn, round after round, and print their medians."""
    with tempfile.TemporaryDirectory() as results:
        grid = ["training=grid_search", f"results_dir={results}"]
        rows = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import hydra": [sys.executable, "-c", "from hydra import compose"],
            "orch --help": [ORCH, "--help"],
            "orch plan, 24 points": [ORCH, "plan", *grid],
        }
        seconds: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(ROUNDS):
            for name, command in rows.items():
                seconds[name].append(measure(command))
    limits = {"orch --help": 0.15, "orch plan, 24 points": 0.5}
    print(f"{'whole process':24}{'median s':>10}{'least s':>10}{'limit s':>10}")
    for name, each in seconds.items():
        limit = f"{limits[name]:.2f}" if name in limits else ""
        print(f"{name:24}{statistics.median(each):10.3f}{min(each):10.3f}{limit:>10}")


def measure(command: list[str]) -> float:
    """Return the wall time of one process, in seconds."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
