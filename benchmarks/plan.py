"""Measures ``orch plan`` as whole processes, against Hydra's ``compose()`` and doit.

``python benchmarks/plan.py [REPETITIONS]`` prints a table; ``README.md`` tells how it is measured.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from orchestrator.grid.identity import RunId, identify
from orchestrator.planning.load import ConfigSource, load_plan
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

CONF = Path(__file__).parents[1] / "conf"
AXES = ["optimizer.lr=0.001,0.003,0.01,0.03,0.1,0.3,1,3,10,30", "batch_size=8,16,32,64,128"]
DODO = """\
import os
def task_make():
    for name in os.listdir("targets"):
        yield {"name": name, "actions": ["touch targets/" + name], "targets": ["targets/" + name],
               "uptodate": [True]}
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """The times of several executions of a command in seconds, and the peak memory in MB."""

    seconds: Sequence[float]
    memory: float

    @property
    def median(self) -> float:
        """The median of the times."""
        return statistics.median(self.seconds)


def measure(command: Sequence[str], folder: Path, repetitions: int) -> Measured:
    """Execute a command several times, from its start to its end."""
    seconds, memory = [], 0.0
    for _ in range(repetitions):
        start = time.perf_counter()
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds.append(time.perf_counter() - start)
        memory = max(memory, usage.ru_maxrss / 1024)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Measured(seconds, memory)


def orch(*arguments: str) -> list[str]:
    """Return the command line of a plan on our own config folder."""
    return [sys.executable, "-m", "orchestrator", "plan", "--config-dir", str(CONF), *arguments]


def grid(seeds: int) -> list[str]:
    """Return the overrides of a grid of 1,000 points per seed, with both filters of the file."""
    return ["training=grid_search", "iterations=range(10)", *AXES, f"seed=range({seeds})"]


def finish_runs(folder: Path, overrides: Sequence[str], count: int) -> None:
    """Make run directories of the first runs of a grid, as if they were done."""
    plan = subprocess.run(
        [*orch(*overrides), "--json"], cwd=folder, check=True, capture_output=True
    )
    runs = json.loads(plan.stdout)["runs"][:count]
    experiment = ExperimentDirectory(folder / "results", "digits")
    experiment.prepare()
    # One is made as always; the others are copies under their own names, or it would take minutes.
    made = experiment.create(identify({"batch_size": 64}, {"batch_size": 64}))
    made.write_status(Status(Record.DONE, 1, now(), "box", 1, ended_at=now(), exit_code=0))
    for run in runs:
        copy = experiment.run(RunId(run["run_id"]))
        shutil.copytree(made.path, copy.path)
        told = copy.identity.read_text().replace(made.run_id, copy.run_id)
        copy.identity.write_text(told)
    shutil.rmtree(made.path)


def save_runs(folder: Path, overrides: Sequence[str]) -> None:
    """Make run directories of a grid as if they were done, with a checkpoint of their last iteration."""
    work = Path.cwd()
    os.chdir(folder)
    planned = load_plan(ConfigSource(CONF, "config", overrides))
    planned.experiment.prepare()
    for run in planned.plan.selection.runs:
        made = planned.experiment.create(run)
        progress = {"iteration": 4, "iterations": 4, "metrics": {}, "total_read": False}
        (made.path / "progress.json").write_text(json.dumps(progress))
        (made.path / "checkpoints").mkdir()
        with ZipFile(made.path / "checkpoints/000004-0011aabb.pt", "w") as archive:
            archive.writestr("archive/data.pkl", b"state")
        made.write_status(Status(Record.DONE, 1, now(), "box", 1, ended_at=now(), exit_code=0))
    os.chdir(work)


def seconds_of_compose(repetitions: int) -> float:
    """Return the seconds of Hydra for one resolved point, in a process that has loaded everything."""
    seconds = []
    with initialize_config_dir(str(CONF), version_base=None):
        for seed in range(repetitions):
            start = time.perf_counter()
            OmegaConf.to_container(compose("config", ["model=mlp", f"seed={seed}"]), resolve=True)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    """Measure everything and print it."""
    os.fsync = lambda _: None  # type: ignore[assignment] # what is measured only reads
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show("orch --help", measure(orch("--help"), folder, repetitions), "0.15 s")
        show("24 points", measure(orch("training=grid_search"), folder, repetitions), "0.5 s")
        finish_runs(folder, grid(100), 1_000)
        many = measure(orch(*grid(100)), folder, repetitions)
        show("100,000 points, two filters, 1,000 run directories", many, "1.2 s")
        most = measure(orch(*grid(1_000)), folder, min(repetitions, 3))
        show("1,000,000 points, two filters", most, "8 s, 1,000 MB")
        composed = seconds_of_compose(30)
        print(f"Hydra's compose: {composed * 1e3:.1f} ms per point; ours, whole process:", end=" ")
        print(f"{composed / many.median * 1e5:,.0f} times less (100,000 points),", end=" ")
        print(f"{composed / most.median * 1e6:,.0f} times less (1,000,000 points)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = ["training=grid_search", "model=mlp", *AXES, "seed=range(200)"]
        finish_runs(folder, done, 10_000)
        show("10,000 finished runs", measure(orch(*done), folder, repetitions), "0.8 s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = ["model=mlp", *AXES, "seed=range(20)"]
        save_runs(folder, [*runs, "iterations=4"])
        longer = measure(orch(*runs, "iterations=8", "--reasons"), folder, repetitions)
        show("1,000 pending runs that extend 1,000 others", longer, "1.5 s")
        other = ["model=mlp", "optimizer.momentum=0.5", *AXES, "seed=range(20)", "iterations=8"]
        show(
            "1,000 pending runs that extend none", measure(orch(*other), folder, repetitions), "1 s"
        )
    measure_doit(repetitions)


def measure_doit(repetitions: int) -> None:
    """Measure doit on the same number of existing targets, if it is installed."""
    if importlib.util.find_spec("doit") is None:
        print("doit: not installed here, so not measured")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "dodo.py").write_text(DODO, encoding="utf-8")
        (folder / "targets").mkdir()
        for number in range(10_000):
            (folder / "targets" / f"{number:05}").touch()
        command = [sys.executable, "-m", "doit"]
        measure(command, folder, 1)  # the first time it fills its database
        show("doit, 10,000 targets", measure(command, folder, repetitions), "")


def show(what: str, measured: Measured, bound: str) -> None:
    """Print one line of the table."""
    low, high = min(measured.seconds), max(measured.seconds)
    print(
        f"{what:<52} {measured.median:6.2f} s  ({low:.2f} to {high:.2f})"
        f" {measured.memory:6.0f} MB   {f'must: {bound}' if bound else ''}"
    )


if __name__ == "__main__":
    main()
