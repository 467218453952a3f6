"""Tables of single runs tell these apart, and read configs only where that is necessary."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.grid.identity import Run, identify
from orchestrator.planning.named_reports import name_reports
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.run_summary import Report, report_on
from orchestrator.rundir.state import NOTHING_THERE


@pytest.fixture
def experiment(tmp_path: Path) -> ExperimentDirectory:
    made = ExperimentDirectory(tmp_path, "e")
    made.prepare()
    return made


def _make(experiment: ExperimentDirectory, config: dict[str, Any], **axes: Any) -> Report:
    return report_on(experiment.create(identify(config, axes)))


def _pending(run: Run) -> Report:
    return Report(run.run_id, run.overrides, "", NOTHING_THERE)


def test_blank_is_filled_from_the_config(experiment: ExperimentDirectory) -> None:
    """One command swept the key, the other one did not; a run that has not started has a value, too."""
    run = identify({"lr": 3, "seed": 1}, {"seed": 1})
    reports = [
        _make(experiment, {"lr": 1, "seed": 0}, lr=1),
        _make(experiment, {"lr": 2, "seed": 0}, seed=0),
        _pending(run),
    ]
    named = name_reports(reports, experiment, [run])
    assert [dict(report.overrides) for report in named] == [
        {"lr": 1, "seed": 0},
        {"lr": 2, "seed": 0},
        {"lr": 3, "seed": 1},
    ]


def test_runs_with_the_same_name_are_told_apart(experiment: ExperimentDirectory) -> None:
    """A default was edited between two commands; what is not part of the run ID does not count."""
    experiment.identity_exclude = None
    reports = [_make(experiment, {"y": y, "seed": 0}, seed=0) for y in (0, 5)]
    named = name_reports(reports, experiment)
    assert [dict(report.overrides) for report in named] == [
        {"seed": 0, "y": 0},
        {"seed": 0, "y": 5},
    ]


def test_nothing_is_read_where_the_axes_suffice(experiment: ExperimentDirectory) -> None:
    """The configs of ten thousand runs would take seconds."""
    reports = [_make(experiment, {"lr": lr}, lr=lr) for lr in (1, 2)]
    assert name_reports(reports, experiment) is reports
    assert name_reports([], experiment) == []
