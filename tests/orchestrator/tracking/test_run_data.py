"""What is reported of a run besides its points."""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any

import pytest
from sending import SCOPE, point, rewrite, send

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, Status


def test_best_checkpoint_is_kept_where_that_is_asked_for(
    directory: RunDirectory, store: Any, new_store: Any
) -> None:
    """It may be large; nothing but points and parameters need be kept."""
    directory.best_checkpoint.parent.mkdir()
    directory.best_checkpoint.write_bytes(b"weights")
    send(directory, store, SCOPE._replace(checkpoint=True))
    assert store.run.files["checkpoints/best.pt"] == b"weights"
    directory.delivery.unlink()
    bare = new_store()
    send(directory, bare, SCOPE._replace(artifacts=False))
    assert bare.run.files == {}


def test_run_that_extends_another_one_says_so(directory: RunDirectory, store: Any) -> None:
    """Its first iterations are those of the other run."""
    (directory.path / "extended.json").write_text('{"run_id": "0123456789abcdef", "iteration": 3}')
    directory.write_status(Status(Record.DONE, 1, "2026-01-01T00:00:00+00:00", "box", 1))
    send(directory, store)
    assert store.run.tags["orch.begun_with"] == "3 iterations of run 0123456789abcdef"


def test_reason_of_a_live_run_stays_true(directory: RunDirectory, store: Any) -> None:
    """It is not sent again while the run comes on."""
    directory.write_status(Status(Record.RUNNING, 1, "2026-01-01T00:00:00+00:00", "box", 1))
    lock = directory.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    send(directory, store)
    os.close(lock)
    assert store.run.tags["orch.reason"] == "its process lives"


def test_clock_that_was_set_back_lets_no_run_end_before_it_began(
    directory: RunDirectory, store: Any
) -> None:
    """MLflow's page would show a negative duration."""
    begun, ended = "2026-01-01T00:00:00.000+00:00", "2016-01-01T00:00:00.000+00:00"
    for attempt in (1, 2):
        status = Status(Record.DONE, attempt, begun, "box", 1, ended_at=ended)
        directory.write_status(status)
        send(directory, store)
        assert store.run.end == store.run.start
        directory.delivery.unlink()


@pytest.mark.parametrize(
    ("reported", "tested", "expected"),
    [
        ([], {"accuracy": 0.71}, {"accuracy": 0.71}),
        (["accuracy"], {"accuracy": 0.71}, {"test/accuracy": 0.71}),
        (["test/accuracy"], {"test/accuracy": 0.71}, {}),
        (["accuracy", "test/accuracy"], {"accuracy": 0.71}, {}),
        ([], {"flag": True, "none": None, "text": "good", "number": "1e3"}, {"flag": 1, "number": 1000}),
    ],
)  # fmt: skip
def test_test_result_is_no_training_metric(
    directory: RunDirectory,
    store: Any,
    reported: list[str],
    tested: dict[str, object],
    expected: dict[str, float],
) -> None:
    """Of the same name as one, it is told apart from it; numbers are read as everywhere."""
    rewrite(directory, *({**point(1, 0.99), "key": key} for key in reported))
    directory.results.write_text(json.dumps({"test": tested}))
    send(directory, store)
    values = {each.key: each.value for each in store.run.samples if each.value != 0.99}
    assert values == expected


def test_best_value_and_its_iteration_are_metrics(directory: RunDirectory, store: Any) -> None:
    """At that iteration, under the names that ``orch results`` has; unless the program has such metrics."""
    rewrite(directory, {**point(3, 0.99), "key": "best/iteration"})
    best = {"iteration": 2, "validation/loss": 0.25, "note": "text"}
    directory.results.write_text(json.dumps({"best": best}))
    send(directory, store)
    found = {each.key: (each.value, each.step) for each in store.run.samples}
    assert found == {"best/iteration": (0.99, 3), "best/validation/loss": (0.25, 2)}
