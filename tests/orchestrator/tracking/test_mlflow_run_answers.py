"""A runner that waits gets one answer: the MLflow run, or why there is none."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.mlflow_run_request import Answer, read_answer
from orchestrator.rundir.state import Observation, Record, Status
from orchestrator.tracking.delivery_record import Delivery
from orchestrator.tracking.mlflow_run_answers import Answers

Ended = Callable[..., Status]


def live(ended: Ended, attempt: int = 1) -> Observation:
    return Observation(ended(Record.RUNNING, attempt), locked=True, attempts=attempt)


def test_run_is_named_once_mlflow_knows_that_it_runs(directory: RunDirectory, ended: Ended) -> None:
    answers, delivery = Answers(), Delivery("s", "1", "then", "abc", told="failed:1")
    answers.give(directory.path, live(ended, 2), delivery, "")
    assert read_answer(directory.path) is None
    told = Delivery("s", "1", "then", "abc", told="running:2")
    answers.give(directory.path, live(ended, 2), told, "")
    assert read_answer(directory.path) == Answer(2, "abc")


def test_problem_is_told_when_it_lasts(directory: RunDirectory, ended: Ended) -> None:
    answers = Answers()
    answers.give(directory.path, live(ended), None, "the store is locked")
    assert read_answer(directory.path) is None
    answers.give(directory.path, live(ended), None, "the store is locked")
    assert read_answer(directory.path) == Answer(1, problem="the store is locked")
    told = Delivery("s", "1", "then", "abc", told="running:1")
    answers.give(directory.path, live(ended), told, "")  # its program has started meanwhile
    assert read_answer(directory.path) == Answer(1, problem="the store is locked")


def test_run_that_does_not_live_gets_no_answer(directory: RunDirectory, ended: Ended) -> None:
    seen = Observation(ended(Record.FAILED), attempts=1)
    for _ in range(3):
        Answers().give(directory.path, seen, None, "no server")
    assert read_answer(directory.path) is None


def test_answer_that_cannot_be_written_is_tried_again(
    directory: RunDirectory, ended: Ended
) -> None:
    answers, told = Answers(), Delivery("s", "1", "then", "abc", told="running:1")
    folder = directory.delivery.parent
    folder.write_text("in the way")
    answers.give(directory.path, live(ended), told, "")
    folder.unlink()
    answers.give(directory.path, live(ended), told, "")
    assert read_answer(directory.path) == Answer(1, "abc")
