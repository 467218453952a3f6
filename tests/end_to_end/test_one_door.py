"""What a program leaves in any of its files is in every view: board, status, show, results, MLflow."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from forked_orch import run_orch
from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow itself
CONFIG = f"""
results_dir: results
experiment_id: mine
write: []
hydra: {{sweeper: {{params: {{write: "[p],[m],[r],[p,m],[p,r],[m,r],[p,m,r]"}}}}}}
orch:
  command: [{sys.executable}, train.py, "{{write*}}"]
  tracking: {{enabled: true}}
"""
SCRIPT = """
import json, os, pathlib, sys

folder = pathlib.Path(os.environ["ORCH_RUN_DIR"])
if "p" in sys.argv:
    content = {"iteration": 3, "iterations": 3, "metrics": {"from_progress": 1.5}}
    (folder / "progress.json").write_text(json.dumps(content))
if "m" in sys.argv:
    point = {"key": "from_metrics", "value": 2.5, "step": 2, "timestamp": 5}
    (folder / "metrics.jsonl").write_text(json.dumps(point) + "\\n")
if "r" in sys.argv:
    (folder / "results.json").write_text(json.dumps({"test": {"from_results": 3.5}}))
"""
FILES = {"p": ("from_progress", 1.5), "m": ("from_metrics", 2.5), "r": ("from_results", 3.5)}
CASES = [case for n in (1, 2, 3) for case in itertools.combinations("pmr", n)]


class Views:
    """What each view shows of the metrics of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._board = [json.loads(line) for line in self._orch("run", "--json").splitlines()]
        self._status = json.loads(self._orch("status", "--json"))["runs"]
        rows = json.loads(self._orch("results", "--json"))["rows"]
        self._results = {tuple(row["overrides"]["write"]): row["metrics"] for row in rows}
        client = MlflowClient(f"sqlite:///{folder}/results/mlflow.db")
        (experiment,) = client.search_experiments(filter_string="name = 'mine'")
        self._mlflow = client.search_runs([experiment.experiment_id])

    def _orch(self, *arguments: str) -> str:
        ended = run_orch(*arguments, folder=self._folder)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def of(self, case: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        (status,) = [run for run in self._status if tuple(run["overrides"]["write"]) == case]
        run_id = status["run_id"]
        (board,) = [it for it in self._board if it["event"] == "ended" and it["run_id"] == run_id]
        (mlflow,) = [it for it in self._mlflow if it.data.tags["orch.run_id"] == run_id]
        show = json.loads(self._orch("show", run_id, "--json"))
        return {
            "board": board["metrics"],
            "status": status["metrics"],
            "show": show["metrics"],
            "results": {key: cell["mean"] for key, cell in self._results[case].items()},
            "MLflow": mlflow.data.metrics,
        }


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Views:
    folder = tmp_path_factory.mktemp("door")
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(CONFIG)
    (folder / "train.py").write_text(SCRIPT)
    return Views(folder)


@pytest.mark.parametrize("case", CASES, ids="".join)
def test_every_view_shows_what_any_file_says(views: Views, case: tuple[str, ...]) -> None:
    """progress.json, metrics.jsonl and results.json, each alone and together."""
    expected = dict(FILES[name] for name in case)
    assert views.of(case) == dict.fromkeys(views.of(case), expected)
