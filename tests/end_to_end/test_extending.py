"""A grid is trained on: from the command line to the MLflow store, with the bits of a longer grid."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own
ROOT = Path(__file__).parents[2]
SMALL = ("model=mlp", "seed=0,1", "scheduler=none", "data.held_out=1500", "--quiet")


def orch(folder: Path, *words: str) -> str:
    """Call orch in a folder with our config, and return what it printed."""
    ended = subprocess.run(
        [Path(sys.executable).with_name("orch"), *words, f"--config-dir={ROOT / 'conf'}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def results(folder: Path, experiment: str, iterations: int) -> dict[str, Any]:
    """Return the results of the runs of an experiment with this many iterations, by digest."""
    found = [
        json.loads(it.read_text())
        for it in folder.glob(f"results/{experiment}/training/*/results.json")
    ]
    return {it["digest"]: it for it in found if it["iterations"] == iterations}


@pytest.mark.soak
def test_longer_grid_ends_as_from_nothing_and_its_points_arrive_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/store.db"
    tracked = (*SMALL, f"orch.tracking.uri={uri}", "experiment_id=grown")
    orch(tmp_path, "run", "iterations=2", *tracked)
    planned = orch(tmp_path, "plan", "iterations=4", *tracked[:-3], *tracked[-2:])
    assert len(re.findall(r"extends [0-9a-f]{8} from iteration 2", planned)) == 2
    orch(tmp_path, "run", "iterations=4", *tracked)
    orch(tmp_path, "run", "iterations=3", *tracked)
    for length in (4, 3):
        orch(
            tmp_path,
            "run",
            f"iterations={length}",
            *SMALL,
            "experiment_id=whole",
            "orch.tracking.enabled=false",
        )
        grown, whole = (results(tmp_path, name, length) for name in ("grown", "whole"))
        assert grown.keys() == whole.keys()
        assert all(it["extends"] for it in grown.values())
        assert len(grown) == 2
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("grown")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 6
    for run in runs:
        length = int(run.data.params["iterations"])
        for key in ("train/loss", "validation/loss", "lr"):
            points = client.get_metric_history(run.info.run_id, key)
            assert Counter(point.step for point in points) == dict.fromkeys(range(1, length + 1), 1)
