"""A sender ends with each thing at MLflow once, however often it is interrupted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from sending import PLACE, SCOPE, point, rewrite, send

from orchestrator.grid.identity import Run, identify
from orchestrator.rundir import code_record
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Record, State, Status
from orchestrator.tracking import sender as sender_module
from orchestrator.tracking.delivery_record import (
    is_behind,
    read_delivery,
)
from orchestrator.tracking.git_source import GitSource
from orchestrator.tracking.metrics_file_points import read_points
from orchestrator.tracking.run_data import milliseconds
from orchestrator.tracking.sender import Sender

Ended = Callable[..., Status]
Append = Callable[..., None]


def test_done_run_arrives_whole(directory: RunDirectory, store: Any) -> None:
    """Its name, points, parameters, tags, times, state and files are there."""
    directory.results.write_text('{"test": {"test/accuracy": 0.9, "note": "good"}}')
    directory.attempt_log(1).parent.mkdir()
    directory.attempt_log(1).write_text("hello\n")
    send(directory, store)
    run = store.run
    assert (run.name, run.state, run.end) == ("seed=0", State.DONE, 1767225600000)
    assert sorted((each.key, each.step) for each in run.samples) == [
        ("loss", 1),
        ("loss", 2),
        ("loss", 3),
        ("test/accuracy", 0),
    ]
    assert run.params == {"seed": "0", "lr": "0.1"}
    assert run.start == run.end
    tags = {key: run.tags[key] for key in ("orch.run_id", "orch.experiment", "orch.axis.seed")}
    assert tags == {
        "orch.run_id": directory.run_id,
        "orch.experiment": "first",
        "orch.axis.seed": "0",
    }
    assert (run.tags["orch.state"], run.tags["orch.attempt"]) == ("done", "1")
    assert run.tags["orch.host"] == "box"
    assert set(run.files) == {"config.yaml", "results.json", "logs/attempt-001.log"}


def test_second_time_nothing_is_sent(directory: RunDirectory, store: Any) -> None:
    """What has arrived is remembered beside the run, and the run itself is not touched."""
    before = {path: path.stat().st_mtime_ns for path in [directory.path, *directory.path.iterdir()]}
    assert send(directory, store) == 3
    calls = store.calls
    assert send(directory, store) == 0
    assert store.calls == calls
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_store_that_breaks_at_any_call_ends_with_each_thing_once(
    directory: RunDirectory, new_store: Any
) -> None:
    """A sender that dies anywhere is followed by one that finishes its work."""
    directory.results.write_text('{"test": {"test/accuracy": 0.9}}')
    reference = new_store()
    send(directory, reference)
    for fails_at in range(1, reference.calls + 1):
        directory.delivery.unlink(missing_ok=True)
        store = new_store(fails_at=fails_at)
        with pytest.raises(ConnectionError):
            send(directory, store)
        send(directory, store)
        assert store.run == reference.run


def test_points_that_were_refused_are_sent_again_by_the_same_sender(
    directory: RunDirectory, store: Any
) -> None:
    """What is refused has not arrived."""
    sender = Sender(directory, store, SCOPE, None)
    store.is_away = True
    with pytest.raises(ConnectionError):
        sender.send(directory.observe())
    store.is_away = False
    store.fails_at = store.calls + 3  # search, create, parameters with points
    with pytest.raises(ConnectionError):
        sender.send(directory.observe())
    store.run.samples.clear()
    sender.send(directory.observe())
    assert store.steps == [1, 2, 3]


def test_run_that_goes_on_is_told_again(
    experiment: ExperimentDirectory, runs: list[Run], store: Any, append: Append, ended: Ended
) -> None:
    """Interrupted, failed, then done: MLflow learns of all three, in the same MLflow run."""
    directory = experiment.create(runs[0])
    for record, attempt, state in (
        (Record.INTERRUPTED, 1, State.STALE),
        (Record.FAILED, 2, State.FAILED),
        (Record.DONE, 3, State.DONE),
    ):
        directory.write_status(ended(record, attempt))
        append(directory, attempt)
        send(directory, store)
        assert store.run.state is state
    assert store.steps == [1, 2, 3]
    assert len([key for key in store.run.tags if key.startswith("orch.attempt.")]) == 3


@pytest.mark.parametrize("looks", [1, 3])
def test_attempts_that_were_over_before_they_were_looked_at_are_told(
    experiment: ExperimentDirectory, runs: list[Run], store: Any, looks: int
) -> None:
    """Also those that were killed; the MLflow run begins with the first one."""
    directory, begun = experiment.create(runs[0]), "2026-01-01T00:00:0{}.000+00:00"
    for attempt, record in enumerate((Record.INTERRUPTED, Record.RUNNING, Record.DONE), start=1):
        ended = None if record is Record.RUNNING else begun.format(attempt + 1)
        status = Status(record, attempt, begun.format(attempt), "box", 1, ended_at=ended)
        directory.write_status(status)
        if looks == 3 or attempt == 3:
            send(directory, store)
    assert store.run.start == milliseconds(begun.format(1))
    told = {key: text for key, text in store.run.tags.items() if key.startswith("orch.attempt.")}
    assert told == {
        "orch.attempt.1": f"{begun.format(1)} to {begun.format(2)}, stale",
        "orch.attempt.2": f"{begun.format(2)} to ?, stale",
        "orch.attempt.3": f"{begun.format(3)} to {begun.format(4)}, done",
    }


def test_run_that_died_without_a_word_ends_with_its_last_sign(
    experiment: ExperimentDirectory, runs: list[Run], store: Any, append: Append
) -> None:
    """Nobody wrote down when that was; the last point was written then at the latest."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(Record.RUNNING, 1, "2026-01-01T00:00:00.000+00:00", "box", 1))
    append(directory, 1)
    send(directory, store)
    assert store.run.state is State.STALE
    assert store.run.end == directory.metrics.stat().st_mtime_ns // 1_000_000


