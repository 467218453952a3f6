"""Measures the client ``orch``: the import, a logged point, and a thousand points per second.

The logged point is compared with the minimum: one line formatted and written.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orch

POINTS = 100_000
ROUNDS = 5


def main() -> None:
    """Measure, and print one row per figure."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(ORCH_RUN_DIR=folder, ORCH_RUN_ID="0", ORCH_ATTEMPT="1")
        run = orch.current()
        bare, ours = [], []
        for number in range(ROUNDS):
            bare.append(write_lines(Path(folder, "bare.jsonl")))
            start = time.perf_counter()
            for step in range(number * POINTS, (number + 1) * POINTS):
                run.log({"loss": 0.5}, step=step)
            ours.append((time.perf_counter() - start) / POINTS)
    point = statistics.median(ours)
    print(f"{'what':44}{'median':>12}{'limit':>12}")
    print(f"{'import orch':44}{import_seconds() * 1e3:9.2f} ms{'5 ms':>12}")
    print(f"{'json.dumps and write':44}{statistics.median(bare) * 1e6:9.2f} us")
    print(f"{'run.log, one point':44}{point * 1e6:9.2f} us{'10 us':>12}")
    print(f"{'of a program that logs 1,000 points per second':44}{point * 1e5:9.2f} %{'1 %':>13}")


def write_lines(path: Path) -> float:
    """Return the seconds per point of formatting and writing one line."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    start = time.perf_counter()
    for step in range(POINTS):
        line = json.dumps({"key": "loss", "value": 0.5, "step": step, "timestamp": 0}) + "\n"
        os.write(descriptor, line.encode())
    seconds = (time.perf_counter() - start) / POINTS
    os.close(descriptor)
    return seconds


def import_seconds() -> float:
    """Return the median seconds of the import, in new processes."""
    script = "import time; t = time.perf_counter(); import orch; print(time.perf_counter() - t)"
    said = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(ROUNDS)
    ]
    return statistics.median(float(each.stdout) for each in said)


if __name__ == "__main__":
    main()
