"""Runs share a GPU by their measured memory; the GPU and its driver are stood in for.

Programs take memory of the stand-in as they would of a GPU, and are refused what is not there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STAND_IN = Path(__file__).parent / "gpu_stand_in"
MPS_STAND_IN = Path(__file__).parents[1] / "support/mps_stand_in"
GIB = 1 << 30
CONFIG = """\
results_dir: results
experiment_id: packing
kind: small
seed: 0
orch:
  entry_point: program:main
  arguments: ["{kind}"]
  tracking: {enabled: false}
"""
# A run of each kind: the GiB that it uses from its first iteration on, and from its fourth.
PROGRAM = """\
import sys, time
import pynvml
import orch

KINDS = {"small": (1, 1), "large": (9, 9), "late": (2, 11), "hog": (40, 40)}

def main():
    run = orch.current()
    first, later = KINDS[sys.argv[1]]
    for iteration in range(1, 7):
        pynvml.allocate((later if iteration > 3 else first) << 30)
        time.sleep(0.3)
        run.log({"loss": 1 / iteration}, step=iteration)
        run.progress(iteration, 6)
    run.finish({"loss": 0.1})
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the program and its config, and a machine with one GPU of 32 GiB."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(CONFIG)
    (tmp_path / "program.py").write_text(PROGRAM)
    card = tmp_path / "gpus/GPU-0"
    card.mkdir(parents=True)
    (card / "total").write_text(str(32 * GIB))
    monkeypatch.setenv("GPU_STAND_IN", str(tmp_path / "gpus"))
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    # Any library in the place of the driver's: only whether there is one is looked at.
    driver = tmp_path / "driver"
    driver.mkdir()
    (driver / "libnvidia-ml.so.1").symlink_to(_library_of_c())
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def _library_of_c() -> Path:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return next(Path(line.split()[-1]) for line in lines if "/libc." in line)


def most_at_once(events: list[dict[str, Any]]) -> int:
    """Return how many runs were live at once."""
    live, most = set(), 0
    for event in events:
        if event["event"] == "started":
            live.add(event["run_id"])
        elif event["event"] in {"ended", "retrying"}:
            live.discard(event["run_id"])
        most = max(most, len(live))
    return most


def read_peaks(folder: Path) -> dict[str, int]:
    """Return what the runs have recorded of their memory."""
    found = {path.parent.name: path for path in folder.glob("results/*/training/*/status.json")}
    return {run_id: json.loads(path.read_text())["gpu_memory"] for run_id, path in found.items()}


def orch(folder: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    ended = subprocess.run(
        [Path(sys.executable).with_name("orch"), *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    if arguments[0] != "run":
        return [json.loads(ended.stdout)]
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_mixed_runs_share_a_gpu_without_harm(project: Path) -> None:
    """What grows late or is too large is retried, or fails, by itself; the others are done at the first try."""
    grid = ("kind=small,large,late,hog", "seed=0,1,2,3,4")
    events = orch(project, "run", *grid, code=1)
    started = [each for each in events if each["event"] == "started"]
    kinds = {each["run_id"]: each["overrides"]["kind"] for each in started}
    ended = [each for each in events if each["event"] == "ended"]
    assert Counter((kinds[each["run_id"]], each["state"]) for each in ended) == {
        ("small", "done"): 5,
        ("large", "done"): 5,
        ("late", "done"): 5,
        ("hog", "failed"): 5,
    }
    assert all(each["reason"].startswith("attempt") for each in ended if each["state"] == "failed")
    retried = {kinds[each["run_id"]] for each in events if each["event"] == "retrying"}
    assert retried <= {"late", "hog"}
    assert most_at_once(events) > 1
    peaks = {kinds[run_id]: peak for run_id, peak in read_peaks(project).items()}
    assert (peaks["small"], peaks["large"]) == (GIB, 9 * GIB)


def test_first_run_of_a_kind_is_alone_until_its_memory_is_known(project: Path) -> None:
    """The next `orch run` knows it, and `orch show` and `orch results` show it."""
    first = orch(project, "run", "kind=large", "seed=0,1,2")
    assert most_at_once(first) == 2
    second = orch(project, "run", "kind=large", "seed=range(5)")
    assert most_at_once(second) == 2
    run_id = second[0]["run_id"]
    (shown,) = orch(project, "show", run_id)
    assert shown["gpu_memory"] == 9 * GIB
    (table,) = orch(project, "results", "kind=large", "seed=range(5)")
    (row,) = table["rows"]
    assert row["metrics"]["gpu_memory_gib"]["mean"] == 9.0


@pytest.mark.parametrize(
    ("setting", "most"), [("orch.pack=off", 1), ("orch.pack=3", 3), ("--workers=2", 2)]
)
def test_number_that_the_user_sets_is_kept(project: Path, setting: str, most: int) -> None:
    """Nothing is measured for it."""
    events = orch(project, "run", "kind=small", "seed=0,1,2,3", setting)
    assert most_at_once(events) == most


# One that computes on the GPU until it is killed; what it says at its end is too late.
CLIENT = """\
import os, pathlib, signal, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
clients = pathlib.Path(os.environ["CUDA_MPS_PIPE_DIRECTORY"], "clients")
(clients / str(os.getpid())).touch()
while "{wait}" == "True":
    time.sleep(0.1)
"""


@pytest.fixture
def mps_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of the daemon of MPS, which is stood in for, below a short temporary folder."""
    folder = tempfile.mkdtemp(dir="/tmp")
    monkeypatch.setenv("TMPDIR", folder)
    monkeypatch.setenv("PATH", f"{MPS_STAND_IN}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
    yield Path(folder, f"orch-mps-{os.geteuid()}")
    shutil.rmtree(folder)


def test_client_of_mps_is_ended_before_it_is_killed(project: Path, mps_folder: Path) -> None:
    """The daemon is there before the first run, and gone after the last."""
    (project / "client.py").write_text(CLIENT.replace("{wait}", "False"))
    command = f"orch.command=[{sys.executable},client.py,'{{kind}}']"
    how = (command, "orch.entry_point=null", "orch.arguments=[]", "orch.mps=true")
    orch(project, "run", "kind=a,b", *how)
    asked = mps_folder / "pipes/asked"
    assert asked.read_text().splitlines() == ["start", "quit"]
    asked.unlink()
    (project / "client.py").write_text(CLIENT.replace("{wait}", "True"))
    limits = ("orch.timeout=1", "orch.stop.grace=0.1", "orch.grace=0.1")
    orch(project, "run", "kind=c", *how, *limits, code=1)
    start, terminated, end = asked.read_text().splitlines()
    assert (start, end) == ("start", "quit")
    (path,) = (
        path
        for path in project.glob("results/*/training/*/status.json")
        if json.loads(path.read_text())["state"] == "failed"
    )
    assert terminated.startswith("terminate_client 77 ")
    assert json.loads(path.read_text())["error"]["class"] == "timeout"
