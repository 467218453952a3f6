"""The view of an experiment on MLflow's page: which columns its table of runs shows.

By default it shows neither metrics nor parameters. A view is a tag of the experiment, which the page
reads if its address names it; the tag is set through the server that serves the page.
"""

from __future__ import annotations

import contextlib
import http
import http.client
import json
from itertools import islice
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.config_values import DELETED, Missing, look_up
from orchestrator.rundir.metric_names import name_of_result
from orchestrator.tracking.mlflow_names import metric_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestrator.rundir.directory import RunDirectory

_VIEW: Final = "orch"
_TAG: Final = f"mlflow.sharedViewState.{_VIEW}"
_REQUEST: Final = "/api/2.0/mlflow/experiments/set-experiment-tag"
_LOOKED_INTO: Final = 20  # runs
_MOST: Final = 6  # columns of a kind
_TIMEOUT: Final = 10.0


def columns_of(runs: Iterable[RunDirectory]) -> list[str]:
    """Return the columns for an experiment: user and source, then its metrics, then its axes."""
    metrics: dict[str, None] = {}
    axes: dict[str, None] = {}
    for directory in islice(runs, _LOOKED_INTO):
        with contextlib.suppress(RunDirectoryError, OSError):
            metrics.update(dict.fromkeys(_metrics_of(directory)))
            axes.update(dict.fromkeys(_axes_of(directory)))
    return ["attributes.`User`", "attributes.`Source`", *[*metrics][:_MOST], *[*axes][:_MOST]]


def _metrics_of(directory: RunDirectory) -> Iterator[str]:
    outcome = directory.outcome()
    for key in outcome.figures_of_best:
        yield _column("metrics", metric_name(key))
    for key in outcome.results:  # named as they are sent
        yield _column("metrics", metric_name(name_of_result(key, outcome.training)))
    for key in outcome.training:
        yield _column("metrics", metric_name(key))


def _axes_of(directory: RunDirectory) -> Iterator[str]:
    config = directory.read_config()
    for name in directory.read_chosen().named:
        key = name.removeprefix(DELETED)
        is_group = isinstance(look_up(config, key), dict | Missing)
        shown = metric_name(f"orch.axis.{key}" if is_group else key)
        yield _column("tags" if is_group else "params", shown)


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def share_view(host: str, port: int, mlflow_experiment: str, columns: Sequence[str]) -> str:
    """Set the view, and return what names it in the page's address; empty if that failed."""
    value = json.dumps({"selectedColumns": list(columns)})
    body = json.dumps({"experiment_id": mlflow_experiment, "key": _TAG, "value": value})
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request("POST", _REQUEST, body, {"Content-Type": "application/json"})
        is_set = connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
    return f"?viewStateShareKey={_VIEW}" if is_set else ""
