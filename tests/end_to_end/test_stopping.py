"""Runs are stopped from their terminal and from another one, drained, and resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from thinning import others_in_soak

ORCH = Path(sys.executable).with_name("orch")
CONFIG = f"""
results_dir: results
experiment_id: mine
lr: 0.1
orch:
  command: [{sys.executable}, train.py, "{{lr}}"]
  tracking: {{enabled: false}}
"""
# Waits in its third of six epochs until a file lets it go; if asked, it exits with code 0.
SCRIPT = """
import json, os, pathlib, signal, sys, time

asked = []
number = signal.Signals[os.environ["ORCH_STOP_SIGNAL"]]
signal.signal(number, lambda *_: asked.append(1))
folder = pathlib.Path(os.environ["ORCH_RUN_DIR"])
first = 0
if os.environ.get("SAVES") and (folder / "last.ckpt").exists():
    first = int((folder / "last.ckpt").read_text())
print("begins at", first)
for epoch in range(first, 6):
    (folder / "progress.json.tmp").write_text(json.dumps({"iteration": epoch + 1, "iterations": 6}))
    (folder / "progress.json.tmp").replace(folder / "progress.json")
    if os.environ.get("SAVES"):
        (folder / "last.ckpt").write_text(str(epoch + 1))
    while epoch == 2 and not asked and not pathlib.Path("go").exists():
        pathlib.Path(f"waiting-{sys.argv[1]}").touch()
        time.sleep(0.01)
    if asked:
        sys.exit(0)
