"""Points that bypass MLflow's objects are as if MLflow had written them."""

import math
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.tracking.metrics_file_points import MetricPoint
from orchestrator.tracking.store import Store

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


def test_many_points_are_as_if_mlflow_had_written_them(tmp_path: Path) -> None:
    """They go past its objects, but its own functions find them: history, latest value, NaN."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    store = Store(uri, "first", tmp_path)
    samples = [
        MetricPoint(f"key{number % 3}", math.nan if number % 100 == 0 else number / 7, number, 5000)
        for number in range(4000)
    ]
    bulk, one_by_one = (store.create_run(name, "", 1000, {}) for name in ("abc", "def"))
    for _ in range(2):  # sent again, they add nothing
        store.send(bulk, samples=samples)
    for at in range(0, 4000, 1000):
        store.send(one_by_one, samples=samples[at : at + 1000])
    client = MlflowClient(uri)
    for key in ("key0", "key1", "key2"):
        histories = [
            [
                (each.step, each.timestamp, repr(each.value))
                for each in client.get_metric_history(run, key)
            ]
            for run in (bulk, one_by_one)
        ]
        assert histories[0] == histories[1]
        assert len(histories[0]) in (1333, 1334)
    latest = [repr(sorted(client.get_run(run).data.metrics.items())) for run in (bulk, one_by_one)]
    assert latest[0] == latest[1]
    found = store.read_points(bulk)
    assert len(found) == 4000
    assert math.isnan(found["key0", 0])


def test_points_that_a_later_attempt_logs_again_stand_once(tmp_path: Path) -> None:
    """A metric without steps of its own, always logged at step 0, keeps all of its points."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    store = Store(uri, "first", tmp_path)
    run, other = (store.create_run(name, "", 1000, {}) for name in ("abc", "def"))
    first = [MetricPoint("loss", 1 / (1 + step), step, 1000 + step) for step in range(4)]
    second = [MetricPoint("loss", 2 / (1 + step), step, 2000 + step) for step in range(2, 6)]
    stepless = [MetricPoint("time", at, 0, at) for at in (1001, 1002, 2001)]
    store.send(run, samples=[*first, *second, *stepless])
    store.send(other, samples=[*first, *second])
    for _ in range(2):
        store.remove_repeated(run, [900, 1900])
    client = MlflowClient(uri)
    history = sorted((each.step, each.value) for each in client.get_metric_history(run, "loss"))
    assert history == [(0, 1.0), (1, 0.5), *((step, 2 / (1 + step)) for step in range(2, 6))]
    assert len(client.get_metric_history(run, "time")) == 3
    assert len(client.get_metric_history(other, "loss")) == 8
    assert client.get_run(run).data.metrics["loss"] == 2 / 6
