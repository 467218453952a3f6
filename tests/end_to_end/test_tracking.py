"""Whatever is killed, MLflow ends with each run once, and each point once, as the files say."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own
CONFIG = """\
results_dir: results
experiment_id: small
seed: 0
orch:
  command: [{python}, {program}]
  tracking: {{uri: {uri}, artifacts: false}}
"""
# Writes a point of two metrics every moment, and goes on where it was; some of its lines are torn.
PROGRAM = """\
import json, os, sys, time
folder = os.environ["ORCH_RUN_DIR"]
path = folder + "/metrics.jsonl"
content = open(path, "rb").read() if os.path.exists(path) else b""
whole = content[: content.rfind(b"\\n") + 1]
if whole != content:
    os.truncate(path, len(whole))
first = len(whole.splitlines()) // 2
with open(path, "a", buffering=1) as file:
    for step in range(first, 40):
        for key in ("loss", "accuracy"):
            point = {"key": key, "value": 1 / (step + 1), "step": step, "timestamp": int(time.time() * 1000)}
            file.write(json.dumps(point) + "\\n")
        time.sleep(0.02)
"""


def make_project(folder: Path, uri: str) -> None:
    (folder / "conf").mkdir()
    (folder / "program.py").write_text(PROGRAM)
    config = CONFIG.format(python=sys.executable, program=folder / "program.py", uri=uri)
    (folder / "conf/config.yaml").write_text(config)


def orch(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start orch; all that it starts carries a mark in its environment."""
    with (folder / "output").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *words],
            cwd=folder,
            stdout=output,
            stderr=output,
            env={**os.environ, "CANARY_OF_THIS_TEST": str(folder)},
        )


def ours(folder: Path) -> list[int]:
    """Return the processes that this test has started, all the way down."""
    mark = f"CANARY_OF_THIS_TEST={folder}\0".encode()
    found = []
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdecimal() and mark in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def kill_at_random(folder: Path, count: int, seed: int) -> None:
    """Run the grid repeatedly, and kill one process of it after the other."""
    generator = random.Random(seed)  # noqa: S311 # chaos, no secret
    running = None
    for _ in range(count):
        if running is None or running.poll() is not None:
            running = orch(folder, "run", "seed=range(12)", "--workers=3")
        select.select([], [], [], generator.uniform(0.2, 1.5))
        if processes := ours(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(generator.choice(processes), signal.SIGKILL)
    assert running is not None
    running.wait(timeout=300)


def finish(folder: Path) -> None:
    """Let the grid and its report come to their ends; the second report has nothing to send."""
    deadline = time.monotonic() + 300
    for words in (("run", "seed=range(12)", "--workers=3"), ("sync",)):
        while orch(folder, *words).wait(timeout=300) != 0:
            assert time.monotonic() < deadline, (folder / "output").read_text()
    assert orch(folder, "sync").wait(timeout=120) == 0
    assert (
        (folder / "output")
        .read_text()
        .endswith("Nothing to send: everything has arrived at MLflow.\n")
    )


def points_in_files(folder: Path) -> dict[str, list[Any]]:
    return {
        path.parent.name: sorted(
            (point["key"], point["step"], point["value"])
            for point in map(json.loads, path.read_text().splitlines())
        )
        for path in folder.glob("results/small/training/*/metrics.jsonl")
    }


def points_in_store(uri: str) -> dict[str, list[Any]]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    ids = [run.data.tags["orch.run_id"] for run in found]
    assert len(set(ids)) == len(ids)
    assert {run.info.status for run in found} == {"FINISHED"}
    return {
        run.data.tags["orch.run_id"]: sorted(
            (key, point.step, point.value)
            for key in run.data.metrics
            for point in client.get_metric_history(run.info.run_id, key)
        )
        for run in found
    }


@pytest.mark.soak
@pytest.mark.parametrize("kills", [8, 100], ids=["short", "long"])
def test_after_random_kills_the_store_says_what_the_files_say(tmp_path: Path, kills: int) -> None:
    """Trainers, runners, orchestrator and reporter: nothing lost, nothing twice."""
    uri = f"sqlite:///{tmp_path}/store.db"
    make_project(tmp_path, uri)
    kill_at_random(tmp_path, kills, seed=kills)
    finish(tmp_path)
    expected = points_in_files(tmp_path)
    assert len(expected) == 12
    assert all(len(points) == 80 for points in expected.values())
    assert points_in_store(uri) == expected
    assert ours(tmp_path) == []


@pytest.mark.soak
def test_server_that_is_killed_with_the_rest_ends_with_each_point_once(tmp_path: Path) -> None:
    """A real tracking server on loopback, killed and started again while everything else is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    make_project(tmp_path, uri)

    def serve() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "mlflow", "server", "--workers=1", f"--port={port}"]
        with (tmp_path / "server.log").open("ab") as log:
            return subprocess.Popen(
                [*command, f"--backend-store-uri=sqlite:///{tmp_path}/server.db"],
                cwd=tmp_path,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    server = serve()
    try:
        for round_of_kills in range(5):
            deadline = time.monotonic() + 90
            while not answers() and time.monotonic() < deadline:
                select.select([], [], [], 0.2)
            kill_at_random(tmp_path, 20, seed=round_of_kills)
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            orch(tmp_path, "run", "seed=range(12)", "--workers=3").wait(timeout=300)
            server = serve()
        finish(tmp_path)
        assert points_in_store(uri) == points_in_files(tmp_path)
        assert len(points_in_files(tmp_path)) == 12
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
