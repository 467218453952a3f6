"""Measures ``orch plot`` and ``orch report`` on finished runs, and how their cost grows with the runs.

``python benchmarks/pictures.py [RUNS...]``: whole processes from start to exit. Each run has 50 iterations
of six metrics, a log, results and a record of its code; one in twenty has failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from orchestrator.planning.load import ConfigSource, load_plan
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Failure, Record, Status

ROUNDS = 3
ITERATIONS = 50
METRICS = ("train/loss", "train/accuracy", "validation/loss", "validation/accuracy", "lr", "norm")
FAILED = 20  # one run in that many
CONFIG = """\
results_dir: results
experiment_id: measured
optimizer: {lr: 0.1, momentum: 0.9}
model: {name: mlp, width: 64}
checkpoint: {metric: validation/loss, mode: min}
seed: 0
orch: {command: ["true"], tracking: {enabled: false}}
"""


def make(folder: Path, runs: int) -> list[str]:
    """Make an experiment with three seeds and return the overrides of its grid."""
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(CONFIG)
    rows = -(-runs // 30)
    words = [
        f"optimizer.lr={','.join(f'{0.001 * (n + 1):.3f}' for n in range(rows))}",
        f"model.width={','.join(str(16 * (n + 1)) for n in range(10))}",
        "seed=0,1,2",
    ]
    os.chdir(folder)
    planned = load_plan(ConfigSource(Path("conf"), "config", words))
    planned.experiment.prepare()
    for number, run in enumerate(planned.plan.selection.runs):
        _fill(planned.experiment.create(run).path, number)
    return words


def _fill(path: Path, number: int) -> None:
    failed = number % FAILED == 0
    points = [
        {"key": key, "value": (number % 97 + 1) / step, "step": step, "timestamp": step}
        for step in range(1, ITERATIONS + 1)
        for key in METRICS
    ]
    (path / "metrics.jsonl").write_text("".join(f"{json.dumps(point)}\n" for point in points))
    last = {point["key"]: point["value"] for point in points}
    progress = {"iteration": ITERATIONS, "iterations": ITERATIONS, "metrics": last}
    (path / "progress.json").write_text(json.dumps(progress))
    best = {"iteration": ITERATIONS, "validation/loss": last["validation/loss"]}
    test = {"test/loss": last["validation/loss"], "test/accuracy": 0.5}
    if not failed:
        (path / "results.json").write_text(json.dumps({"schema": 1, "best": best, "test": test}))
    (path / "logs").mkdir()
    log = "".join(f"iteration {n}: loss {1 / n}\n" for n in range(1, 200))
    (path / "logs/attempt-001.log").write_text(log)
    status = Status(
        Record.FAILED if failed else Record.DONE,
        1,
        now(),
        "box",
        1,
        ended_at=now(),
        failure=Failure("error", f"ValueError: {number % 7}") if failed else None,
    )
    from orchestrator.rundir.directory import RunDirectory  # noqa: PLC0415 # after os.fsync is replaced

    RunDirectory(path).write_status(status)


def measure(arguments: list[str]) -> tuple[float, float]:
    """Return the median of the seconds of a command, and the largest."""
    command = [str(Path(sys.executable).with_name("orch")), *arguments]
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - begun)
    return median(taken), max(taken)


def main() -> None:
    """Measure each number of runs."""
    os.fsync = lambda _: None  # type: ignore[assignment] # what is measured only reads
    print(f"{'runs':>6} {'command':24} {'seconds':>8} {'most':>6} {'file':>9}")
    for runs in [*map(int, sys.argv[1:])] or [100, 1000, 10_000]:
        with tempfile.TemporaryDirectory() as folder:
            grid = make(Path(folder).resolve(), runs)
            for words in (
                ["results"],
                ["plot", "--out", "curves.svg"],
                ["plot", "--out", "curves.png"],
                ["plot", "--out", "heat.png", "--heat", "optimizer.lr", "model.width"],
                ["plot", "--out", "all.png", "--parallel"],
                ["report", "--out", "page.html"],
            ):
                middle, most = measure([*words, *grid])
                out = Path(words[words.index("--out") + 1]) if "--out" in words else None
                size = f"{out.stat().st_size / 1e6:.2f} MB" if out else ""
                name = " ".join(word for word in words if word != "--out")[:24]
                print(f"{runs:6} {name:24} {middle:8.2f} {most:6.2f} {size:>9}", flush=True)
            os.chdir("/")


if __name__ == "__main__":
    main()
