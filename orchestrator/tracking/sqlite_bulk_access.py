"""Bulk access to a SQLite store, bypassing MLflow's objects.

MLflow creates an object per point, which limits it to a few thousand points per second. This module
uses MLflow's own tables, so it writes what MLflow itself would have written.
"""

from __future__ import annotations

import bisect
import contextlib
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlMetric, SqlRun
from sqlalchemy import create_engine, delete, func, select, text, update

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.engine import Connection, Engine

    from orchestrator.tracking.metrics_file_points import MetricPoint

_INSERT: Final = (
    "INSERT OR IGNORE INTO metrics (run_uuid, key, timestamp, step, value, is_nan)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_PATIENCE: Final = 20.0  # seconds to wait for another writer, as MLflow does


def open_engine(uri: str) -> Engine:
    """Return an engine for an existing store."""
    return create_engine(uri, connect_args={"timeout": _PATIENCE})


def insert_points(engine: Engine, mlflow_run_id: str, samples: Iterable[MetricPoint]) -> None:
    """Add points to a run in one transaction; those that are there already stay as they are.

    The newest point of each key must be logged through MLflow, which keeps it in a table of its own.
    """
    rows = [
        (
            *(mlflow_run_id, each.key, each.timestamp, each.step),
            *((0.0, True) if math.isnan(each.value) else (each.value, False)),
        )
        for each in samples
    ]
    with _transaction(engine) as connection:
        connection.exec_driver_sql(
            _INSERT, rows
        )  # without SQLAlchemy's compiler: a third of the time


def read_points(engine: Engine, mlflow_run_id: str) -> dict[tuple[str, int], float]:
    """Return the value of every point of a run, by key and step."""
    columns = (SqlMetric.key, SqlMetric.step, SqlMetric.value, SqlMetric.is_nan)
    with engine.connect() as connection:
        query: Any = select(*columns).where(SqlMetric.run_uuid == mlflow_run_id)
        found = connection.execute(query)
        return {
            (str(key), int(step)): math.nan if is_nan else float(value)
            for key, step, value, is_nan in found
        }


def remove_repeated(engine: Engine, mlflow_run_id: str, starts: Sequence[int]) -> None:
    """Remove the points of a run whose key and step a later attempt has logged again.

    A metric that has several points at a step within one attempt has no steps of its own, such as
    one that is always logged at step 0: all of its points stay.
    """
    table: Any = SqlMetric
    of_run = table.run_uuid == mlflow_run_id
    repeated = select(table.key).where(of_run).group_by(table.key, table.step)
    repeated = repeated.having(func.count() > 1)
    query = select(table.key, table.step, table.timestamp).where(of_run, table.key.in_(repeated))
    with _transaction(engine) as connection:
        attempts: defaultdict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        for key, step, timestamp in connection.execute(query):
            attempts[str(key), int(step)].append((bisect.bisect(starts, timestamp), timestamp))
        stepless = {
            key
            for (key, _), found in attempts.items()
            if len({attempt for attempt, _ in found}) < len(found)
        }
        for (key, step), found in attempts.items():
            if len(found) > 1 and key not in stepless:
                place = of_run, table.key == key, table.step == step
                connection.execute(delete(table).where(*place, table.timestamp < max(found)[1]))


def move_files(engine: Engine, before: str, now: str) -> None:
    """Replace the artifact URI ``before`` of experiments and runs by ``now``."""
    with _transaction(engine) as connection:
        columns: tuple[Any, ...] = (SqlExperiment.artifact_location, SqlRun.artifact_uri)
        for column in columns:
            is_inside = func.substr(column, 1, len(before) + 1) == f"{before}/"
            moved = now + func.substr(column, len(before) + 1)
            where = (column == before) | is_inside
            connection.execute(update(column.class_).where(where).values({column.key: moved}))


@contextlib.contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        connection.execute(text("PRAGMA foreign_keys = ON"))  # SQLite needs it for each connection
        yield connection
