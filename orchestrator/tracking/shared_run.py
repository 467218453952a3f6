"""An MLflow run that a program logs to itself: what it has logged, and what is lacking."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.rundir.metric_names import TEST
from orchestrator.tracking import run_data
from orchestrator.tracking.identifying_tags import SHARED_TAG
from orchestrator.tracking.metrics_file_points import START, is_same_value, read_points
from orchestrator.tracking.mlflow_names import metric_name
from orchestrator.tracking.sent_points import LoggedCurves, SentPoints

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.tracking.delivery_record import Delivery
    from orchestrator.tracking.metrics_file_points import MetricPoint
    from orchestrator.tracking.store import Store


def share(store: Store, delivery: Delivery) -> Delivery:
    """Mark an MLflow run as shared from now on; all that it has was sent."""
    store.send(delivery.mlflow_run_id, tags={SHARED_TAG: "true"})
    keys = {key for key, _ in store.read_points(delivery.mlflow_run_id)}
    return replace(delivery, shared=True, sent_keys=tuple(sorted(keys)))


def note_keys(delivery: Delivery, samples: Iterable[MetricPoint]) -> Delivery:
    """Return the delivery record with the keys of points that are being sent."""
    if not delivery.shared:
        return delivery
    keys = {*delivery.sent_keys, *(each.key for each in samples)}
    return replace(delivery, sent_keys=tuple(sorted(keys)))


def read_sent(
    store: Store, directory: RunDirectory, delivery: Delivery, on_progress: Callable[[int], None]
) -> SentPoints:
    """Return what MLflow has of a run whose attempt is over, each point once."""
    remove_repeated(store, delivery.mlflow_run_id)
    there = store.read_points(delivery.mlflow_run_id, lambda: on_progress(0))
    return compare_curves(directory.metrics, there, delivery.sent_keys)


def remove_repeated(store: Store, mlflow_run_id: str) -> None:
    """Remove the points that a later attempt has logged again, where the store allows that."""
    starts = run_data.starts_of_attempts(store.read_tags(mlflow_run_id))
    store.remove_repeated(mlflow_run_id, starts)


def lacking_params(store: Store, directory: RunDirectory, mlflow_run_id: str) -> Mapping[str, str]:
    """Return the parameters that the program has not logged.

    Raises:
        RunDirectoryError: The config is missing or damaged.
    """
    there = store.read_params(mlflow_run_id)
    params = run_data.read_params(directory)
    return {key: params[key] for key in params if key not in there}


def without_logged(results: Iterable[MetricPoint], sent: SentPoints) -> list[MetricPoint]:
    """Return the test results without those that MLflow has under the name that they had."""
    return [
        each
        for each in results
        if not any(
            sent.holds(name, each.value)
            for name in (each.key, metric_name(each.key.removeprefix(TEST)))
        )
    ]


def compare_curves(
    path: Path, arrived: Mapping[tuple[str, int], float], sent_keys: Collection[str]
) -> SentPoints:
    """Return what MLflow has, and what of it the program has logged.

    Where a curve in the file and one in MLflow agree, the file may fill gaps.

    Args:
        path: The file of points.
        arrived: The points that MLflow has.
        sent_keys: The keys of points that were sent, so that the program has not logged them.
    """
    logged = frozenset(key for key, _ in arrived).difference(sent_keys)
    agree: dict[str, bool] = {}
    for sample in _read_all(path) if logged else ():
        before = arrived.get((sample.key, sample.step))
        if before is not None and sample.key in logged:
            is_same = is_same_value(before, sample.value)
            agree[sample.key] = agree.get(sample.key, True) and is_same
    apart = frozenset(key for key in logged if not agree.get(key, False))
    return SentPoints(arrived, LoggedCurves(logged, apart))


def _read_all(path: Path) -> Iterator[MetricPoint]:
    at = START
    while True:
        reading = read_points(path, at, is_over=True, timeless=0)
        yield from reading.samples
        if reading.place.offset <= at.offset:
            return
        at = reading.place
