"""The destination of an experiment's reports: which store, and for which of the folders in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.tracking.delivery_record import FILES, Destination, sqlite_uri, store_name
from orchestrator.tracking.experiment_identity import keep_identity, look_up_identity

if TYPE_CHECKING:
    from orchestrator.config.settings import Tracking
    from orchestrator.rundir.experiment import ExperimentDirectory


def store_uri(experiment: ExperimentDirectory, tracking: Tracking) -> str:
    """Return the address of the store: the one given, or SQLite under ``results_dir``."""
    return tracking.uri or sqlite_uri(experiment.results_dir / "mlflow.db")


def find_destination(
    experiment: ExperimentDirectory, uri: str, *, is_own: bool, keep: bool = False
) -> Destination:
    """Return where an experiment's runs are reported to.

    Args:
        experiment: The folder of the runs.
        uri: The address of the store.
        is_own: Whether the store lies in the results folder.
        keep: Whether to give the folder an identity where it has none; only the reporter does.

    Raises:
        OSError: The identity cannot be written down.
    """
    if is_own:
        return Destination(store_name(uri), files=experiment.results_dir / FILES)
    folder = keep_identity(experiment) if keep else look_up_identity(experiment)
    return Destination(store_name(uri), folder)