def test_point_that_stands_twice_in_the_file_is_sent_once(
    directory: RunDirectory, store: Any
) -> None:
    """A foreign program may write again what it computes again; the first stays."""
    rewrite(directory, point(2, 0.7, 8), point(4, 0.1), point(4, 0.2), mode="a")
    send(directory, store)
    assert store.steps == [1, 2, 3, 4]
    rewrite(directory, point(1, 0.9, 9), point(5, 0.3), mode="a")
    assert send(directory, store) == 1  # by a sender that has to read again what was sent before
    values = {each.step: each.value for each in store.run.samples}
    assert values == {1: 1.0, 2: 0.5, 3: 1 / 3, 4: 0.1, 5: 0.3}


def test_file_that_is_written_anew_with_the_same_values_changes_nothing(
    directory: RunDirectory, store: Any, append: Append
) -> None:
    """New timestamps would make new points; only what MLflow does not have is sent."""
    send(directory, store)
    before = {each.step: each.timestamp for each in store.run.samples}
    directory.metrics.unlink()
    append(directory, 1, 2, 3, 4, at=9000)
    assert send(directory, store) == 1
    assert store.steps == [1, 2, 3, 4]
    assert len(store.runs) == 1
    after = {each.step: each.timestamp for each in store.run.samples}
    assert after == {**before, 4: after[4]}
    assert after[4] >= 9000 > max(before.values())


def test_file_that_is_written_anew_with_other_values_makes_a_new_mlflow_run(
    directory: RunDirectory, store: Any
) -> None:
    """MLflow cannot replace points, so the run is deleted there, and recreated."""
    send(directory, store)
    rewrite(directory, point(1, 0.25), point(2, 0.125))
    send(directory, store)
    assert {each.step: each.value for each in store.run.samples} == {1: 0.25, 2: 0.125}
    assert [run.is_deleted for run in store.runs.values()] == [True, False]


@pytest.mark.parametrize("at", [1000, 9000])
def test_directory_that_was_made_anew_gets_an_mlflow_run_with_its_own_times_and_points(
    experiment: ExperimentDirectory,
    directory: RunDirectory,
    runs: list[Run],
    store: Any,
    append: Append,
    ended: Ended,
    at: int,
) -> None:
    """Also where all values agree: what the removed one did was not done by this one."""
    send(directory, store)
    shutil.rmtree(directory.path)
    again = experiment.create(runs[0])
    append(again, 1, 2, at=at)
    again.write_status(ended(Record.DONE))
    assert is_behind(again, again.observe(), read_delivery(again, PLACE))
    assert send(again, store) == 2
    assert store.steps == [1, 2]
    assert {each.timestamp for each in store.run.samples} == {at + 1, at + 2}
    assert [run.is_deleted for run in store.runs.values()] == [True, False]
    assert send(again, store) == 0


