"""What is noted of a run is at MLflow exactly as told, whenever that was, and gone when removed."""

from typing import Any

import pytest
from sending import PLACE, send

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.note_file import change_note
from orchestrator.tracking.delivery_record import is_behind, read_delivery

DESCRIPTION = "mlflow.note.content"


def noted(store: Any) -> dict[str, str]:
    names = (DESCRIPTION, "baseline", "phase")
    return {name: store.run.tags[name] for name in names if name in store.run.tags}


def test_note_on_a_finished_run_arrives_changes_and_is_removed(
    directory: RunDirectory, store: Any
) -> None:
    send(directory, store)
    assert noted(store) == {}
    store.run.tags["of-the-user"] = "kept"
    change_note(directory.path, text="good\nrun", tags={"baseline": "true", "phase": "2"})
    seen = directory.observe()
    assert is_behind(directory, seen, read_delivery(directory, PLACE))
    assert send(directory, store) == 0
    assert noted(store) == {DESCRIPTION: "good\nrun", "baseline": "true", "phase": "2"}
    change_note(directory.path, text="", tags={"phase": "3"}, untag=["baseline"])
    send(directory, store)
    assert noted(store) == {"phase": "3"}
    change_note(directory.path, untag=["phase"])
    send(directory, store)
    assert noted(store) == {}
    assert store.run.tags["of-the-user"] == "kept"


def test_note_that_was_made_before_the_first_report_arrives_with_it(
    directory: RunDirectory, store: Any
) -> None:
    change_note(directory.path, text="good")
    send(directory, store)
    assert noted(store) == {DESCRIPTION: "good"}


@pytest.mark.parametrize("call", range(1, 4))
def test_note_whose_delivery_was_interrupted_arrives_all_the_same(
    directory: RunDirectory, store: Any, call: int
) -> None:
    change_note(directory.path, text="first", tags={"baseline": "true"})
    send(directory, store)
    change_note(directory.path, text="second", tags={"phase": "1"}, untag=["baseline"])
    store.fails_at = store.calls + call
    try:
        send(directory, store)
    except ConnectionError:
        send(directory, store)
    assert noted(store) == {DESCRIPTION: "second", "phase": "1"}
