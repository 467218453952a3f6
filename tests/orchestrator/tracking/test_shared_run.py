"""To a run that its program logs itself, only what is lacking is added."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sending import SCOPE, send

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, State, Status
from orchestrator.tracking.delivery_record import Delivery, read_delivery
from orchestrator.tracking.metrics_file_points import MetricPoint
from orchestrator.tracking.sender import Sender
from orchestrator.tracking.sent_points import LoggedCurves, SentPoints
from orchestrator.tracking.shared_run import compare_curves, note_keys, without_logged

SHARED = SCOPE._replace(share=True)
Ended = Callable[..., Status]


def sample(key: str, step: int, value: float) -> MetricPoint:
    return MetricPoint(key, value, step, 7)


def text(key: str, step: int, value: float) -> str:
    return json.dumps({"key": key, "value": value, "step": step, "timestamp": 1})


@pytest.fixture
def run(directory: RunDirectory, ended: Ended) -> RunDirectory:
    """Return the directory of a run that lives, and has written nothing yet."""
    directory.metrics.unlink()
    directory.write_status(ended(Record.RUNNING))
    return directory


def tell_live(run: RunDirectory, store: Any) -> None:
    """Have MLflow know of the attempt before its program starts."""
    lock = run.lock.open()
    assert run.lock.take(lock)
    sender = Sender(run, store, SHARED, read_delivery(run, SHARED.destination))
    sender.send(run.observe())
    os.close(lock)


def test_live_run_gets_neither_parameters_nor_points(run: RunDirectory, store: Any) -> None:
    """Its program could not log another value of a parameter, and would log a point twice."""
    run.metrics.write_text(text("loss", 1, 0.5) + "\n")
    tell_live(run, store)
    assert (store.run.params, store.run.samples, store.run.state) == ({}, set(), State.RUNNING)
    assert store.run.tags["orch.axis.seed"] == "0"
    delivery = read_delivery(run, SHARED.destination)
    assert delivery is not None
    assert (delivery.told, delivery.shared) == ("running:1", True)


def test_end_adds_what_the_program_did_not_log(run: RunDirectory, store: Any, ended: Ended) -> None:
    tell_live(run, store)
    store.run.params["lr"] = "1e-1"
    store.run.samples |= {sample("loss", 1, 0.5), sample("test/acc", 9, 0.75), sample("f1", 9, 0.5)}
    run.metrics.write_text("\n".join([text("loss", 1, 0.5), text("loss", 2, 0.25), ""]))
    run.results.write_text('{"test": {"test/acc": 0.75, "f1": 0.5, "new": 1}}')
    run.write_status(ended(Record.DONE))
    send(run, store, SHARED)
    assert store.run.params == {"lr": "1e-1", "seed": "0"}
    assert sorted((each.key, each.step) for each in store.run.samples) == [
        *[("f1", 9), ("loss", 1), ("loss", 2), ("new", 0), ("test/acc", 9)],
    ]
    assert store.run.state is State.DONE
    before = set(store.run.samples)
    run.delivery.unlink()  # all is read back from MLflow
    send(run, store, SHARED)
    assert store.run.samples == before


def test_program_ends_the_run_itself_and_is_retried(
    run: RunDirectory, store: Any, ended: Ended
) -> None:
    tell_live(run, store)
    made = next(iter(store.runs))
    store.run.state = State.DONE  # mlflow.end_run()
    run.write_status(ended(Record.FAILED))
    send(run, store, SHARED)
    assert store.run.state is State.FAILED
    run.write_status(ended(Record.RUNNING, 2))
    tell_live(run, store)
    assert (list(store.runs), store.run.state) == ([made], State.RUNNING)
    run.write_status(ended(Record.DONE, 2))
    send(run, store, SHARED)
    assert store.run.state is State.DONE


def test_other_value_of_a_resumed_program_is_no_conflict(
    run: RunDirectory, store: Any, ended: Ended
) -> None:
    """What only the file has is sent again, and every later point as well."""
    tell_live(run, store)
    run.metrics.write_text("\n".join([text("loss", 1, 0.5), text("loss", 2, 0.25), ""]))
    run.write_status(ended(Record.FAILED))
    send(run, store, SHARED)
    run.metrics.write_text(
        "\n".join([text("loss", 1, 0.5), text("loss", 2, 0.3), text("loss", 3, 0.2), ""])
    )
    run.write_status(ended(Record.DONE, 2))
    send(run, store, SHARED)
    assert len(store.runs) == 1
    assert {(each.step, each.value) for each in store.run.samples} >= {(2, 0.3), (3, 0.2)}


def test_run_that_was_not_shared_before_becomes_so(
    run: RunDirectory, store: Any, ended: Ended
) -> None:
    run.metrics.write_text(text("loss", 1, 0.5) + "\n")
    run.write_status(ended(Record.FAILED))
    send(run, store)
    run.write_status(ended(Record.RUNNING, 2))
    tell_live(run, store)
    delivery = read_delivery(run, SHARED.destination)
    assert delivery is not None
    assert (delivery.shared, delivery.sent_keys) == (True, ("loss",))
    assert store.run.tags["orch.shared"] == "true"


def test_curves_that_agree_are_one_and_others_are_left_alone(lines: Callable[..., Path]) -> None:
    """A program may count batches in MLflow and epochs in its file."""
    path = lines(
        text("same", 1, 0.5), text("same", 2, 0.4), text("apart", 1, 0.5), text("ours", 1, 3)
    )
    arrived = {("same", 1): 0.5, ("apart", 100): 0.5, ("ours", 1): 2.0, ("other", 4): 1.0}
    found = compare_curves(path, arrived, ["ours"])
    chosen = found.choose(
        [
            sample("same", 1, 0.5),
            sample("same", 2, 0.4),
            sample("apart", 1, 0.5),
            sample("ours", 1, 3),
        ]
    )[1]
    assert [(each.key, each.step) for each in chosen] == [("same", 2), ("ours", 1)]
    assert found.keys == {"same", "apart", "other"}


def test_result_that_is_there_under_either_name_is_not_added() -> None:
    sent = SentPoints(
        {("acc", 3): 0.5, ("test/f1", 3): 0.25}, LoggedCurves(frozenset(), frozenset())
    )
    results = [sample("test/acc", 3, 0.5), sample("test/acc", 3, 0.6), sample("test/f1", 0, 0.25)]
    assert without_logged(results, sent) == [results[1]]


def test_keys_are_noted_of_shared_runs_only() -> None:
    plain = Delivery("s", "1", "then", "abc")
    assert note_keys(plain, [sample("loss", 1, 1)]) == plain
    shared = Delivery("s", "1", "then", "abc", shared=True, sent_keys=("a",))
    assert note_keys(shared, [sample("loss", 1, 1)]).sent_keys == ("a", "loss")
