"""A real grid, from the command line to the MLflow store, and what survives the worst."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GRID = (
    "experiment_id=small",
    "training=grid_search",
    "model=mlp",
    "optimizer.lr=0.03,0.3",
    "batch_size=64",
    "seed=0,1",
    "iterations=4",
)


def orch(folder: Path, *arguments: str, code: int = 0) -> str:
    """Call orch in a folder with our config, and return what it printed."""
    ended = subprocess.run(
        [Path(sys.executable).with_name("orch"), *arguments, f"--config-dir={ROOT / 'conf'}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def run_directories(folder: Path) -> list[Path]:
    return sorted((folder / "results/small/training").glob("[0-9a-f]*"))


def times(*folders: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for each in folders for path in [each, *each.rglob("*")]}


def state(directory: Path) -> str:
    return str(read(directory / "status.json")["state"])


def states(folder: Path) -> list[str]:
    return sorted(state(each) for each in run_directories(folder))


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of what each point ended with."""
    return {
        str(read(each / "run.json")["overrides"]): read(each / "results.json")["digest"]
        for each in run_directories(folder)
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the grid has run without a disturbance."""
    folder = tmp_path_factory.mktemp("finished")
    orch(folder, "run", *GRID, "--workers=2")
    return folder


def test_plan_shows_the_contract_and_writes_nothing(tmp_path: Path) -> None:
    """``orch plan --json`` has every field of the contract."""
    plan = json.loads(orch(tmp_path, "plan", *GRID, "--json"))
    assert plan["schema"] == 1
    assert plan["experiment_id"] == "small"
    assert plan["directory"] == "results/small/training"
    assert (plan["points"], plan["duplicates"]) == (4, 0)
    assert plan["states"] == {"pending": 4, "running": 0, "stale": 0, "failed": 0, "done": 0}
    assert [set(item) for item in plan["filters"]] == [{"filter", "excluded"}] * 2
    for run in plan["runs"]:
        assert set(run) >= {"run_id", "overrides", "state", "action", "reason"}
        assert len(run["run_id"]) == 16
        assert (run["state"], run["action"]) == ("pending", "run")
    assert list(tmp_path.iterdir()) == []


def test_grid_ends_with_every_run_done_and_its_files(finished: Path) -> None:
    """Each run directory holds what the contract says."""
    directories = run_directories(finished)
    assert len(directories) == 4
    for directory in directories:
        status = read(directory / "status.json")
        assert (status["state"], status["attempt"], status["exit_code"]) == ("done", 1, 0)
        assert read(directory / "run.json")["digest"].startswith(directory.name)
        assert read(directory / "progress.json")["iteration"] == 4
        assert read(directory / "results.json")["test"]["test/accuracy"] > 0.5
        assert (directory / "checkpoints/best.pt").exists()
        assert (directory / "logs/attempt-001.log").exists()


def test_status_tells_each_run_as_the_contract_says(finished: Path) -> None:
    """``orch status --json`` has every field, with progress and metrics."""
    status = json.loads(orch(finished, "status", *GRID, "--json"))
    assert status["schema"] == 1
    for run in status["runs"]:
        assert run["state"] == "done"
        assert (run["attempt"], run["iteration"], run["iterations"]) == (1, 4, 4)
        assert "validation/accuracy" in run["metrics"]
        assert run["started_at"] < run["ended_at"]
        assert set(run["overrides"]) == {"optimizer.lr", "seed"}


def test_same_command_again_executes_and_writes_nothing(finished: Path) -> None:
    """Not one file of the results changes its time."""
    before = times(finished)
    assert "Nothing to do" in orch(finished, "run", *GRID, "--workers=2")
    assert times(finished) == before


def test_mlflow_holds_every_run_once(finished: Path) -> None:
    """One finished MLflow run each, one point per iteration, parameters, test results, the tag."""
    script = f"""
import json
from mlflow.tracking import MlflowClient
client = MlflowClient("sqlite:///{finished}/results/mlflow.db")
experiment = client.get_experiment_by_name("small")
print(json.dumps([
    {{"id": run.data.tags["orch.run_id"], "status": run.info.status, "params": run.data.params,
      "steps": {{key: [point.step for point in client.get_metric_history(run.info.run_id, key)]
                for key in run.data.metrics}}}}
    for run in client.search_runs([experiment.experiment_id])]))
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    runs = json.loads(ended.stdout.splitlines()[-1])
    assert sorted(run["id"] for run in runs) == [each.name for each in run_directories(finished)]
    for run in runs:
        assert run["status"] == "FINISHED"
        assert run["params"]["model.name"] == "Mlp"
        assert run["params"]["iterations"] == "4"
        for key in ("train/loss", "validation/loss", "validation/accuracy", "lr"):
            assert run["steps"][key] == [1, 2, 3, 4]
        assert run["steps"]["test/accuracy"] == [4]


def test_cold_process_gives_the_same_bits_as_a_warm_one(finished: Path, tmp_path: Path) -> None:
    """A trainer that was forked from a loaded process and one started on its own agree."""
    command = f"orch.command=[{sys.executable},-m,trainer,'{{run_dir}}']"
    one = [*GRID, "optimizer.lr=0.03", "seed=0", "orch.tracking.enabled=false"]
    orch(tmp_path, "run", *one, command)
    (cold,) = run_directories(tmp_path)
    warm = finished / "results/small/training" / cold.name
    assert read(cold / "results.json")["digest"] == read(warm / "results.json")["digest"]


@pytest.mark.parametrize("workers", [1, 4])
def test_number_of_workers_changes_no_bit(finished: Path, tmp_path: Path, workers: int) -> None:
    """Runs that have the box for themselves and runs that share it end alike."""
    orch(tmp_path, "run", *GRID, f"--workers={workers}", "orch.tracking.enabled=false")
    assert digests(tmp_path) == digests(finished)


def test_after_the_death_of_everything_the_same_command_continues(tmp_path: Path) -> None:
    """Finished runs are untouched, the others go on where they were, with the same results."""
    grid = [*GRID, "+curriculum._target_=saboteur.KillEverything", "+curriculum.seed=${seed}"]
    grid += ["orch.tracking.enabled=false"]
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    for folder in (undisturbed, disturbed):
        shutil.copytree(ROOT / "tests/end_to_end/project", folder)
    orch(undisturbed, "run", *grid, "+curriculum.at=99")

    killed = [*grid, "+curriculum.at=3", "--workers=1"]
    orch(disturbed, "run", *killed, code=-9)
    assert states(disturbed) == ["done", "running"]
    done = [each for each in run_directories(disturbed) if state(each) == "done"]
    before = times(*done)
    orch(disturbed, "run", *killed, code=-9)  # the other run with this seed
    orch(disturbed, "run", *killed)
    assert times(*done) == before
    assert states(disturbed) == ["done"] * 4

    for each in run_directories(disturbed):
        if read(each / "run.json")["overrides"]["seed"] == 1:
            log = (each / "logs/attempt-002.log").read_text()
            # The checkpoint of iteration 2 may still have been on its way to the disk.
            assert log.startswith(("resuming after iteration 1, ", "resuming after iteration 2, "))
    assert digests(disturbed) == digests(undisturbed)


def test_command_of_somebody_else_is_orchestrated(tmp_path: Path) -> None:
    """A config folder with two keys and a command is enough; what it leaves is shown."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(
        "results_dir: results\n"
        "experiment_id: small\n"
        "rate: 1\n"
        "orch:\n"
        "  command: [sh, -c, 'echo rate of {run_id}; test $0 != {run_dir}', other]\n"
        "  tracking: {enabled: false}\n"
    )
    ended = subprocess.run(
        [Path(sys.executable).with_name("orch"), "run", "rate=1,2", "--workers=2", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [event["event"] for event in events].count("ended") == 2
    assert {event["state"] for event in events if event["event"] == "ended"} == {"done"}
    for directory in run_directories(tmp_path):
        assert (directory / "logs/attempt-001.log").read_text() == f"rate of {directory.name}\n"
