"""An experiment without runs is told with those that have some: its name may be misspelt."""

from pathlib import Path

import pytest

from orchestrator.cli.absent_runs import experiments_in, folder_like, no_runs_in
from orchestrator.rundir.experiment import ExperimentDirectory


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ([], ""),
        (["digits"], " (there are runs of digits)"),
        (["a", "b", "digits", "z"], " (there are runs of digits, a, b and 1 more)"),
        (["a\x1b[1m"], " (there are runs of a?[1m)"),
    ],
)
def test_experiments_that_have_runs_are_told(tmp_path: Path, there: list[str], told: str) -> None:
    for each in there:
        (tmp_path / each / "training" / ("a" * 16)).mkdir(parents=True)
    (tmp_path / "mlruns").mkdir()
    experiment = ExperimentDirectory(tmp_path, "digit")
    assert no_runs_in(experiment) == f"no runs in {experiment.training} yet{told}"


def test_folder_that_is_named_alike_is_told(tmp_path: Path) -> None:
    (tmp_path / "results" / "digits" / "training" / ("a" * 16)).mkdir(parents=True)
    (tmp_path / "result").mkdir()
    experiment = ExperimentDirectory(tmp_path / "resutls", "digits")
    told = f"(there are runs in {tmp_path / 'results'})"
    assert no_runs_in(experiment) == f"no runs in {experiment.training} yet {told}"
    assert not folder_like(tmp_path / "result")


def test_missing_folder_has_no_experiments(tmp_path: Path) -> None:
    assert experiments_in(tmp_path / "none", "digits") == ""
