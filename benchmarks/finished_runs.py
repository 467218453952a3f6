"""Measures what looks at finished runs, and how its cost grows with their number.

``[NUMBERS=1] python benchmarks/finished_runs.py [RUNS...]``: whole processes of ``orch status``,
``results``, ``plot`` and ``report``, and of ``orch.load``, from start to exit. Each run has 50 iterations of six
metrics, a log, results and a record of its code; one in twenty has failed. With ``NUMBERS``, their progress
is that of the trainer; without, that of another program, of which ``metrics.jsonl`` may know more metrics, and
is read as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
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
    if os.environ.get("NUMBERS"):  # as the trainer reports
        progress |= {"updated_at": now(), "saved": ITERATIONS, "numbers": 1}
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


@dataclass(frozen=True)
class Cost:
    """What a command takes, in seconds: of a processor, by the clock, and how much memory, in MB."""

    processor: float
    clock: float
    memory: float


def measure(command: list[str]) -> Cost:
    """Return the medians over some runs of a command; the memory is the largest."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        clock = time.perf_counter() - begun
        taken.append(Cost(used.ru_utime + used.ru_stime, clock, used.ru_maxrss / 1024))
    return Cost(
        median(each.processor for each in taken),
        median(each.clock for each in taken),
        max(each.memory for each in taken),
    )


def commands(grid: list[str]) -> dict[str, list[str]]:
    """Return the commands that are measured, by name."""
    orch = str(Path(sys.executable).with_name("orch"))
    load = "import orch; grid = orch.load('results/measured')"
    there = {
        "status": ["status", *grid],
        "status --all": ["status", "--all", *grid],
        "status --state failed": ["status", "--state", "failed", *grid],
        "status --where --sort --top": [
            *("status", "--where", "model.width > 64", "--sort", "validation/loss", "--top", "9"),
            *grid,
        ],
        "results": ["results", *grid],
        "results --where --top": ["results", "--where", "model.width > 64", "--top", "9", *grid],
        "results --all": ["results", "--all"],
        "results --at common": ["results", "--at", "common", *grid],
        "plot, SVG": ["plot", "--out", "curves.svg", *grid],
        "plot, PNG": ["plot", "--out", "curves.png", *grid],
        "plot --x": ["plot", "--out", "x.png", "--x", "optimizer.lr", *grid],
        "plot --heat": ["plot", "--out", "h.png", "--heat", "optimizer.lr", "model.width", *grid],
        "plot --parallel": ["plot", "--out", "all.png", "--parallel", *grid],
        "report": ["report", "--out", "page.html", *grid],
    }
    return {
        **{name: [orch, *words] for name, words in there.items()},
        "orch.load, frame()": [sys.executable, "-c", f"{load}; grid.frame()"],
        "orch.load, curves()": [sys.executable, "-c", f"{load}; grid.curves()"],
    }


def main() -> None:
    """Measure each number of runs."""
    os.fsync = lambda _: None  # type: ignore[assignment] # what is measured only reads
    print(f"{'runs':>6} {'command':28} {'processor':>9} {'clock':>7} {'memory':>8} {'file':>9}")
    for runs in [*map(int, sys.argv[1:])] or [100, 1000, 10_000]:
        with tempfile.TemporaryDirectory() as folder:
            grid = make(Path(folder).resolve(), runs)
            for name, command in commands(grid).items():
                cost = measure(command)
                out = Path(command[command.index("--out") + 1]) if "--out" in command else None
                size = f"{out.stat().st_size / 1e6:.2f} MB" if out else ""
                figures = f"{cost.processor:9.2f} {cost.clock:7.2f} {cost.memory:5.0f} MB"
                print(f"{runs:6} {name:28} {figures} {size:>9}", flush=True)
            os.chdir("/")


if __name__ == "__main__":
    main()
