"""A real MLflow store in SQLite holds what it was sent, once."""

import math
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.rundir.state import State
from orchestrator.tracking.delivery_record import sqlite_uri
from orchestrator.tracking.local_store import create_store
from orchestrator.tracking.metric_points import MetricPoint
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


@pytest.mark.parametrize("name", ["o'neil's", "both ' and \"", "at :noon", "a%41?b#c é;&"])
def test_store_is_created_in_a_folder_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """MLflow writes the path of the current folder into its SQL; quotes and colons end nothing there."""
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    uri = sqlite_uri(folder / "mlflow.db")
    store = Store(uri, "first", folder)
    run = store.create_run("abc", "seed=0", 1000, {})
    assert [each.mlflow_run_id for each in Store(uri, "first", folder).find_runs("abc")] == [run]
    assert [each.name for each in folder.iterdir()] == ["mlflow.db"]


def test_files_are_kept_beside_the_store_and_nowhere_else(tmp_path: Path) -> None:
    """Where the results folder was moved, so were they."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    store = Store(f"sqlite:///{first / 'mlflow.db'}", "first", first)
    run = store.create_run("abc", "seed=0", 1000, {})
    (tmp_path / "out.log").write_text("hello")
    store.send_file(run, tmp_path / "out.log", "logs/out.log")
    (kept,) = first.rglob("out.log")
    assert kept.parent.name == "logs"
    store.discard_run(run)
    assert not store.has_run(run)
    assert store.find_runs("abc") == []
    kept_run = store.create_run("def", "seed=1", 1000, {})
    store.send_file(kept_run, tmp_path / "out.log", "logs/out.log")
    first.rename(second)
    uri = f"sqlite:///{second / 'mlflow.db'}"
    moved = Store(uri, "first", second)
    run = moved.create_run("abc", "", 1, {})
    for each in (run, kept_run):
        moved.send_file(each, tmp_path / "out.log", "out.log")
        (kept,) = second.rglob(f"{each}/artifacts/out.log")
    assert not first.exists()
    # MLflow's own page finds what was kept before the move, too.
    client = MlflowClient(uri)
    assert [file.path for file in client.list_artifacts(kept_run)] == ["logs", "out.log"]


def test_copy_of_a_store_writes_nothing_into_the_original(tmp_path: Path) -> None:
    """It was made with the paths of the original, which is still there."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    store = Store(f"sqlite:///{first / 'mlflow.db'}", "first", first)
    (tmp_path / "out.log").write_text("hello")
    store.send_file(store.create_run("abc", "", 1000, {}), tmp_path / "out.log", "out.log")
    shutil.copytree(first, second)
    before = sorted(first.rglob("*"))
    copy = Store(f"sqlite:///{second / 'mlflow.db'}", "first", second)
    copy.send_file(copy.create_run("def", "", 1, {}), tmp_path / "out.log", "out.log")
    assert sorted(first.rglob("*")) == before
    assert len(list(second.rglob("out.log"))) == 2


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


def test_new_store_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    """A group that shares the folder writes to it; SQLite alone would keep it to one user."""
    before = os.umask(0o002)
    try:
        create_store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    finally:
        os.umask(before)
    assert (tmp_path / "mlflow.db").stat().st_mode & 0o777 == 0o664
