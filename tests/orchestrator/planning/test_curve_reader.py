"""Tests of orchestrator.planning.curve_reader."""

from __future__ import annotations

import json
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
    assert reader.read(run.run_id, NOTHING_THERE) == LoggedMetric({}, 0, is_settled=False)
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
    ("status", "is_settled", "is_first"),
    [
        (Status(Record.DONE, 1, "then", "box", 1), True, True),
        (Status(Record.INTERRUPTED, 2, "then", "box", 1, reason=PAUSED), True, False),
        (Status(Record.INTERRUPTED, 1, "then", "box", 1), False, True),
        (Status(Record.RUNNING, 3, "then", "box", 1), False, False),
    ],
)
def test_run_that_has_ended_by_itself_has_logged_just_what_it_reports(
    experiment: ExperimentDirectory, status: Status, *, is_settled: bool, is_first: bool
) -> None:
    run = identify({"x": 1}, {"x": 1})
    directory = experiment.create(run)
    directory.write_status(status)
    found = CurveReader(experiment, "loss").read(run.run_id, directory.observe())
    assert (found.is_settled, found.is_first) == (is_settled, is_first)
    assert found.reached == (None if is_settled else 0)  # it reports none
