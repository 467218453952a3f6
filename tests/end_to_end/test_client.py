"""A script with ``import orch`` gets progress, metrics, results and resuming, and works without it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ORCH = Path(sys.executable).with_name("orch")
CONFIG = f"""
results_dir: results
experiment_id: mine
lr: 0.1
orch:
  command: [{sys.executable}, train.py, "{{lr}}"]
  tracking: {{enabled: false}}
"""
SCRIPT = """
import os, pathlib, signal, sys, time
import orch

run = orch.current()
last = run.checkpoint()
begin = int(last.read_text()) if last else 0
for epoch in range(begin, 6):
    run.log({"loss": (10 - epoch) * float(sys.argv[1])}, step=epoch)
    if epoch == 3 and run.attempt == 1 and os.environ.get("DIE"):
        os.kill(os.getpid(), signal.SIGKILL)
    if run.dir:
        folder = run.dir / "checkpoints"
        folder.mkdir(exist_ok=True)
        (folder / "state.tmp").write_text(str(epoch + 1))
        (folder / "state.tmp").rename(folder / "state")
    run.progress(epoch + 1, 6)
    while os.environ.get("WAIT") and run.attempt == 1 and not run.stop_requested:
        pathlib.Path("waiting").touch()
        time.sleep(0.01)
    if run.stop_requested:
        run.stop()
run.finish({"test/score": float(sys.argv[1])})
print("began at", begin)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(CONFIG)
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path


def _orch(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["env", *(f"{key}={value}" for key, value in environment.items()), str(ORCH)]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def _status(folder: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(_orch(folder, "status", "--json").stdout)["runs"]
    return runs


def _points(folder: Path) -> list[tuple[str, int]]:
    (file,) = folder.glob("results/mine/training/*/metrics.jsonl")
    points = [json.loads(line) for line in file.read_text().splitlines()]
    return [(point["key"], point["step"]) for point in points]


def test_killed_script_goes_on_where_it_stopped_and_each_point_stands_once(folder: Path) -> None:
    assert _orch(folder, "run", DIE="1").returncode == 1
    assert _orch(folder, "run", DIE="1").returncode == 0
    (run,) = _status(folder)
    assert (run["state"], run["attempt"], run["iteration"], run["iterations"]) == ("done", 2, 6, 6)
    assert _points(folder) == [("loss", epoch) for epoch in range(6)]
    assert "began at 3" in _orch(folder, "logs", run["run_id"][:4]).stdout
    results = json.loads(_orch(folder, "results", "--json").stdout)
    assert "test/score" in json.dumps(results)


def test_script_that_is_asked_to_stop_saves_and_is_resumed(folder: Path) -> None:
    with subprocess.Popen(
        ["env", "WAIT=1", str(ORCH), "run"], cwd=folder, stdout=subprocess.DEVNULL
    ) as grid:
        while not (folder / "waiting").exists():
            assert grid.poll() is None
            time.sleep(0.01)
        grid.send_signal(signal.SIGINT)
        assert grid.wait() == 130
    (run,) = _status(folder)
    assert (run["state"], run["iteration"]) == ("stale", 1)
    assert _orch(folder, "run").returncode == 0
    assert _points(folder) == [("loss", epoch) for epoch in range(6)]


def test_script_runs_by_hand_as_it_is(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "train.py", "0.1"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "began at 0\n"
    assert {path.name for path in folder.iterdir()} == {"conf", "train.py"}
