"""Measures tracking: the processor time of the reporter, and a grid whose server is unreachable.

``status``: ``orch status`` of ten thousand runs. ``many``: 32 simultaneous trainings of the digits with
a new store; measured is the time from the end of the last one to the end of ``orch run``, which waits
for the reporter. ``reporter``: eight simulated runs append ten metrics per iteration, two iterations
per second, for twenty seconds, to a store in SQLite; measured is the reporter's processor time after
its imports and the creation of the store. ``million``: a run with a million points is reported to a new
store in SQLite, including the imports. ``outage``: the same grid of commands, in pairs, without tracking
and with an unreachable tracking server.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.orch_settings import Tracking
from orchestrator.extras import MLFLOW
from orchestrator.grid.identity import identify
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status
from orchestrator.tracking.reporter_handle import Patience, ReporterProcess

if TYPE_CHECKING:
    from orchestrator.rundir.directory import RunDirectory

RUNS, METRICS, PER_SECOND, SECONDS = 8, 10, 2, 20
PAIRS = 3
MANY = 32
MILLION = 1_000_000
ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure everything and print it; without MLflow, only what does not need it."""
    measure_status()
    if not MLFLOW.is_installed:
        print(MLFLOW.request("the benchmark of the reporter"))
        return
    for _ in range(PAIRS):
        measure_many()
    measure_reporter()
    measure_million()
    measure_outage()


def measure_many() -> None:
    """Print the time from the last of many simultaneous runs until everything is delivered."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "orchestrator", "run", f"results_dir={folder}"),
            *(f"seed=range({MANY})", "iterations=5", f"--workers={MANY}"),
        ]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        over = time.time()
        ends = [
            datetime.fromisoformat(json.loads(path.read_text())["ended_at"]).timestamp()
            for path in Path(folder).glob("*/training/*/status.json")
        ]
    print(f"{f'all there after {len(ends)} trainings at once':40}{over - max(ends):8.2f} s")


def measure_reporter() -> None:
    """Print the share of a processor that the reporter takes."""
    with tempfile.TemporaryDirectory() as folder:
        experiment = ExperimentDirectory(Path(folder), "bench")
        experiment.prepare()
        runs = [experiment.create(identify({"seed": seed}, {"seed": seed})) for seed in range(RUNS)]
        locks = [begin(run) for run in runs]
        reporter = ReporterProcess(experiment, Tracking())
        reporter.start()
        while len(list(experiment.path.glob("tracking/*.json"))) < RUNS:
            time.sleep(0.1)
        pid = reporter._process.pid if reporter._process else 0  # noqa: SLF001 # the measured one
        before, begun = cpu_seconds(pid), time.monotonic()
        for iteration in range(1, SECONDS * PER_SECOND + 1):
            for run in runs:
                append(run, iteration)
            time.sleep(max(0.0, begun + iteration / PER_SECOND - time.monotonic()))
        spent, took = cpu_seconds(pid) - before, time.monotonic() - begun
        for run, lock in zip(runs, locks, strict=True):
            run.write_status(Status(Record.DONE, 1, now(), "box", 1, ended_at=now()))
            os.close(lock)
        ended = time.monotonic()
        problem = reporter.finish(Patience(), lambda: False)
        late = time.monotonic() - ended
        print(f"{'reporter of 8 runs, 160 points/s':40}{100 * spent / took:8.1f} % of a core")
        print(f"{'all there after the last end':40}{late:8.2f} s  {problem}")


def measure_status(count: int = 10_000) -> None:
    """Print how long ``orch status`` takes for many runs."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "conf").mkdir()
        (Path(folder) / "conf/config.yaml").write_text("results_dir: .\nexperiment_id: bench\n")
        experiment = ExperimentDirectory(Path(folder), "bench")
        experiment.prepare()
        run = experiment.create(identify({"seed": 0}, {"seed": 0}))
        run.write_status(Status(Record.DONE, 1, now(), "box", 1, ended_at=now()))
        run.results.write_text('{"test": {"loss": 0.5}}')
        for number in range(1, count):
            shutil.copytree(run.path, experiment.training / f"{number:016x}")
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "orchestrator", "status"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        print(f"{f'orch status of {count} runs':40}{time.perf_counter() - begun:8.2f} s")


def measure_million(points: int = MILLION) -> None:
    """Print how many points per second are delivered of a run with many points."""
    with tempfile.TemporaryDirectory() as folder:
        experiment = ExperimentDirectory(Path(folder), "bench")
        experiment.prepare()
        run = experiment.create(identify({"seed": 0}, {"seed": 0}))
        for iteration in range(1, points // METRICS + 1):
            append(run, iteration)
        run.write_status(Status(Record.DONE, 1, now(), "box", 1, ended_at=now()))
        reporter = ReporterProcess(experiment, Tracking())
        begun = time.monotonic()
        problem = reporter.finish(Patience(), lambda: False)
        rate = reporter.progress.points / (time.monotonic() - begun)
        print(
            f"{f'{reporter.progress.points} points of one run':40}{rate:8.0f} points/s  {problem}"
        )


def begin(run: RunDirectory) -> int:
    """Make a run look live; return the descriptor that holds its lock."""
    import fcntl  # noqa: PLC0415

    lock = run.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    run.write_status(Status(Record.RUNNING, 1, now(), "box", os.getpid()))
    return lock


def append(run: RunDirectory, iteration: int) -> None:
    """Append the points of an iteration."""
    moment = int(time.time() * 1000)
    points = (
        {"key": f"metric/{each}", "value": each / iteration, "step": iteration, "timestamp": moment}
        for each in range(METRICS)
    )
    with run.metrics.open("a") as file:
        file.writelines(json.dumps(point) + "\n" for point in points)


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure_outage() -> None:
    """Print how much longer a grid takes while its tracking server is unreachable."""
    ratios = []
    for _ in range(PAIRS):
        without = grid("orch.tracking.enabled=false")
        away = grid("orch.tracking.uri=http://127.0.0.1:9")
        ratios.append(away / without)
        print(f"{'grid without tracking / server away':40}{without:8.2f} s /{away:6.2f} s")
    print(f"{'longer, median':40}{100 * (statistics.median(ratios) - 1):8.1f} %")


def grid(override: str) -> float:
    """Return the seconds that a grid of 16 runs of 4 seconds takes, two at once."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "conf").mkdir()
        (Path(folder) / "conf/config.yaml").write_text(
            "results_dir: results\nexperiment_id: bench\nseed: 0\n"
            "orch:\n  command: [sleep, '4']\n  tracking: {enabled: true, uri: null}\n"
        )
        begun = time.perf_counter()
        subprocess.run(
            [
                sys.executable,
                "-m",
                "orchestrator",
                "run",
                "seed=range(16)",
                "--workers=2",
                override,
            ],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - begun


if __name__ == "__main__":
    main()