(folder / "results.json").write_text(json.dumps({"test": {"score": 1.0}}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(CONFIG)
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path


def orch(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["env", *(f"{key}={value}" for key, value in environment.items()), str(ORCH)]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def begin(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start ``orch run`` and return when its first run waits."""
    command = ["env", *(f"{key}={value}" for key, value in environment.items()), str(ORCH)]
    grid = subprocess.Popen(
        [*command, "run", "--workers=1", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not [*folder.glob("waiting-*")]:
        assert grid.poll() is None
        time.sleep(0.01)
    return grid


def states(folder: Path) -> list[str]:
    return [run["state"] for run in status(folder)]


def status(folder: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(orch(folder, "status", "--json").stdout)["runs"]
    return runs


@pytest.mark.parametrize("by", others_in_soak(["Ctrl-C", "orch stop"], ["Ctrl-C"]))
def test_program_that_exits_with_code_zero_when_asked_is_resumed_not_done(
    folder: Path, by: str
) -> None:
    """It was done at 3 of 6 before; now it is resumed from what it saved."""
    with begin(folder, SAVES="1") as grid:
        if by == "Ctrl-C":
            grid.send_signal(signal.SIGINT)
        else:
            asked = orch(folder, "stop").stdout
            assert asked.startswith("Asked every orch run of mine to stop: 1 run ends at its next")
        said, _ = grid.communicate()
    assert grid.returncode == 130
    assert "stopping: 1 run ends at its next checkpoint (again: end them at once)" in said
    (run,) = status(folder)
    assert run["state"] == "stale"
    assert "progress 3 of 6, resumes if the program loads last.ckpt" in run["reason"]
    assert "0 of 1 run is done, 1 left" in said
    (folder / "go").touch()
    assert orch(folder, "run", SAVES="1").returncode == 0
    assert "begins at 3" in orch(folder, "logs", run["run_id"][:4]).stdout
    assert states(folder) == ["done"]


def test_user_is_told_that_a_program_without_checkpoints_restarts(folder: Path) -> None:
    """The request says it, and so do status, plan and show."""
    with begin(folder) as grid:
        grid.send_signal(signal.SIGINT)
        said, _ = grid.communicate()
    assert "1 run is asked to stop; it has saved nothing and restarts from the beginning" in said
    (run,) = status(folder)
    assert (run["state"], run["iteration"]) == ("stale", 3)
    told = "progress 3 of 6, restarts from the beginning"
    assert run["reason"].endswith(told)
    assert told in orch(folder, "plan").stdout
    assert told in orch(folder, "show", run["run_id"]).stdout


@pytest.mark.parametrize("by", ["orch stop --drain", "orch run --drain"])
def test_drained_run_finishes_and_no_other_starts(folder: Path, by: str) -> None:
    """Exit code 3: runs are left, and none was interrupted."""
    arguments = ["lr=0.1,0.2"]
    if by == "orch run --drain":
        with begin(folder, *arguments, "--drain") as grid:
            grid.send_signal(signal.SIGINT)
            assert grid.stdout is not None
            for line in grid.stdout:
                if "draining" in line:
                    (folder / "go").touch()
    else:
        with begin(folder, *arguments) as grid:
            orch(folder, "stop", "--drain")
            assert grid.stdout is not None
            for line in grid.stdout:
                if "draining" in line:
                    (folder / "go").touch()
    assert grid.returncode == 3
    assert states(folder) == ["done"]


def test_stopped_at_once_a_run_is_killed(folder: Path) -> None:
    with begin(folder) as grid:
        told = json.loads(orch(folder, "stop", "--now", "--json").stdout)
        said, _ = grid.communicate()
    assert told == {
        "schema": 1,
        "experiment_id": "mine",
        "asked": True,
        "how": "at_once",
        "live": 1,
        "unsaved": 1,
    }
    assert grid.returncode == 130
    assert "ending 1 run at once" in said
    assert states(folder) == ["stale"]


def test_request_ends_neither_another_experiment_nor_the_next_orch_run(folder: Path) -> None:
    with begin(folder) as grid:
        assert "No orch run executes other" in orch(folder, "stop", "experiment_id=other").stdout
        orch(folder, "stop")
        grid.communicate()
    (folder / "go").touch()
    assert orch(folder, "run").returncode == 0
    stopped = orch(folder, "stop")
    assert (stopped.returncode, stopped.stdout) == (
        0,
        "No orch run executes mine: nothing was asked to stop.\n",
    )


def test_config_says_how_a_program_is_asked(folder: Path) -> None:
    """Its signal, how long it has, and what exit code 0 means afterwards."""
    settings = ["+orch.stop={signal: SIGUSR1, exit_zero: done, grace: 1m}"]
    with begin(folder, *settings) as grid:
        grid.send_signal(signal.SIGINT)
        grid.communicate()
    assert states(folder) == ["done"]


def test_program_that_takes_longer_than_its_grace_is_killed(folder: Path) -> None:
    deaf = SCRIPT.replace("lambda *_: asked.append(1)", "signal.SIG_IGN")
    (folder / "train.py").write_text(deaf)
    with begin(folder, "+orch.stop.grace=0.2s") as grid:
        grid.send_signal(signal.SIGINT)
        grid.communicate()
    assert grid.returncode == 130
    (run,) = status(folder)
    assert json.loads(orch(folder, "show", run["run_id"], "--json").stdout)["exit_code"] == -9


def test_function_is_asked_with_a_signal_that_otherwise_shows_its_stacks(folder: Path) -> None:
    """SIGUSR1 belongs to the program where the config says so."""
    (folder / "mine.py").write_text(f"def main():\n    exec({SCRIPT!r}, {{}})\n")
    changed = CONFIG.replace("command: [", "entry_point: mine:main\n  arguments: [x, ").replace(
        f"{sys.executable}, train.py, ", ""
    )
    (folder / "conf/config.yaml").write_text(changed)
    with begin(folder, "+orch.stop.signal=SIGUSR1") as grid:
        grid.send_signal(signal.SIGINT)
        grid.communicate()
    (run,) = status(folder)
    assert run["state"] == "stale"
    assert "Current thread" not in orch(folder, "logs", run["run_id"]).stdout


def test_grid_is_paused_resumed_and_given_workers_while_it_runs(folder: Path) -> None:
    """Nothing starts in a pause; afterwards two runs start at once. The next orch run knows nothing of it."""
    grid = begin(folder, "lr=1,2,3", "--json")
    assert "pause" in orch(folder, "control", "--pause", "--workers=2").stdout
    assert grid.stdout
    events = iter(grid.stdout.readline, "")
    for line in events:
        if json.loads(line)["event"] == "controlled":
            break
    (folder / "go").touch()
    for line in events:
        if json.loads(line)["event"] == "ended":
            break
    assert [each["state"] for each in status(folder)] == ["done"]
    (folder / "go").unlink()
    orch(folder, "control", "--resume")
    told = [json.loads(next(events)) for _ in range(3)]
    assert [each["event"] for each in told] == ["controlled", "started", "started"]
    assert sorted(each["slot"] for each in told[1:]) == [0, 1]
    (folder / "go").touch()
    with grid:
        last = [json.loads(line) for line in events][-1]
    assert (grid.returncode, last["done"]) == (0, 3)
    again = orch(folder, "run", "--json", "lr=1,2,3,4", "--workers=1").stdout.splitlines()
    assert "controlled" not in {json.loads(line)["event"] for line in again}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_at_the_end_is_told_of_an_interruption(
    folder: Path, number: signal.Signals
) -> None:
    """Ctrl-C in the terminal reaches its whole process group, and not this command."""
    with begin(folder, "lr=1,2", "orch.at_end=[sh,-c,'cat > told.json']") as grid:
        grid.send_signal(number)
    assert grid.returncode == 130
    told = json.loads((folder / "told.json").read_text())
    assert (told["interrupted"], told["exit_code"], told["left"]) == (True, 130, 2)
