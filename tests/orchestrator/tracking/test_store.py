"""A real MLflow store in SQLite holds what it was sent, once."""

from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.rundir.state import State
from orchestrator.tracking.metrics_file_points import MetricPoint
from orchestrator.tracking.mlflow_names import parameter_value
from orchestrator.tracking.store import Store, StoreError

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


def test_store_is_created_and_keeps_each_thing_once(tmp_path: Path) -> None:
    """Sending again adds nothing; long values are cut visibly, many parameters arrive."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    store = Store(uri, "first", tmp_path)
    assert store.find_runs("abc") == []
    run = store.create_run("abc", "seed=0", 1000, {"orch.experiment": "first"})
    params = {f"key{number}": str(number) for number in range(250)} | {
        "long": parameter_value("é" * 7000)
    }
    samples = [MetricPoint("train/loss", 1 / step, step, 1000 + step) for step in range(1, 1500)]
    for _ in range(2):
        store.send(run, params=params, tags={"orch.attempt": "1"}, samples=samples)
        store.set_state(run, State.DONE, 5000)
    # Another process finds the same run, and what has arrived.
    again = Store(uri, "first", tmp_path)
    assert [each.mlflow_run_id for each in again.find_runs("abc")] == [run]
    assert again.mark == store.mark
    assert again.read_points(run) == {("train/loss", each.step): each.value for each in samples}
    assert again.has_run(run)
    assert not again.has_run("0" * 32)
    found = MlflowClient(uri).get_run(run)
    assert found.info.status == "FINISHED"
    assert (found.info.start_time, found.info.end_time) == (1000, 5000)
    assert len(found.data.params) == 251
    assert found.data.params["long"].endswith("(cut; config.yaml has it whole)")
    assert found.data.tags["orch.run_id"] == "abc"
    history = MlflowClient(uri).get_metric_history(run, "train/loss")
    assert [(each.step, each.value) for each in history] == [(s.step, s.value) for s in samples]
    assert not (Path.cwd() / "mlruns").exists()


def test_deleted_experiment_is_told_with_what_to_do(tmp_path: Path) -> None:
    """It is not brought back behind the user's back."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    number = Store(uri, "first", tmp_path).mark.partition(":")[0]
    MlflowClient(uri).delete_experiment(number)
    with pytest.raises(StoreError, match=f"restore --experiment-id {number}"):
        Store(uri, "first", tmp_path).find_runs("abc")


def test_new_experiment_is_searched_only_once_an_answer_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else was there; but what was refused may have been made all the same."""
    store = Store(f"sqlite:///{tmp_path / 'mlflow.db'}", "first", tmp_path)
    run = store.create_run("abc", "seed=0", 1000, {})
    assert store.find_runs("abc") == []
    create = MlflowClient.create_run

    def create_unheard(*arguments: Any, **options: Any) -> None:
        create(*arguments, **options)
        raise ConnectionError("Connection reset")

    monkeypatch.setattr(MlflowClient, "create_run", create_unheard)
    with pytest.raises(ConnectionError):
        store.create_run("def", "seed=1", 2000, {})
    assert len(store.find_runs("def")) == 1
    assert [found.mlflow_run_id for found in store.find_runs("abc")] == [run]
