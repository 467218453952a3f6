"""Whole grids on a real Slurm, with every fault in each: done once, the bits of one box, each point once.

Ten grids take half an hour. ``CLUSTER_SEEDS=3,4`` chooses others.
"""

import contextlib
import os
import random
import re
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.rundir.state import State

from .conftest import Project, expected
from .faults import FAULTS
from .small_slurm import NODES, until

pytestmark = pytest.mark.cluster

LRS, SEEDS, STEPS = [0.1, 0.2, 0.3, 0.4, 0.5], [0, 1, 2, 3, 4, 5], 30
# Pilots end by their time limit as well; programs that a test kills are retried.
GRID = (
    *(f"lr={','.join(map(str, LRS))}", f"seed={','.join(map(str, SEEDS))}", f"steps={STEPS}"),
    *("orch.tracking.enabled=true", "orch.slurm.time=1m", "orch.slurm.grace=20", "orch.retries=9"),
)
ASKED = re.compile(r"CANCELLED AT \S+ \*\*\*")  # otherwise a reason follows
GRIDS = [int(seed) for seed in os.environ.get("CLUSTER_SEEDS", "0,1,2,3,4,5,6,7,8,9").split(",")]


class Soak:
    """A grid that is executed while everything fails that can."""

    def __init__(self, project: Project, chance: random.Random) -> None:
        self.project = project
        self.chance = chance
        self.told: Counter[str] = Counter()
        self.orch = project.start("run", *GRID)

    def kill_orch_run(self) -> None:
        self.orch.kill()
        self.orch.wait()
        self.pause(3)
        self.orch = self.project.start("run", *GRID)

    def kill_orch_sync(self) -> None:
        sync = self.project.start("sync", *GRID)
        self.pause(6)
        sync.kill()
        sync.wait()

    def kill_process_of_a_pilot(self) -> None:
        """The pilot itself, its warm server, a runner, or a program."""
        slurm = self.project.slurm
        for pid in slurm.on_node(self.chance.choice(NODES))[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_reporter(self) -> None:
        folder = str(self.project.folder).encode()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
                if b"orchestrator.tracking" in words and folder in words:
                    os.kill(int(entry.name), signal.SIGKILL)

    def faults(self) -> dict[str, Callable[[], object]]:
        """Return what fails in each grid, by name."""
        by_slurm = {
            name: lambda fault=fault: fault(self.project.slurm, self.chance)
            for name, fault in FAULTS.items()
        }
        ours = (
            *(self.kill_orch_run, self.kill_orch_sync),
            *(self.kill_process_of_a_pilot, self.kill_reporter),
        )
        return {**by_slurm, **{each.__name__: each for each in ours}}

    def pause(self, longest: float) -> None:
        time.sleep(self.chance.uniform(0, longest))

    def execute(self) -> None:
        """Let each fault strike once, in any order and at any moment, while pilots execute runs."""
        faults = self.faults()
        until(self.project.is_executing, "pilots")
        for name in self.chance.sample(sorted(faults), len(faults)):
            self.pause(5)
            if self.orch.poll() is not None:
                break
            until(
                lambda: self.project.is_executing() or self.orch.poll() is not None, "pilots", 300
            )
            faults[name]()
            self.told[name] += 1
        if self.orch.wait(900) != 0:
            raise AssertionError((self.project.folder / "output").read_text())

    def time_limits(self) -> int:
        """Return how many pilots were asked to stop because their time was nearly over.

        Slurm's signal may come before a pilot looks at its clock, and is told like that of ``scancel``.
        """
        logs = (self.project.experiment.path / "pilots").glob("*.log")
        said = [log.read_text(errors="replace") for log in logs]
        asked = sum("the time is nearly over" in text or bool(ASKED.search(text)) for text in said)
        return asked - self.told["cancel"]


def miscounted(project: Project) -> list[str]:
    """Say which points MLflow lacks, has twice, or has with another value."""
    sent: dict[tuple[str, int], list[float]] = {}
    with contextlib.closing(sqlite3.connect(project.folder / "results/mlflow.db")) as store:
        query = (
            "SELECT t.value, m.step, m.value FROM metrics m JOIN tags t ON t.run_uuid = m.run_uuid"
            " WHERE t.key = 'orch.run_id' AND m.key = 'x'"
        )
        for run_id, step, value in store.execute(query):
            sent.setdefault((run_id, step), []).append(value)
    wanted: dict[tuple[str, int], list[float]] = {}
    for run in project.experiment.runs():
        point, x = run.read_chosen().overrides, 1.0
        for step in range(1, STEPS + 1):
            x = x * (1 - float(str(point["lr"]))) + float(str(point["seed"])) * 0.01
            wanted[run.run_id, step] = [x]
    return [
        f"{point}: {sent.get(point)}, and not {wanted.get(point)}"
        for point in wanted | sent
        if sent.get(point) != wanted.get(point)
    ]


@pytest.mark.parametrize("seed", GRIDS)
def test_grid_survives_every_fault(project: Project, seed: int) -> None:
    """Besides what Slurm suffers, ``orch run``, ``orch sync``, the reporter and a pilot are killed."""
    began = time.monotonic()
    soak = Soak(project, random.Random(seed))  # noqa: S311 # moments of faults
    soak.execute()
    assert project.start("sync", *GRID).wait(300) == 0, (project.folder / "output").read_text()
    seen = [run.observe() for run in project.experiment.runs()]
    print(
        f"grid {seed}: {len(seen)} runs, {sum(each.attempts for each in seen)} attempts,"
        f" {soak.time_limits()} pilots at their time limit, {', '.join(soak.told)};"
        f" {time.monotonic() - began:.0f} s",
        flush=True,
    )
    assert [each.state for each in seen] == [State.DONE] * len(LRS) * len(SEEDS)
    assert project.overlaps() == ""
    assert project.results() == expected(LRS, SEEDS, STEPS)
    assert miscounted(project) == []
    assert len(soak.told) == len(soak.faults())
    assert soak.time_limits()
