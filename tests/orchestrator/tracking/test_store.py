"""A real MLflow store in SQLite holds what it was sent, once."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.state import State
from orchestrator.tracking.store import Sample, Store

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


def test_store_is_created_and_keeps_each_thing_once(tmp_path: Path) -> None:
    """Sending again adds nothing; long values are cut visibly, many parameters arrive."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    store = Store(uri, "first", tmp_path)
    assert store.find_run("abc") is None
    run = store.create_run("abc", "seed=0", 1000, {"orch.experiment": "first"})
    params = {f"key{number}": str(number) for number in range(250)} | {"long": "x" * 7000}
    samples = [Sample("train/loss", 1 / step, step, 1000 + step) for step in range(1, 1500)]
    for _ in range(2):
        store.send_params(run, params)
        store.send_samples(run, samples)
        store.set_tags(run, {"orch.attempt": "1"})
        store.set_state(run, State.DONE, 5000)
    # Another process finds the same run.
    assert Store(uri, "first", tmp_path).find_run("abc") == run
    found = MlflowClient(uri).get_run(run)
    assert found.info.status == "FINISHED"
    assert (found.info.start_time, found.info.end_time) == (1000, 5000)
    assert len(found.data.params) == 251
    assert found.data.params["long"].endswith("(cut; config.yaml has it whole)")
    assert found.data.tags["orch.run_id"] == "abc"
    history = MlflowClient(uri).get_metric_history(run, "train/loss")
    assert [(each.step, each.value) for each in history] == [(s.step, s.value) for s in samples]
    assert not (Path.cwd() / "mlruns").exists()
