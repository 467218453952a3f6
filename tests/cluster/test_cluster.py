"""Grids on a real Slurm, whatever fails: each run is done once, with the bits of one box."""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from orchestrator.rundir.state import State

from .conftest import Project, expected, make_project
from .faults import FAULTS
from .small_slurm import SmallSlurm, until, why_not

pytestmark = pytest.mark.cluster

LRS, SEEDS, STEPS = [0.1, 0.2, 0.3, 0.4, 0.5], [0, 1, 2, 3, 4, 5], 15
GRID = (f"lr={','.join(map(str, LRS))}", f"seed={','.join(map(str, SEEDS))}", f"steps={STEPS}")


# At the beginning of a program: one run of the grid kills all processes of its job.
END_OF_JOB = """
import os, pathlib, signal, sys
if sys.argv[1:3] == ["0.2", "1"]:
    job = b"SLURM_JOB_ID=" + os.environ["SLURM_JOB_ID"].encode()
    own = os.getpid()
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != own:
            try:
                if job in (entry / "environ").read_bytes().split(b"\\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                pass
    os.kill(own, signal.SIGKILL)
"""


def check(project: Project) -> None:
    assert project.overlaps() == ""
    assert project.results() == expected(LRS, SEEDS, STEPS)


@pytest.mark.parametrize("fault", FAULTS)
def test_grid_survives(project: Project, chance: random.Random, fault: str) -> None:
    """One kind of fault, at three random moments."""
    orch = project.start("run", *GRID)
    until(project.jobs, "pilots")
    for _ in range(3):
        time.sleep(chance.uniform(1, 8))
        FAULTS[fault](project.slurm, chance)
    assert orch.wait(400) == 0, (project.folder / "output").read_text()
    check(project)


def test_grid_survives_everything_at_once(project: Project, chance: random.Random) -> None:
    """And ``orch run`` is killed and started again in between."""
    orch = project.start("run", *GRID)
    until(project.jobs, "pilots")
    for _ in range(8):
        time.sleep(chance.uniform(0, 5))
        FAULTS[chance.choice(sorted(FAULTS))](project.slurm, chance)
        if chance.random() < 0.3:
            orch.kill()
            orch.wait()
            orch = project.start("run", *GRID)
    assert orch.wait(500) == 0, (project.folder / "output").read_text()
    check(project)


def test_time_limit_costs_no_iteration(project: Project) -> None:
    """Runs are asked for a checkpoint before the end, and the next pilots resume them."""
    grid = ("lr=0.1", "seed=0,1,2", "steps=300", "orch.slurm.time=1m", "orch.slurm.grace=20")
    orch = project.start("run", *grid)
    assert orch.wait(550) == 0, (project.folder / "output").read_text()
    assert project.results() == expected([0.1], [0, 1, 2], 300)
    attempts = [run.observe().attempts for run in project.experiment.runs()]
    assert min(attempts) >= 2


@pytest.mark.parametrize("workers", [1, 2])
def test_run_that_ends_its_pilot_each_time_fails_and_the_others_are_done(
    project: Project, workers: int
) -> None:
    """As one does that uses all the memory of its job: everything in it is killed at once."""
    grid = ("lr=0.1,0.2", "seed=0,1,2", "steps=3", f"orch.workers={workers}")
    program = project.folder / "train.py"
    program.write_text(f"{END_OF_JOB}{program.read_text()}")
    orch = project.start("run", *grid)
    assert orch.wait(400) == 1, (project.folder / "output").read_text()
    seen = {run.run_id: run.observe() for run in project.experiment.runs()}
    (failed,) = [run_id for run_id, each in seen.items() if each.state is State.FAILED]
    assert project.experiment.run(failed).read_chosen().overrides == {"lr": 0.2, "seed": 1}
    assert seen[failed].attempts == 3
    assert "3 times in a row its job ended" in (project.folder / "output").read_text()
    assert sum(each.state is State.DONE for each in seen.values()) == 5
    # The same command tries it again.
    assert project.start("run", *grid).wait(400) == 1
    assert project.experiment.run(failed).observe().attempts == 4


def test_no_second_set_of_pilots(project: Project, chance: random.Random) -> None:
    """``orch run`` is killed at ten random moments, and started again."""
    lock = project.experiment.path / "orchestrators.lock"
    for _ in range(10):
        orch = project.start("run", *GRID)
        until(lambda orch=orch: lock.exists() or orch.poll() is not None, "orch run")
        time.sleep(chance.choice([chance.uniform(0, 0.3), chance.uniform(0, 3)]))
        orch.send_signal(signal.SIGKILL)
        orch.wait()
        assert len(project.jobs()) <= 4
    assert project.start("run", *GRID).wait(400) == 0
    check(project)
    attempts = [run.observe().attempts for run in project.experiment.runs()]
    assert attempts == [1] * len(attempts)


def test_many_short_runs_take_few_commands(project: Project) -> None:
    """The number of jobs does not grow with that of runs."""
    folder = project.folder / "bin"
    folder.mkdir()
    for command in ("sbatch", "squeue"):
        program = project.slurm.run("which", command).stdout.strip()
        (folder / command).write_text(
            f'#!/bin/sh\ndate +%s >> {folder}/{command}.calls\nexec {program} "$@"\n'
        )
        (folder / command).chmod(0o755)
    project.slurm.environment["PATH"] = f"{folder}:{project.slurm.environment['PATH']}"
    (project.folder / "fast.py").write_text(
        "import os, sys\n\ndef main():\n    path = os.environ['ORCH_RUN_DIR'] + '/results.json'\n"
        "    with open(path, 'w') as file:\n        file.write('{\"test\": {\"x\": 1}}')\n"
    )
    seeds = ",".join(map(str, range(1000)))
    try:
        words = ("orch.command=null", "+orch.entry_point=fast:main")
        began = time.monotonic()
        assert project.start("run", f"seed={seeds}", *words, "--quiet").wait(550) == 0
        took = time.monotonic() - began
    finally:
        project.slurm.environment["PATH"] = project.slurm.environment["PATH"].partition(":")[2]
    submitted = (folder / "sbatch.calls").read_text().split()
    asked = sorted(map(int, (folder / "squeue.calls").read_text().split()))
    print(f"{len(submitted)} sbatch, {len(asked)} squeue in {took:.0f} s")
    assert len(submitted) <= 8
    by_pilots = 4  # each asks once how long it has
    assert len(asked) <= took / 10 + 2 + by_pilots * len(submitted)
    assert len(project.results()) == 1000


def test_node_local_locks_are_refused_in_one_line(tmp_path: Path) -> None:
    """No run is started twice, and ``orch run`` says why, at once."""
    if why := why_not() or ("" if shutil.which("bindfs") else "bindfs is not installed"):
        pytest.skip(why)
    folder = tmp_path / "project"
    folder.mkdir()
    slurm = SmallSlurm(tmp_path / "slurm", folder)
    try:
        slurm.start()
        project = make_project(folder, slurm)
        assert project.start("run", *GRID, "orch.slurm.time=1h").wait(200) == 2
        *_, line = (folder / "output").read_text().splitlines()
        assert line.startswith("orch: ")
        assert "locks on this file system (fuse) do not reach from host to host" in line
        assert project.overlaps() == ""
    finally:
        slurm.end()


def test_skipped_with_a_reason_where_slurm_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from . import small_slurm  # noqa: PLC0415

    monkeypatch.setattr(small_slurm, "PATH", str(Path("/nowhere")))
    assert small_slurm.why_not().startswith("Slurm is not installed: slurmctld, slurmd, munged")
