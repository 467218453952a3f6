"""Tests of orchestrator.planning.curve_reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrator.grid.identity import identify
from orchestrator.planning.curve_reader import CurveReader

if TYPE_CHECKING:
    from orchestrator.rundir.experiment import ExperimentDirectory


def test_run_is_read_again_only_after_it_has_changed(experiment: ExperimentDirectory) -> None:
    """The very same answer is returned as long as its files are the same."""
    run = identify({"x": 1}, {"x": 1})
    directory, reader = experiment.create(run), CurveReader(experiment, "loss")
    assert reader.read(run.run_id) == (0, {})
    for at in (1, 2):
        point = {"key": "loss", "value": at / 2, "step": at, "timestamp": 1}
        with directory.metrics.open("a") as file:
            file.write(json.dumps(point) + "\n")
        progress = {"iteration": at, "iterations": 9}
        (directory.path / "progress.json").write_text(json.dumps(progress))
        found = reader.read(run.run_id)
        assert found == (at, {step: step / 2 for step in range(1, at + 1)})
        assert reader.read(run.run_id) is found
