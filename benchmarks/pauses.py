"""Measures what a pause costs: the same grid executed whole, and breadth first.

``pauses.py [ROUNDS]``: in each round both carry out the same trainings of our ``conf/``, one after the
other and one run at a time, in alternating order.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONF = Path(__file__).parents[1] / "conf"
SEEDS, ITERATIONS = 4, 6
GRID = (f"seed=range({SEEDS})", f"iterations={ITERATIONS}", "model=mlp", "data.held_out=1500")
ORDERS = {"whole": "declared", "2 at a time": "breadth:2", "1 at a time": "breadth:1"}


def main() -> None:
    """Print the seconds of each order, those per pause, and what ``orch run`` said of them."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found: dict[str, list[float]] = {name: [] for name in ORDERS}
    told: dict[str, list[float]] = {name: [] for name in ORDERS}
    pauses = dict.fromkeys(ORDERS, 0)
    for number in range(rounds):
        for name in [*ORDERS][:: 1 if number % 2 else -1]:
            seconds, finished = measure(ORDERS[name])
            found[name].append(seconds)
            pauses[name] = finished["pauses"]
            told[name] += [finished["seconds_per_pause"]] if finished["seconds_per_pause"] else []
    print(f"{SEEDS} runs of {ITERATIONS} iterations, one at a time; medians of {rounds} rounds")
    for name, seconds in found.items():
        line = f"{name:14}{statistics.median(seconds):7.2f} s"
        if count := pauses[name]:
            each = [(a - b) / count for a, b in zip(seconds, found["whole"], strict=True)]
            line += f"  {count} pauses, {statistics.median(each):.3f} s each"
        line += f", orch says {statistics.median(told[name]):.3f} s" if told[name] else ""
        print(line)


def measure(order: str) -> tuple[float, dict[str, float]]:
    """Return the wall time of one grid in a new folder, and its last line of JSON."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "orchestrator", "run", f"--config-dir={CONF}", *GRID]
        command += ["orch.tracking.enabled=false", "--workers=1", "--json", f"--order={order}"]
        began = time.perf_counter()
        ended = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - began
    finished: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return seconds, finished


if __name__ == "__main__":
    main()
