"""``orch stop`` asks the ``orch run`` of an experiment to stop, if there is one."""

import json
import os
from collections.abc import Callable

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.slurm.submission_records import PilotsFolder

from .conftest import GRID, Grid


def test_experiment_that_nothing_executes_is_not_asked(
    grid: Grid, output: Callable[[], str]
) -> None:
    grid.make(0.1, 0)
    assert grid.orch("stop", *GRID, "--json") == 0
    said = json.loads(output())
    assert (said["asked"], said["live"], said["unsaved"]) == (False, 0, 0)
    assert not list(grid.experiment.path.glob("stop*"))


@pytest.mark.parametrize("flags", [[], ["--drain"], ["--now"]])
def test_orchestrators_at_work_are_asked_as_the_option_says(
    grid: Grid, output: Callable[[], str], flags: list[str]
) -> None:
    grid.make(0.1, 0)
    at_work = ExperimentDirectory(grid.experiment.results_dir, "grid")
    stop_file = at_work.stop_file()
    at_work.join()
    assert grid.orch("stop", *GRID, "--json", *flags) == 0
    said = json.loads(output())
    assert said["asked"]
    assert stop_file.news() == said["how"] != ""
    assert stop_file.news() == ""  # each request once


@pytest.mark.usefixtures("_obeying_permissions")
def test_live_orchestrators_are_asked_even_if_pilots_cannot_be(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it says so, and what to do."""
    monkeypatch.setenv("PATH", "/nowhere")
    grid.make(0.1, 0)
    pilots = PilotsFolder(grid.experiment.path)
    assert pilots.become_controller()
    os.close(pilots.begin("grid", 0, 1)[1])
    stop_file = grid.experiment.stop_file()
    pilots.path.chmod(0o555)
    try:
        with pytest.raises(RunDirectoryError, match=r"\(Permission denied\), so pilots .* scancel"):
            grid.orch("stop", *GRID)
    finally:
        pilots.path.chmod(0o755)
    assert stop_file.news() == "at_checkpoint"
    pilots.leave()
