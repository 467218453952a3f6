"""The delivery record of a run: a damaged one is rebuilt, and the store is recognized."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sending import PLACE, SCOPE, send

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.durable import NotRegularError
from orchestrator.tracking.delivery_record import (
    enter,
    is_behind,
    mlflow_experiment_id,
    read_delivery,
    sqlite_file,
    sqlite_uri,
    store_name,
)
from orchestrator.tracking.sender import Sender


def test_store_is_identified_without_its_password() -> None:
    """A new password is still the same store; another server is another one."""
    names = {store_name(f"http://{user}server/") for user in ("", "me:old@", "me:new@")}
    assert len(names) == 1
    assert store_name("http://other/") not in names


def other_spellings(tmp_path: Path) -> list[str]:
    folder = tmp_path / "results"
    folder.mkdir(exist_ok=True)
    (tmp_path / "link").symlink_to(folder)
    ways = (folder, tmp_path / "link", folder / ".." / "results")
    return [f"sqlite:///{way}/mlflow.db" for way in ways]


def test_store_is_the_same_by_any_way_to_it(tmp_path: Path) -> None:
    """Through a link, or up and down again: else everything would be sent each time."""
    assert len({store_name(uri) for uri in other_spellings(tmp_path)}) == 1


@pytest.mark.parametrize("name", ["p%20z", "%41", "q?x", "a#b", "a b", "100%", "ä;é"])
def test_path_of_a_store_is_quoted(tmp_path: Path, name: str) -> None:
    """No character of it has another meaning to the program that opens the store."""
    file = tmp_path / name / "mlflow.db"
    uri = sqlite_uri(file)
    assert sqlite_file(uri) == file
    address, folder = enter(uri)
    assert (folder or Path("/")) / address.removeprefix("sqlite:///") == file
    assert "?" not in address
    assert "%" not in address


@pytest.mark.parametrize(
    "damage",
    [
        {"place": {"offset": -1, "tail": 0}},
        {"place": {"offset": 10**30, "tail": 0}},
        {"place": {"offset": 10**9, "tail": 5}},
        {"place": {"offset": 3, "tail": 2**70}},
        {"place": None},
        {"place": {"offset": "3", "tail": 0}},
        {"mlflow_run_id": "../../x"},
        {"mlflow_run_id": ""},
        {"mlflow_run_id": 3},
        {"told": None},
        {"files": []},
        {"files": {"config.yaml": 3}},
        {"start": -(10**30)},
        {"start": "soon"},
        {"created_at": "yesterday"},
        {"experiment": "9:9"},
    ],
)
def test_damaged_record_is_rebuilt(
    directory: RunDirectory, store: Any, damage: dict[str, Any]
) -> None:
    """Everything is in the same MLflow run, once."""
    send(directory, store)
    record = json.loads(directory.delivery.read_text())
    directory.delivery.write_text(json.dumps(record | damage))
    is_behind(directory, directory.observe(), read_delivery(directory, PLACE))
    send(directory, store)
    assert store.steps == [1, 2, 3]
    assert len(store.runs) == 1
    assert send(directory, store) == 0


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\x00", b"[]", b"{" * 10_000])
def test_record_of_garbage_is_rebuilt(directory: RunDirectory, store: Any, content: bytes) -> None:
    """A power failure may leave anything."""
    send(directory, store)
    directory.delivery.write_bytes(content)
    assert send(directory, store) == 0
    assert store.steps == [1, 2, 3]


@pytest.mark.parametrize(
    ("removed", "sent"),
    [
        ("", {"config.yaml", "results.json"}),
        ("mlflow-0", {"config.yaml", "results.json"}),
        ("mlflow-0/artifacts", {"config.yaml", "results.json"}),
        ("mlflow-0/artifacts/config.yaml", {"config.yaml"}),
    ],
)
def test_files_that_were_removed_from_the_store_are_sent_again(
    tmp_path: Path, directory: RunDirectory, store: Any, removed: str, sent: set[str]
) -> None:
    """The record says that they have arrived, but they are gone: all of them, of one run, or one."""
    place = replace(PLACE, files=tmp_path / "mlartifacts")
    scope = SCOPE._replace(destination=place)
    kept = tmp_path / "mlartifacts/mlflow-0/artifacts"
    kept.mkdir(parents=True)
    directory.results.write_text("{}")
    Sender(directory, store, scope, None).send(directory.observe())
    for name in store.run.files:
        (kept / name).write_text("")
    known = read_delivery(directory, place)
    assert not is_behind(directory, directory.observe(), known)
    gone = tmp_path / "mlartifacts" / removed
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    store.run.files.clear()
    known = read_delivery(directory, place)
    assert is_behind(directory, directory.observe(), known)
    sender = Sender(directory, store, scope, known)
    sender.send(directory.observe())
    assert set(store.run.files) == sent
    assert sender.points == 0


def test_link_in_place_of_the_folder_of_records_is_refused(
    tmp_path: Path, directory: RunDirectory, store: Any
) -> None:
    """Nothing is written elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    directory.delivery.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotRegularError, match="it is not a folder"):
        send(directory, store)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_id_of_the_experiment_in_mlflow_is_known_once_a_run_has_arrived(
    directory: RunDirectory, store: Any
) -> None:
    """So that ``orch ui`` names the page of its runs."""
    assert mlflow_experiment_id([directory], PLACE) == ""
    send(directory, store)
    assert mlflow_experiment_id([directory], PLACE) == "1"
