"""Where an experiment is reported to: one store, and the identity of its folder in a shared one."""

from orchestrator.config.orch_settings import Tracking
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.tracking.delivery_record import sqlite_file
from orchestrator.tracking.destination import find_destination, store_uri


def test_store_lies_in_the_results_folder_by_default(experiment: ExperimentDirectory) -> None:
    uri = store_uri(experiment, Tracking())
    assert sqlite_file(uri) == experiment.results_dir / "mlflow.db"
    assert store_uri(experiment, Tracking(uri="http://server")) == "http://server"


def test_own_store_needs_no_identity_of_the_folder(experiment: ExperimentDirectory) -> None:
    """A copy of the results folder has a store of its own."""
    uri = store_uri(experiment, Tracking())
    found = find_destination(experiment, uri, is_own=True, keep=True)
    assert (found.folder, found.files) == ("", experiment.results_dir / "mlartifacts")
    assert not (experiment.path / "tracking").exists()


def test_only_the_reporter_gives_a_folder_its_identity(experiment: ExperimentDirectory) -> None:
    looked_up = find_destination(experiment, "http://server", is_own=False)
    assert looked_up.folder == ""
    kept = find_destination(experiment, "http://server", is_own=False, keep=True)
    assert kept.folder
    assert find_destination(experiment, "http://server", is_own=False) == kept
