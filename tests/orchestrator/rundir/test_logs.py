"""The logs of a run's attempts."""

from pathlib import Path

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory


def test_logs_are_in_the_order_of_their_attempts(directory: RunDirectory) -> None:
    """Also beyond 999; what nobody counts to is none."""
    folder = directory.attempt_log(1).parent
    folder.mkdir()
    for name in ("001", "999", "1000", "1000000", "0", "00001", "9" * 30, "x", "٣٣٣"):
        (folder / f"attempt-{name}.log").touch()
    names = [path.name for path in directory.attempt_logs()]
    assert names == [f"attempt-{n}.log" for n in ("001", "999", "1000", "1000000")]


def test_link_in_place_of_the_logs_is_refused_before_an_attempt(
    experiment: ExperimentDirectory, directory: RunDirectory, runs: list[Run], tmp_path: Path
) -> None:
    """Nothing outside of the run directory is written; the line says what to do."""
    (directory.path / "logs").symlink_to(tmp_path)
    assert directory.attempt_logs() == []
    with pytest.raises(RunDirectoryError, match="logs: it is not a folder, or it is a link"):
        experiment.create(runs[0])
