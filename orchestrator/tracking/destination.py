"""The destination of an experiment's reports: the store, and the identity of the folder in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.tracking.delivery_record import FILES, Destination, sqlite_uri, store_name
from orchestrator.tracking.experiment_folder_identity import keep_identity, look_up_identity

if TYPE_CHECKING:
    from orchestrator.config.orch_settings import Tracking
    from orchestrator.rundir.experiment import ExperimentDirectory


def store_uri(experiment: ExperimentDirectory, tracking: Tracking) -> str:
    """Return the address of the store: the configured one, or SQLite under ``results_dir``."""
    return tracking.uri or sqlite_uri(experiment.results_dir / "mlflow.db")


def find_destination(
    experiment: ExperimentDirectory, uri: str, *, is_own: bool, keep: bool = False
) -> Destination:
    """Return the destination of an experiment's runs.

    Args:
        experiment: The experiment's folder.
        uri: The address of the store.
        is_own: Whether the store lies in the results folder.
        keep: Whether to create an identity of the folder if it has none; only the reporter does.

    Raises:
        OSError: The identity cannot be written.
    """
    if is_own:
        return Destination(store_name(uri), files=experiment.results_dir / FILES)
    folder = keep_identity(experiment) if keep else look_up_identity(experiment)
    return Destination(store_name(uri), folder)
