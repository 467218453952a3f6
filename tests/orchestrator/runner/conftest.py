"""What the tests of the runner share: a run directory, and a pipe through which a program reports."""

import os
import sys
from pathlib import Path

import pytest

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def directory(experiment: ExperimentDirectory, runs: list[Run]) -> RunDirectory:
    """Return the run directory of a run that has not run yet."""
    return experiment.create(runs[0])


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Return a pipe through which a program tells that it has come to a place."""
    path = tmp_path / "told"
    os.mkfifo(path)
    return path
