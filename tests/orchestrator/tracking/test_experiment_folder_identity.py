"""A moved folder keeps its MLflow runs, a copy gets its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sending import point, rewrite, send

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Record, Status
from orchestrator.tracking.delivery_record import (
    read_delivery,
)
from orchestrator.tracking.destination import find_destination
from orchestrator.tracking.reported_content import Scope
from orchestrator.tracking.sender import Sender

Ended = Callable[..., Status]
Append = Callable[..., None]


def test_runs_with_the_same_id_elsewhere_are_other_runs(
    tmp_path: Path, directory: RunDirectory, runs: list[Run], store: Any, ended: Ended
) -> None:
    """Two results folders may report to one server."""
    send(directory, store)
    elsewhere = ExperimentDirectory(tmp_path / "elsewhere", "first")
    elsewhere.prepare()
    other = elsewhere.create(runs[0])
    other.write_status(ended(Record.DONE))
    send(other, store)
    assert len(store.runs) == 2


def test_folder_that_was_moved_finds_its_mlflow_runs(
    tmp_path: Path, experiment: ExperimentDirectory, directory: RunDirectory, store: Any
) -> None:
    """Also where the record beside the run was lost."""
    send(directory, store)
    experiment.results_dir.rename(tmp_path / "moved")
    moved = ExperimentDirectory(tmp_path / "moved", "first").run(directory.run_id)
    moved.delivery.unlink()
    assert send(moved, store) == 0
    assert len(store.runs) == 1


def test_copy_of_a_folder_reports_to_runs_of_its_own(
    tmp_path: Path, experiment: ExperimentDirectory, runs: list[Run], store: Any, append: Append,
    ended: Ended,
) -> None:  # fmt: skip
    """Both go on from the same three points, and come to other values; a moved folder stays itself."""

    def report(results: Path, *points: dict[str, object]) -> None:
        folder = ExperimentDirectory(results, "first")
        place = find_destination(folder, "http://server", is_own=False, keep=True)
        run = folder.run(runs[0].run_id)
        rewrite(run, *points, mode="a")
        sender = Sender(run, store, Scope(place, "first", list), read_delivery(run, place))
        sender.send(run.observe())

    directory = experiment.create(runs[0])
    append(directory, 1, 2, 3)
    directory.write_status(ended(Record.INTERRUPTED))
    report(experiment.results_dir)
    shutil.copytree(experiment.results_dir, tmp_path / "copy")
    experiment.results_dir.rename(tmp_path / "moved")
    shutil.copytree(tmp_path / "copy", experiment.results_dir)  # and another in the place of old
    for number, name in enumerate(("moved", "copy", "results", "moved", "copy", "results")):
        report(tmp_path / name, point(4 + number, number))
    kept = [{each.step: each.value for each in run.samples} for run in store.runs.values()]
    assert len(kept) == 3
    begun = {1: 1.0, 2: 0.5, 3: 1 / 3}
    assert sorted(kept, key=max) == [
        begun | {4: 0, 7: 3}, begun | {5: 1, 8: 4}, begun | {6: 2, 9: 5}
    ]  # fmt: skip
    assert not any(run.is_deleted for run in store.runs.values())
