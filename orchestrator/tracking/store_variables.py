"""The address of a store as the environment variables by which MLflow's client finds it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from orchestrator.errors import UsageError
from orchestrator.runner.mlflow_variables import PREFIX
from orchestrator.tracking.delivery_record import SQLITE, sqlite_file
from orchestrator.tracking.destination import store_uri
from orchestrator.tracking.mlflow_names import experiment_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.config.orch_settings import Tracking
    from orchestrator.rundir.experiment import ExperimentDirectory

_NOT_FOLDERS: Final = ("databricks", "databricks-uc", "uc")


def variables_for_programs(
    experiment: ExperimentDirectory, tracking: Tracking
) -> Mapping[str, str]:
    """Return what runners hand over to programs that log to the MLflow runs of their attempts.

    Raises:
        UsageError: MLflow's client cannot find the store by an address.
    """
    if not (tracking.enabled and tracking.share):
        return {}
    uri, login = split_login(_as_anywhere(store_uri(experiment, tracking)))
    name = experiment_name(experiment.experiment_id)
    found = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_EXPERIMENT_NAME": name, **login}
    return {f"{PREFIX}{variable}": value for variable, value in found.items()}


def split_login(uri: str) -> tuple[str, Mapping[str, str]]:
    """Return the address of a server without user and password, and MLflow's variables for these."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or parts.username is None:
        return uri, {}
    login = {
        "MLFLOW_TRACKING_USERNAME": unquote(parts.username),
        "MLFLOW_TRACKING_PASSWORD": unquote(parts.password or ""),
    }
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), login


def _as_anywhere(uri: str) -> str:
    """Return an address that is valid in every folder: programs may change theirs.

    Raises:
        UsageError: There is none that MLflow reads in the same way everywhere.
    """
    file = sqlite_file(uri)
    if file is not None:
        if unreadable := [each for each in "%?#" if each in str(file.absolute())]:
            raise UsageError(
                f"orch.tracking.share: MLflow cannot open {file.absolute()} by its address, because"
                f" of the {unreadable[0]!r} in its path. Set orch.tracking.uri to another store."
            )
        return f"{SQLITE}{file.absolute()}"
    if "://" in uri or uri.startswith("file:") or uri in _NOT_FOLDERS:
        return uri
    return str(Path(os.path.abspath(uri)))  # noqa: PTH100 # without following links
