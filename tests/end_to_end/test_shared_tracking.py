"""Programs that log to MLflow themselves and their runs' files end in one MLflow run, nothing twice."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own
CONFIG = """\
results_dir: results
experiment_id: my experiment
kind: none
lr: 0.5
orch:
  entry_point: program:main
  arguments: ["{{kind}}"]
  workers: 2
  tracking: {{share: true}}
"""
# Begins: writes files as a program with orch's client does. Of the second attempt on, continues.
# Writes files as programs with orch's client do. From the second attempt on, it continues.
PROGRAM = """\
import json, os, sys, time
from pathlib import Path
import mlflow
from sklearn.linear_model import LinearRegression


def point(key, value, step):
    with Path(os.environ["ORCH_RUN_DIR"], "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"key": key, "value": value, "step": step}) + "\\n")


def train(first, last, log=mlflow.log_metric):
    for step in range(first, last):
        log("loss", 1 / (1 + step), step=step)
        point("loss", 1 / (1 + step), step)
        point("only in the file", step, step)


def main():
    kind, run_id = sys.argv[1], os.environ["MLFLOW_RUN_ID"]
    run_dir = Path(os.environ["ORCH_RUN_DIR"])
    is_first = not (run_dir / "half").exists()  # it may be killed at any moment
    if kind == "killed":  # three steps are trained again
        with mlflow.start_run() as run:
            assert run.info.run_id == run_id
            mlflow.log_params({"lr": "of the program", "depth": 3})
            train(0, 6) if is_first else train(3, 9)
            if is_first:
                (run_dir / "half").touch()
                Path("killed").write_text("ready")  # a pipe
                time.sleep(1000)
    elif kind == "ends":  # the program ends the run, and fails afterwards
        mlflow.start_run()
        train(0, 3) if is_first else train(3, 9)
        mlflow.end_run()
        (run_dir / "half").touch()
        if is_first:
            return 1
    elif kind == "raises":  # MLflow marks the run as failed
        with mlflow.start_run():
            train(0, 3) if is_first else train(3, 9)
            (run_dir / "half").touch()
            assert not is_first
    elif kind == "client":  # never ends the run
        client = mlflow.MlflowClient()
        train(0, 9, lambda *point, step: client.log_metric(run_id, *point, step=step))
    elif kind == "autolog":
        mlflow.autolog(silent=True, log_models=False, log_datasets=False)
        LinearRegression().fit([[0], [1]], [0, 1])
        with mlflow.start_run(run_id=run_id):
            train(0, 9)
    results = {"test": {"accuracy": 0.5}}
    (run_dir / "results.json").write_text(json.dumps(results))
"""
KINDS = ("killed", "ends", "raises", "client", "autolog")
COMMAND = ["run", f"kind={','.join(KINDS)}", "--quiet"]


def orch(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "MARK_OF_THIS_TEST": str(folder), "MLFLOW_RUN_ID": "of the user"},
    )


def kill_all(folder: Path) -> None:
    """Kill all processes that this test has started, all the way down."""
    mark = f"MARK_OF_THIS_TEST={folder}\0".encode()
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdecimal() and mark in (path / "environ").read_bytes():
                os.kill(int(path.name), signal.SIGKILL)


def make_project(folder: Path, config: str = CONFIG) -> None:
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(config.format(python=sys.executable))
    (folder / "program.py").write_text(PROGRAM)


@pytest.mark.soak
def test_whatever_is_killed_each_program_logs_to_its_run_and_nothing_stands_twice(
    tmp_path: Path,
) -> None:
    """Programs that end the run, fail, log at its end, or never end it, and one that is killed."""
    make_project(tmp_path)
    os.mkfifo(tmp_path / "killed")
    with orch(tmp_path, *COMMAND) as running:
        pipe = os.open(tmp_path / "killed", os.O_RDONLY | os.O_NONBLOCK)
        select.select([pipe], [], [], 300)
        assert os.read(pipe, 99) == b"ready"
        os.close(pipe)
        running.kill()
        kill_all(tmp_path)
    for code in (1, 0):  # those that fail are repeated
        with orch(tmp_path, *COMMAND) as again:
            said = again.communicate()[0]
        if again.returncode == 0:
            break
        assert again.returncode == code, said
    assert "5 of 5 runs are done." in said
    client = MlflowClient(f"sqlite:///{tmp_path}/results/mlflow.db")
    (experiment,) = [each for each in client.search_experiments() if each.experiment_id != "0"]
    assert experiment.name == "my experiment"
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["orch.axis.kind"] for run in runs) == sorted(KINDS)
    for run in runs:
        kind = run.data.tags["orch.axis.kind"]
        assert (kind, run.info.status, run.data.tags["orch.state"]) == (kind, "FINISHED", "done")
        for key in ("loss", "only in the file"):
            history = client.get_metric_history(run.info.run_id, key)
            steps = Counter(point.step for point in history)
            assert (kind, key, steps) == (kind, key, Counter(range(9)))
        assert run.data.metrics["accuracy"] == 0.5
        expected = {"kind": kind, "lr": "0.5", "experiment_id": "my experiment"}
        expected |= {"lr": "of the program", "depth": "3"} if kind == "killed" else {}
        assert {key: run.data.params[key] for key in expected} == expected
    assert any("fit_intercept" in run.data.params for run in runs)


def test_program_starts_without_mlflow_if_that_is_away(tmp_path: Path) -> None:
    """It gets none of the variables, and one line says why."""
    text = CONFIG.replace("share: true", "share: true, uri: 'http://127.0.0.1:9'")
    text = text.replace("entry_point: program:main", "command: [{python}, program.py]")
    make_project(tmp_path, text)
    (tmp_path / "program.py").write_text(
        "import os; print({name for name in os.environ if name.startswith('MLFLOW')})"
    )
    with orch(tmp_path, "run") as running:
        said = running.communicate()[0]
    assert running.returncode == 0, said
    why = "the tracking server does not answer (connection refused)"
    assert f"attempt 1 ran without MLFLOW_RUN_ID: {why}" in said
    (log,) = tmp_path.glob("results/*/training/*/logs/attempt-001.log")
    assert log.read_text() == f"orch: MLFLOW_RUN_ID is not set: {why}\n{{'MLFLOW_RUN_ID'}}\n"