def test_directory_that_was_made_anew_with_another_device_gets_a_new_mlflow_run(
    experiment: ExperimentDirectory, store: Any, ended: Ended
) -> None:
    """What does not count for the identity may differ, but MLflow's parameters never change."""
    for device in ("cpu", "cuda"):
        run = identify({"seed": 0, "device": device}, {}, ["device"])
        directory = experiment.create(run)
        directory.write_status(ended(Record.DONE))
        send(directory, store)
        assert store.run.params["device"] == device
        if device == "cpu":
            shutil.rmtree(directory.path)


def rerun(experiment: ExperimentDirectory, run: Run) -> RunDirectory:
    """Begin a run from nothing, as ``orch rerun`` does."""
    assert experiment.replaced.put_aside([run.run_id], print) == {}
    return experiment.create(run)


@pytest.mark.parametrize("are_late", [True, False])
def test_rerun_has_an_mlflow_run_of_its_own_and_replaces_the_earlier_one_when_it_is_done(
    experiment: ExperimentDirectory,
    directory: RunDirectory,
    runs: list[Run],
    store: Any,
    append: Append,
    ended: Ended,
    *,
    are_late: bool,
) -> None:
    """Points of the two are never mixed, also where the values are the same."""
    store.answers_late = are_late
    send(directory, store)
    again = rerun(experiment, runs[0])
    append(again, 1, 2, at=7)
    again.write_status(ended(Record.FAILED))
    send(again, store)
    first, second = store.runs.values()
    assert (first.state, len(first.samples), first.is_deleted) == (State.DONE, 3, False)
    assert (second.state, len(second.samples), second.is_deleted) == (State.FAILED, 2, False)
    again.write_status(ended(Record.DONE, 2))
    send(again, store)
    assert store.run is second
    assert store.run.state is State.DONE
    assert store.steps == [1, 2]


def test_second_rerun_replaces_what_was_sent_before_the_first_one(
    experiment: ExperimentDirectory,
    directory: RunDirectory,
    runs: list[Run],
    store: Any,
    append: Append,
    ended: Ended,
) -> None:
    """The first rerun was never sent: MLflow was away."""
    send(directory, store)
    for _ in range(2):
        again = rerun(experiment, runs[0])
        append(again, 9)
        again.write_status(ended(Record.DONE))
        experiment.tear_down()
    send(again, store)
    assert store.steps == [9]
    assert len(store.runs) == 2


def test_store_that_breaks_at_any_call_keeps_a_rerun_apart(
    experiment: ExperimentDirectory,
    directory: RunDirectory,
    runs: list[Run],
    new_store: Any,
    append: Append,
    ended: Ended,
) -> None:
    """A sender that was killed anywhere is followed by one that finishes its work."""
    stores = [new_store() for _ in range(30)]
    for store in stores:
        directory.delivery.unlink(missing_ok=True)
        send(directory, store)
    before = stores[0].calls
    again = rerun(experiment, runs[0])
    append(again, 8, 9)
    again.write_status(ended(Record.DONE))
    for number, store in enumerate(stores):
        again.delivery.unlink(missing_ok=True)
        store.fails_at = before + number
        if number:
            try:
                send(again, store)
            except ConnectionError:
                pass
            else:
                assert number > 5
                break
        send(again, store)
        assert store.steps == [8, 9]


def test_what_a_slow_server_made_twice_is_removed(directory: RunDirectory, store: Any) -> None:
    """Its answer came too late, so it was asked again."""
    sender = Sender(directory, store, SCOPE, None)
    sender.send(directory.observe())
    twin = store.create_run(directory.run_id, "late", 0, dict(store.run.tags))
    directory.write_status(
        Status(Record.DONE, 2, "2026-01-01T00:00:00.000+00:00", "box", 1, ended_at="2026-01-02")
    )
    sender.send(directory.observe())
    assert store.runs[twin].is_deleted
    assert store.steps == [1, 2, 3]


