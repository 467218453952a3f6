"""Metrics in ``progress.json`` reach MLflow, each iteration once, unless they are appended to a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sending import PLACE, SCOPE, point, rewrite, send

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, Status
from orchestrator.tracking.delivery_record import is_behind, read_delivery
from orchestrator.tracking.sender import Sender

WHEN = "2026-01-01T00:00:00+00:00"


def report(directory: RunDirectory, iteration: int, **metrics: object) -> None:
    content = {"iteration": iteration, "iterations": 9, "metrics": metrics, "updated_at": WHEN}
    (directory.path / "progress.json").write_text(json.dumps(content))


def sent(store: Any) -> list[tuple[str, int, float]]:
    return sorted((each.key, each.step, each.value) for each in store.run.samples)


def test_program_that_only_reports_progress_has_its_metrics_in_mlflow(
    directory: RunDirectory, store: Any
) -> None:
    rewrite(directory)
    report(directory, 3, loss=0.5, note="good", rate="NaN")
    send(directory, store)
    assert [each[:2] for each in sent(store)] == [("loss", 3), ("rate", 3)]
    assert send(directory, store) == 0


def test_metric_that_is_appended_as_well_stands_once(directory: RunDirectory, store: Any) -> None:
    rewrite(directory, point(1, 0.5), point(2, 0.25))
    report(directory, 3, loss=0.25, accuracy=0.9)
    send(directory, store)
    assert sent(store) == [("accuracy", 3, 0.9), ("loss", 1, 0.5), ("loss", 2, 0.25)]


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_each_iteration_is_sent_once_by_any_number_of_senders(
    directory: RunDirectory,
    store: Any,
    ended: Callable[..., Status],
    is_forgotten: bool,  # noqa: FBT001 # a parameter of the test
) -> None:
    """A program that restarts from the beginning reports iterations again: the first ones stay."""
    rewrite(directory)
    directory.write_status(ended(Record.RUNNING))
    for iteration, loss in ((1, 0.5), (2, 0.25), (1, 0.4), (2, 0.2), (3, 0.1)):
        report(directory, iteration, loss=loss)
        if is_forgotten:
            directory.delivery.unlink(missing_ok=True)
        sender = Sender(directory, store, SCOPE, read_delivery(directory, PLACE))
        seen = directory.observe()
        sender.send(seen)
        assert not is_behind(directory, seen, sender.delivery)
    assert sent(store) == [("loss", 1, 0.5), ("loss", 2, 0.25), ("loss", 3, 0.1)]


def test_what_did_not_arrive_is_sent_again(directory: RunDirectory, new_store: Any) -> None:
    rewrite(directory)
    report(directory, 3, loss=0.5)
    reference = new_store()
    send(directory, reference)
    for fails_at in range(1, reference.calls + 1):
        directory.delivery.unlink(missing_ok=True)
        store = new_store(fails_at=fails_at)
        sender = Sender(directory, store, SCOPE, read_delivery(directory, PLACE))
        with pytest.raises(ConnectionError):
            sender.send(directory.observe())
        sender.send(directory.observe())
        assert store.run == reference.run


def test_metric_that_moves_to_the_file_is_not_sent_twice(
    directory: RunDirectory, store: Any, ended: Callable[..., Status]
) -> None:
    rewrite(directory)
    directory.write_status(ended(Record.RUNNING))
    report(directory, 1, loss=0.5)
    sender = Sender(directory, store, SCOPE, read_delivery(directory, PLACE))
    sender.send(directory.observe())
    rewrite(directory, point(1, 0.5), point(2, 0.25))
    report(directory, 2, loss=0.25)
    sender.send(directory.observe())
    assert sent(store) == [("loss", 1, 0.5), ("loss", 2, 0.25)]
