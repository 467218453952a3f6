"""What the tests of the orchestrator share: an experiment's folder, and runs to put into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from orchestrator.experiment import ExperimentDirectory
from orchestrator.identity import Run, identify

if TYPE_CHECKING:
    from pathlib import Path

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def experiment(tmp_path: Path) -> ExperimentDirectory:
    """Return an experiment whose folder is ready for runs."""
    directory = ExperimentDirectory(tmp_path / "results", "first")
    directory.prepare()
    return directory


@pytest.fixture
def runs() -> list[Run]:
    """Return three runs that differ in their seed."""
    return [identify({"seed": seed, "lr": 0.1}, {"seed": seed}) for seed in range(3)]
