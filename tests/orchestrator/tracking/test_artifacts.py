"""The files of a run are uploaded once, and again when they change."""

from __future__ import annotations

from typing import Any

from sending import PLACE

from orchestrator.rundir.directory import RunDirectory
from orchestrator.tracking.artifacts import files_of, send_files
from orchestrator.tracking.delivery_record import Delivery
from orchestrator.tracking.reported_content import Scope


def test_files_are_sent_again_only_if_they_change(directory: RunDirectory, store: Any) -> None:
    run = store.create_run(directory.run_id, "", 0, {})
    delivery = Delivery("s", "1", "then", run)
    scope = Scope(PLACE, "first", list)
    delivery = send_files(store, directory, delivery, scope)
    assert set(store.run.files) == set(delivery.files) == {"config.yaml"}
    calls = store.calls
    assert send_files(store, directory, delivery, scope) == delivery
    assert store.calls == calls
    directory.results.write_text("{}")
    assert set(send_files(store, directory, delivery, scope).files) == {
        "config.yaml",
        "results.json",
    }


def test_nothing_is_sent_where_no_artifacts_are_wanted(directory: RunDirectory, store: Any) -> None:
    run = store.create_run(directory.run_id, "", 0, {})
    scope = Scope(PLACE, "first", list, artifacts=False)
    send_files(store, directory, Delivery("s", "1", "then", run), scope)
    assert store.run.files == {}


def test_links_are_not_followed(directory: RunDirectory) -> None:
    directory.results.symlink_to(directory.config)
    assert set(files_of(directory, checkpoint=True)) == {"config.yaml"}
