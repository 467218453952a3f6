"""What the tests of run directories share: the directory of a run that has not run yet."""

from __future__ import annotations

import pytest

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory


@pytest.fixture
def directory(experiment: ExperimentDirectory, runs: list[Run]) -> RunDirectory:
    """Return the run directory of a run that has not run yet."""
    return experiment.create(runs[0])
