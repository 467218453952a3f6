"""Run directories that an earlier version left are read, skipped, resumed and retried as before.

``earlier/`` holds them as the first version wrote them: a run that is done and one that was killed
at iteration 5 of 30 (``trained``), one that is done and one that failed (``programs``), and what
``orch status --json`` said of them then.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EARLIER = Path(__file__).parent / "earlier"
ORCH = Path(sys.executable).with_name("orch")
DONE, KILLED = "034de58f4d2c708a", "5512d0fd782daaaf"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EARLIER, tmp_path / "earlier"))


def _orch(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(ORCH), f"--config-name={name}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _status(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    said = json.loads(_orch(folder, name, "status", "--json").stdout)
    assert said["schema"] == 1
    return {run["run_id"]: run for run in said["runs"]}


@pytest.mark.parametrize("name", ["trained", "programs"])
def test_status_says_of_them_what_it_said_then(folder: Path, name: str) -> None:
    then = json.loads((EARLIER / f"{name}-status.json").read_text())
    now = _status(folder, name)
    assert then["runs"]
    for run in then["runs"]:
        here = now[run["run_id"]]
        assert {key: here[key] for key in run if key != "metrics"} == {
            key: value for key, value in run.items() if key != "metrics"
        }
        assert run["metrics"].items() <= here["metrics"].items()


def test_plan_gives_them_the_same_ids_and_actions(folder: Path) -> None:
    plan = json.loads(_orch(folder, "trained", "plan", "seed=0,1", "--json").stdout)
    assert {run["run_id"]: run["action"] for run in plan["runs"]} == {
        DONE: "skip",
        KILLED: "resume",
    }
    plan = json.loads(_orch(folder, "programs", "plan", "x=0,1", "--json").stdout)
    assert [run["action"] for run in plan["runs"]] == ["skip", "retry"]


def test_training_that_was_killed_is_finished_and_the_one_that_is_done_stays(folder: Path) -> None:
    done = folder / "kept/trained/training" / DONE
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*")}
    ran = _orch(folder, "trained", "run", "seed=0,1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    killed = folder / "kept/trained/training" / KILLED
    status = json.loads((killed / "status.json").read_text())
    assert (status["state"], status["attempt"]) == ("done", 2)
    assert json.loads((killed / "progress.json").read_text())["iteration"] == 30
    points = [json.loads(line) for line in (killed / "metrics.jsonl").read_text().splitlines()]
    steps = [point["step"] for point in points if point["key"] == "train/loss"]
    assert sorted(steps) == sorted(set(steps))
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*")} == before


def test_program_that_failed_is_retried(folder: Path) -> None:
    assert _orch(folder, "programs", "run", "x=0,1").returncode == 1
    (status,) = [run for run in _status(folder, "programs").values() if run["state"] == "failed"]
    assert status["attempt"] == 2