def test_run_that_was_deleted_in_mlflow_is_made_anew_when_there_is_news(
    directory: RunDirectory, store: Any, append: Append
) -> None:
    """Who deletes a run whose training goes on gets it back whole; a finished one stays deleted."""
    send(directory, store)
    store.discard_run("mlflow-0")
    assert send(directory, store) == 0
    append(directory, 4)
    with pytest.raises(AssertionError):
        send(directory, store)  # MLflow refuses it
    send(directory, store)
    assert store.steps == [1, 2, 3, 4]


def test_experiment_that_was_made_anew_gets_everything(directory: RunDirectory, store: Any) -> None:
    """The store was thrown away, and another one stands in its place."""
    send(directory, store)
    store.runs.clear()
    store.mark = "1:2"
    sender = Sender(directory, store, SCOPE, read_delivery(directory, PLACE))
    sender.send(directory.observe())
    assert store.steps == [1, 2, 3]


def test_commit_is_the_one_that_the_attempt_was_started_from(
    directory: RunDirectory, store: Any
) -> None:
    """Not the one that is checked out when the run is reported."""
    sources = [
        GitSource("2025-12-31T00:00:00.000+00:00", "a" * 40, is_dirty=True),
        GitSource("2026-02-01T00:00:00.000+00:00", "b" * 40, is_dirty=False),
    ]
    send(directory, store, SCOPE._replace(sources=lambda: sources))
    assert store.run.tags["orch.git_commit"] == "a" * 40
    assert store.run.tags["orch.git_dirty"] == "true"


def test_changes_that_git_did_not_tell_are_unknown(directory: RunDirectory, store: Any) -> None:
    """Also where an earlier attempt has them: a tag that is not sent would stay."""
    source = GitSource("2025-12-31", "a" * 40, is_dirty=None)
    send(directory, store, SCOPE._replace(sources=lambda: [source]))
    assert store.run.tags["orch.git_dirty"] == "unknown"


def test_user_and_command_are_told(directory: RunDirectory, store: Any) -> None:
    """MLflow's page shows them; without them it says that they are unknown."""
    source = GitSource("2025-12-31", "", is_dirty=False, user="ada", command="orch run seed=0,1")
    send(directory, store, SCOPE._replace(sources=lambda: [source]))
    assert {key: value for key, value in store.run.tags.items() if key.startswith("mlflow.")} == {
        "mlflow.user": "ada",
        "mlflow.source.name": "orch run seed=0,1",
        "mlflow.source.type": "LOCAL",
    }
    assert "orch.git_commit" not in store.run.tags


def test_user_and_command_are_those_of_the_attempt(directory: RunDirectory, store: Any) -> None:
    """Two commands may execute one experiment at a time, and a third one may report it."""
    told = {"commit": "a" * 40, "dirty": False, "user": "ada", "typed": "orch run seed=0,1"}
    code_record.begin(directory.path, 1, json.dumps({"directory": "/work", **told}), {})
    other = GitSource("2025-12-31", "b" * 40, is_dirty=True, user="bob", command="orch run lr=1")
    send(directory, store, SCOPE._replace(sources=lambda: [other]))
    tags = store.run.tags
    assert (tags["mlflow.user"], tags["mlflow.source.name"]) == ("ada", "orch run seed=0,1")
    assert (tags["orch.git_commit"], tags["orch.git_dirty"]) == ("a" * 40, "false")


def test_any_user_and_commit_are_told(directory: RunDirectory, store: Any) -> None:
    """Names of any bytes and length, as the environment or a damaged record has them."""
    source = GitSource("2025-12-31", "c" * 9000, is_dirty=False, user="\udcff" * 9000)
    send(directory, store, SCOPE._replace(sources=lambda: [source]))
    for key in ("mlflow.user", "mlflow.source.git.commit"):
        value = store.run.tags[key]
        assert len(value.encode()) <= 5000


def test_points_that_are_appended_meanwhile_are_for_the_next_time(
    directory: RunDirectory, store: Any, append: Append, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a writer that is faster than MLflow would keep the sender for ever."""
    steps = iter(range(4, 1000))
    monkeypatch.setattr(sender_module, "read_points", lambda *a, **k: (
        append(directory, next(steps)), read_points(*a, **k))[1])  # fmt: skip
    Sender(directory, store, SCOPE, None).send(directory.observe())
    assert len(store.steps) < 10
