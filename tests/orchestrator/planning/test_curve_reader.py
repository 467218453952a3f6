"""Tests of orchestrator.planning.curve_reader."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.grid.identity import identify
from orchestrator.planning.curve_reader import CurveReader
from orchestrator.planning.step_meaning import LoggedMetric
from orchestrator.rundir.state import NOTHING_THERE, PAUSED, Record, Status

if TYPE_CHECKING:
    from orchestrator.rundir.experiment import ExperimentDirectory


def test_run_is_read_again_only_after_it_has_changed(experiment: ExperimentDirectory) -> None:
    """The very same answer is returned as long as its files are the same."""
    run = identify({"x": 1}, {"x": 1})
    directory, reader = experiment.create(run), CurveReader(experiment, "loss")
    assert reader.read(run.run_id, NOTHING_THERE) == LoggedMetric({}, None, is_settled=False)
    for at in (1, 2):
        point = {"key": "loss", "value": at / 2, "step": at, "timestamp": 1}
        with directory.metrics.open("a") as file:
            file.write(json.dumps(point) + "\n")
        progress = {"iteration": at, "iterations": 9}
        (directory.path / "progress.json").write_text(json.dumps(progress))
        found = reader.read(run.run_id, NOTHING_THERE)
        assert found.reached == at
        assert found.curve == {step: step / 2 for step in range(1, at + 1)}
        assert reader.read(run.run_id, NOTHING_THERE).curve is found.curve


@pytest.mark.parametrize(
    ("attempts", "is_settled", "is_whole", "reached"),
    [
        (["done"], True, True, None),
        ([3, "done"], True, True, None),
        ([3], True, True, 3),
        ([2, 3], True, True, 3),
        (["killed", 3], True, False, 3),
        (["asked", 3], True, False, 3),
        (["asked"], False, True, None),
        (["killed"], False, True, None),
        ([3, "killed"], False, True, None),
        (["killed", "killed"], False, False, None),
    ],
)
def test_run_that_reports_no_progress_is_known_by_its_attempts(
    experiment: ExperimentDirectory,
    attempts: list[str | int],
    *,
    is_settled: bool,
    is_whole: bool,
    reached: int | None,
) -> None:
    """A number is the iteration after which an attempt has paused."""
    run = identify({"x": 1}, {"x": 1})
    directory = experiment.create(run)
    for at, end in enumerate(attempts, 1):
        status = Status(Record.RUNNING, at, "then", "box", 1)
        if end in ("done", "asked"):
            record = Record.DONE if end == "done" else Record.INTERRUPTED
            status = replace(status, record=record, reason="it was asked to stop")
        elif isinstance(end, int):
            status = replace(status, record=Record.INTERRUPTED, reason=PAUSED, paused_after=end)
        directory.write_status(status)
    found = CurveReader(experiment, "loss").read(run.run_id, directory.observe(), 9)
    assert (found.is_settled, found.is_whole, found.reached) == (is_settled, is_whole, reached)
    assert found.paused_after == max((it for it in attempts if isinstance(it, int)), default=0)
    assert found.total == 9


@pytest.mark.parametrize(
    ("steps", "reached", "is_whole"),
    [
        ((1, 2, 3), 3, True),
        ((0, 1, 2), 3, True),
        ((0, 1, 2, 3), 3, True),
        ((1, 2, 3, 4), 4, False),  # it saves every second iteration: how far it is, is less certain
        ((2,), 3, True),
        ((100, 200, 300), 3, True),
        ((), 3, True),
    ],
)
def test_run_that_reports_no_progress_and_has_paused_is_as_far_as_it_was_to_come(
    experiment: ExperimentDirectory, steps: tuple[int, ...], reached: int, *, is_whole: bool
) -> None:
    run = identify({"x": 1}, {"x": 1})
    directory = experiment.create(run)
    points = [{"key": "loss", "value": 1, "step": step, "timestamp": 1} for step in steps]
    directory.metrics.write_text("".join(json.dumps(point) + "\n" for point in points))
    status = Status(Record.INTERRUPTED, 1, "then", "box", 1, reason=PAUSED, paused_after=3)
    directory.write_status(status)
    found = CurveReader(experiment, "loss").read(run.run_id, directory.observe())
    assert (found.reached, found.is_whole) == (reached, is_whole)


@pytest.mark.parametrize("is_trainers", [True, False])
def test_trainer_is_known_by_what_it_alone_reports(
    experiment: ExperimentDirectory, *, is_trainers: bool
) -> None:
    run = identify({"x": 1}, {"x": 1})
    directory = experiment.create(run)
    own = {"total_read": False} if is_trainers else {}
    (directory.path / "progress.json").write_text(
        json.dumps({"iteration": 1, "iterations": 3, "metrics": {}, **own})
    )
    found = CurveReader(experiment, "loss").read(run.run_id, directory.observe())
    assert found.is_trainers is is_trainers
