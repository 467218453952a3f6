"""The status of an experiment: which reports it has, and in which order."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.grid.identity import identify
from orchestrator.planning.experiment_status import status_of_runs
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, State, Status


@pytest.mark.parametrize("most", [0, 1, 3, 4, 5, 9])
def test_first_reports_are_those_of_all(tmp_path: Path, most: int) -> None:
    """Of done, failed, running and damaged runs, the oldest first, and those that have not begun last.

    Those that are not listed are not read.
    """
    experiment = ExperimentDirectory(tmp_path, "some")
    experiment.prepare()
    for seed, record in enumerate((Record.DONE, Record.FAILED, Record.RUNNING, None)):
        directory = experiment.create(identify({"seed": seed}, {"seed": seed}))
        if record:
            directory.write_status(Status(record, 1, now(), "box", 1))
        identity = json.loads(directory.identity.read_text())
        identity["created_at"] = f"2026-11-0{9 - seed}"
        directory.identity.write_text("" if record is Record.FAILED else json.dumps(identity))
    pending = identify({"seed": 9}, {"seed": 9})
    status = replace(status_of_runs(experiment, experiment.run_ids()), pending=[pending])
    reports = status.reports([*State], with_others=True)
    assert [it.created_at for it in reports] == ["", "2026-11-07", "2026-11-09", "2026-11-06", ""]
    assert status.reports([*State], with_others=True, most=most) == reports[:most]
