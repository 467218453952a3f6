"""The store in the results folder is created whole, and moves with the folder."""

import os
import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.errors import OrchestratorError
from orchestrator.tracking.delivery_record import sqlite_uri
from orchestrator.tracking.local_store import create_store
from orchestrator.tracking.store import Store

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


@pytest.mark.parametrize("name", ["both ' and \"", "at :noon", "a%41?b#c é;&"])
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


def test_pipe_in_place_of_the_store_does_not_hang(tmp_path: Path) -> None:
    """SQLite would wait for somebody who writes into it."""
    os.mkfifo(tmp_path / "mlflow.db")
    with pytest.raises(OrchestratorError, match=r"mlflow.db: it is not a regular file"):
        Store(f"sqlite:///{tmp_path / 'mlflow.db'}", "first", tmp_path).find_runs("abc")


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


def test_new_store_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    """A group that shares the folder writes to it; SQLite alone would keep it to one user."""
    before = os.umask(0o002)
    try:
        create_store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    finally:
        os.umask(before)
    assert (tmp_path / "mlflow.db").stat().st_mode & 0o777 == 0o664
