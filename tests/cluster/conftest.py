"""A cluster for the tests, and a project whose runs notice when they are executed twice at once."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.rundir.experiment import ExperimentDirectory

from .small_slurm import SmallSlurm, why_not

WITNESS = Path(__file__).parents[1] / "support/witness.py"
# It notices if two processes execute a run at once.
TRAIN = """
import json, os, pathlib, signal, sys, time
import orch, witness
witness.begin()
run_dir, run = pathlib.Path(os.environ["ORCH_RUN_DIR"]), orch.current()
lr, seed, steps = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
saved = run_dir / "state.json"
step, x = json.loads(saved.read_text()) if saved.exists() else (0, 1.0)
while step < steps and not asked:
    time.sleep(PAUSE)
    step, x = step + 1, x * (1 - lr) + seed * 0.01
    run.log({"x": x}, step=step)
    new = run_dir / f".state-{os.getpid()}"
    new.write_text(json.dumps([step, x]))
    new.replace(saved)
    run.progress(step, steps, saved=step)
witness.end()
if step < steps:
    sys.exit(1)
(run_dir / "results.json").write_text(json.dumps({"test": {"x": x}}))
"""
CONFIG = """\
experiment_id: grid
results_dir: results
lr: 0.1
seed: 0
steps: 5
orch:
  command: [PYTHON, train.py, "{lr}", "{seed}", "{steps}"]
  tracking: {enabled: false}
  workers: 1
  slurm: {pilots: 4, queued: 4, time: 10m, grace: 20}
"""


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallSlurm]:
    """Return a cluster of three nodes."""
    if why := why_not():
        pytest.skip(why)
    cluster = SmallSlurm(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end()


@dataclass
class Project:
    """A project in a folder of its own, on a cluster."""

    folder: Path
    slurm: SmallSlurm

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "orchestrator", *words]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start ``orch``; its output goes to a file."""
        with (self.folder / "output").open("a") as output:
            return subprocess.Popen(
                self.command(*words),
                cwd=self.folder,
                env=self.slurm.environment,
                stdout=output,
                stderr=output,
                text=True,
            )

    @property
    def experiment(self) -> ExperimentDirectory:
        return ExperimentDirectory(self.folder / "results", "grid")

    def results(self) -> list[float]:
        return sorted(float(run.outcome().results["x"]) for run in self.experiment.runs())

    def overlaps(self) -> str:
        path = self.folder / "overlaps"
        return path.read_text() if path.exists() else ""

    def is_executing(self) -> bool:
        """Return whether a pilot runs."""
        return any(" RUNNING " in job for job in self.jobs())

    def jobs(self) -> list[str]:
        said = self.slurm.run("squeue", "-h", "-r", "-t", "RUNNING,PENDING", "-o", "%i %T %N")
        return said.stdout.splitlines()


def expected(lrs: list[float], seeds: list[int], steps: int) -> list[float]:
    """Return the results of one box, without any interruption."""
    found = []
    for lr in lrs:
        for seed in seeds:
            x = 1.0
            for _ in range(steps):
                x = x * (1 - lr) + seed * 0.01
            found.append(x)
    return sorted(found)


def make_project(folder: Path, slurm: SmallSlurm) -> Project:
    (folder / "conf").mkdir()
    shutil.copy(WITNESS, folder)
    (folder / "conf/config.yaml").write_text(CONFIG.replace("PYTHON", sys.executable))
    pause = os.environ.get("CLUSTER_PAUSE", "0.3")
    (folder / "train.py").write_text(TRAIN.replace("PAUSE", pause))
    return Project(folder, slurm)


@pytest.fixture
def project(slurm: SmallSlurm, tmp_path: Path) -> Iterator[Project]:
    """Return a project, and leave no job in the queue."""
    yield make_project(tmp_path, slurm)
    slurm.run("scancel", "--user=root")


@pytest.fixture
def chance() -> random.Random:
    """Return random numbers that are different each time; a failure shows where they began."""
    seed = int(os.environ.get("CLUSTER_SEED", random.randrange(10**6)))  # noqa: S311 # moments of faults
    print(f"CLUSTER_SEED={seed}")
    return random.Random(seed)  # noqa: S311 # as above
