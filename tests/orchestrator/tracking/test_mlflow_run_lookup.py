"""The MLflow run of a run directory is found again, unless another program may have logged to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sending import PLACE

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, Status
from orchestrator.tracking.delivery_record import Delivery
from orchestrator.tracking.mlflow_run_lookup import MlflowRunLookup
from orchestrator.tracking.reported_content import Scope
from orchestrator.tracking.sent_points import ConflictError

Ended = Callable[..., Status]
ALONE = Scope(PLACE, "first", list)
SHARED = ALONE._replace(share=True)


def find(directory: RunDirectory, store: Any, scope: Scope, created_at: str = "2026") -> Any:
    lookup = MlflowRunLookup(directory, store, scope)
    return lookup.find_or_create(
        directory.observe(), created_at, {"lr": "0.1"}, {"orch.state": "x"}
    )


@pytest.mark.parametrize("scope", [ALONE, SHARED])
def test_run_is_created_once_and_found_then(
    directory: RunDirectory, store: Any, scope: Scope
) -> None:
    made = find(directory, store, scope)
    assert (made.is_new, made.is_shared) == (True, scope.share)
    again = find(directory, store, scope)
    assert (again.is_new, again.mlflow_run_id) == (False, made.mlflow_run_id)
    assert len(store.runs) == 1


def test_other_parameter_is_a_conflict_unless_a_program_may_have_logged_it(
    directory: RunDirectory, store: Any
) -> None:
    find(directory, store, SHARED)
    store.run.params["lr"] = "of the program"
    assert find(directory, store, SHARED).is_shared
    assert find(directory, store, ALONE).is_shared  # the run itself says so
    del store.run.tags["orch.shared"]
    with pytest.raises(ConflictError, match="parameter lr"):
        find(directory, store, ALONE)


def test_shared_run_of_an_earlier_directory_is_not_continued(
    directory: RunDirectory, store: Any
) -> None:
    """Points of two executions are never mixed; what a program has logged itself is not deleted."""
    first = find(directory, store, SHARED, created_at="2025").mlflow_run_id
    second = find(directory, store, SHARED, created_at="2026").mlflow_run_id
    third = find(directory, store, ALONE, created_at="2027").mlflow_run_id
    assert len({first, second, third}) == 3
    assert not any(run.is_deleted for run in store.runs.values())


def test_surplus_of_a_slow_server_is_removed(
    directory: RunDirectory, store: Any, ended: Ended
) -> None:
    directory.write_status(ended(Record.DONE))
    kept = find(directory, store, ALONE).mlflow_run_id
    run = store.runs[kept]
    twin = store.create_run(directory.run_id, "", 0, run.tags)
    delivery = Delivery("s", "1", "2026", kept)
    MlflowRunLookup(directory, store, ALONE).remove_surplus(delivery, is_replacing=False)
    assert (store.runs[kept].is_deleted, store.runs[twin].is_deleted) == (False, True)
