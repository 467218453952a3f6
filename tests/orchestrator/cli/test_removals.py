"""What is said of removed run directories."""

from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.cli.removals import tell_removals
from orchestrator.grid.identity import RunId
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.run_summary import Report
from orchestrator.rundir.state import NOTHING_THERE


@pytest.mark.parametrize(("number", "named"), [(1, 1), (3, 3), (41, 1)])
def test_runs_are_named(tmp_path: Path, number: int, named: int) -> None:
    """Of many only those that were kept, which the user did not ask for."""
    run_ids = [RunId(f"{it:016x}") for it in range(number)]
    reports = [Report(it, {"lr": place}, "", NOTHING_THERE) for place, it in enumerate(run_ids)]
    console = Console(width=200)
    kept = {run_ids[-1]: "a process of it is live"} if number > 1 else {}
    with console.capture() as captured:
        tell_removals(reports, kept, ExperimentDirectory(tmp_path, "e"), console)
    *lines, end = captured.get().splitlines()
    assert len(lines) == named
    removed = number - len(kept)
    assert end.startswith(f"{removed} of {number} run director")
    if kept:
        assert lines[-1] == f"kept {run_ids[-1]}  lr={number - 1}: a process of it is live"
    else:
        assert lines == [f"removed {run_ids[0]}  lr=0"]


@pytest.mark.parametrize(
    ("number", "reported", "told"),
    [
        (1, 1, "It was reported to MLflow, which keeps it: delete it there, "),
        (3, 1, "1 of them was reported to MLflow, which keeps it: delete it there, "),
        (3, 2, "2 of them were reported to MLflow, which keeps them: delete them there, "),
        (3, 3, "2 of them were"),  # the last one is kept
    ],
)
def test_what_mlflow_keeps_is_told(tmp_path: Path, number: int, reported: int, told: str) -> None:
    """Its runs are not deleted with the directories."""
    run_ids = [RunId(f"{it:016x}") for it in range(number)]
    experiment = ExperimentDirectory(tmp_path, "e")
    for each in run_ids[:reported]:
        experiment.run(each).delivery.parent.mkdir(parents=True, exist_ok=True)
        experiment.run(each).delivery.touch()
    console = Console(width=200)
    kept = {run_ids[-1]: "a process of it is live"} if number > 1 else {}
    with console.capture() as captured:
        tell_removals(
            [Report(it, {}, "", NOTHING_THERE) for it in run_ids], kept, experiment, console
        )
    assert captured.get().splitlines()[-1].startswith(told)
