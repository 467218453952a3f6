"""Measures what a short run costs where several workers share an experiment.

``python benchmarks/workers.py [RUNS [WORKERS]]``: the runs are functions that do nothing but write their
results, so all that is measured is overhead: the preparation of the runs, and what ``orch work`` takes per
run, with its start and its warm process. By the clock and in processor time of all processes.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
CONFIG = """\
results_dir: results
experiment_id: measured
seed: 0
orch: {entry_point: "fast:main", workers: 1, tracking: {enabled: false}}
"""
PROGRAM = """\
import os

def main():
    with open(os.environ["ORCH_RUN_DIR"] + "/results.json", "w") as file:
        file.write('{"test": {"x": 1}}')
"""


def measure(commands: list[list[str]]) -> tuple[float, float]:
    """Return the seconds, and those of processors, until commands and all that they start have ended."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    for at, command in enumerate(commands):
        place = {"SLURM_ARRAY_TASK_ID": str(at * 1000 // len(commands))}
        subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **place})
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, used


def main() -> None:
    """Measure the preparation, and the execution."""
    given = [*map(int, sys.argv[1:])]
    runs, workers = [*given, *(1000, 4)[len(given) :]]
    ctypes.CDLL(None).prctl(
        SUBREAPER, 1, 0, 0, 0
    )  # processes whose parents have ended count as well
    orch = str(Path(sys.executable).with_name("orch"))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("conf").mkdir()
        Path("conf/config.yaml").write_text(CONFIG)
        Path("fast.py").write_text(PROGRAM)
        prepare = [orch, "run", f"seed=range({runs})", "--prepare"]
        work = [orch, "work", "results/measured", "--quiet"]
        print(f"{'per run of ' + str(runs):24} {'clock':>8} {'processor':>10}")
        for what, commands in (
            ("orch run --prepare", [prepare]),
            (f"{workers} workers", [work] * workers),
        ):
            clock, used = measure(commands)
            print(
                f"{what:24} {1000 * clock / runs:5.1f} ms {1000 * used / runs:7.1f} ms", flush=True
            )
        done = len([*Path("results").rglob("results.json")])
        os.chdir("/")
    if done != runs:
        raise SystemExit(f"{done} of {runs} runs are done")


if __name__ == "__main__":
    main()
