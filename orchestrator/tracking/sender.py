"""The sender: brings one run to MLflow, from wherever an earlier sender was interrupted.

A point is what MLflow has of it: its key, step, value and timestamp. Sent again, it adds nothing;
so whatever is in doubt is sent again. Where the same timestamps can not be relied on, because the
file or the whole directory was made anew, the sender asks MLflow first what has arrived.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.rundir.state import State, Status
from orchestrator.tracking import run_data
from orchestrator.tracking.delivery import Delivery, what_to_tell, write_delivery
from orchestrator.tracking.git_source import source_at
from orchestrator.tracking.metric_points import START, Place, is_same_value, read_points
from orchestrator.tracking.run_tags import choose, is_marked, marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation
    from orchestrator.tracking.git_source import Source
    from orchestrator.tracking.metric_points import Sample
    from orchestrator.tracking.store import Store

logger = logging.getLogger(__name__)


class Scope(NamedTuple):
    """What is reported of every run, besides its points.

    ``store_name`` names the store, ``sources`` are the commits runs were made from, the oldest first.
    """

    store_name: str
    experiment_id: str
    sources: Callable[[], Sequence[Source]]
    artifacts: bool = True
    checkpoint: bool = False


class _ConflictError(Exception):
    """MLflow has another value for a point or a parameter than the run directory."""


@dataclass(slots=True)
class _Parcel:
    """What goes to MLflow together: points, the places in the file that they stand for, and tags.

    ``place`` is how far the file has arrived with it.
    """

    place: Place
    samples: list[Sample] = field(default_factory=list)
    steps: list[tuple[str, int]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


class Sender:
    """Brings one run to one store; ``points`` counts what it has sent."""

    def __init__(
        self, directory: RunDirectory, store: Store, scope: Scope, delivery: Delivery | None
    ) -> None:
        self.points = 0
        self.delivery = delivery
        self._directory = directory
        self._store = store
        self._scope = scope
        # The steps of every key that stand before the place that was read last; None: not known.
        self._seen: defaultdict[str, set[int]] | None = None
        # What MLflow has, where the timestamps in the file may not be those that it has.
        self._arrived: Mapping[tuple[str, int], float] = {}
        # Goes with the first parcel.
        self._params: Mapping[str, str] = {}
        # What MLflow has of the tags, as far as this sender has sent them.
        self._tags: Mapping[str, str] = {}

    def send(self, seen: Observation) -> None:
        """Send what has not arrived yet, and remember how far that is.

        ``seen`` was observed before this call, so the points of a run that is over are all there.

        Raises:
            RunDirectoryError: The run directory is damaged.
            Exception: MLflow does not take it; what has arrived until then is remembered.
        """
        try:
            try:
                self._send(seen)
            except _ConflictError as conflict:
                self._discard(conflict)
                self._send(seen)
        except Exception:
            if self.delivery and not self._store.has_run(self.delivery.mlflow_run_id):
                self._forget()  # somebody deleted it in MLflow; the next call makes another one
            raise

    def _send(self, seen: Observation) -> None:
        created_at = self._directory.read_created_at()
        known = self.delivery
        if known is None or (known.experiment, known.created_at) != (
            self._store.mark,
            created_at,
        ):
            self._introduce(seen, created_at)
        parcel = self._send_points(seen)
        if self.delivery and self.delivery.told != what_to_tell(seen):
            self._tell(seen, parcel)
        else:
            self._post(parcel)
        if self.delivery and self._directory.was_made_after(self._directory.delivery):
            self._remember(self.delivery)  # a copy of the directory: nothing is new but the times

    def _introduce(self, seen: Observation, created_at: str) -> None:
        """Find the MLflow run, or create it; if we die in between, the next search finds it."""
        store, directory = self._store, self._directory
        params = run_data.read_params(directory)
        found = choose(store.find_runs(directory.run_id), directory, created_at)
        if found is None:
            tags = self._marks(created_at) | run_data.axis_tags(directory)
            tags |= self._attempt_tags(seen)
            run = store.create_run(
                directory.run_id,
                name=run_data.name_of(directory),
                start=run_data.started_at(directory, seen),
                tags=tags,
            )
            self._arrived, self._tags = {}, tags
        else:
            run = found.mlflow_run_id
            for key, value in found.params.items():
                if params.get(key, value) != value:
                    raise _ConflictError(run, f"parameter {key}")
            store.send(run, tags=self._marks(created_at))
            self._arrived, self._tags = store.read_points(run), {}
        # Remembered only when the parameters have arrived: until then, the next search finds it.
        self.delivery = Delivery(self._scope.store_name, store.mark, created_at, run)
        self._params = params
        self._seen = defaultdict(set)

    def _marks(self, created_at: str) -> dict[str, str]:
        return marks_of(self._directory, created_at, self._scope.experiment_id)

    def _attempt_tags(self, seen: Observation) -> dict[str, str]:
        started = seen.status.started_at if isinstance(seen.status, Status) else ""
        return run_data.attempt_tags(seen, source_at(self._scope.sources(), started))

    def _send_points(self, seen: Observation) -> _Parcel:
        """Send the points that have not arrived, but for the last ones: those are returned."""
        if self._seen is None:
            self._reread()
        parcel = _Parcel(self.delivery.place if self.delivery else START)
        while self.delivery is not None:
            reading = read_points(
                self._directory.metrics,
                parcel.place,
                is_over=seen.state is State.DONE,
                timeless=run_data.milliseconds(self.delivery.created_at),
            )
            if reading.rewritten:
                # What stands there now may have other timestamps, so MLflow has to be asked.
                self._arrived = self._store.read_points(self.delivery.mlflow_run_id)
                self._seen = defaultdict(set)
            elif reading.place == parcel.place:
                break
            if reading.garbage:
                logger.warning(
                    "%s: %d lines behind byte %d are no points and were passed over",
                    self._directory.metrics,
                    reading.garbage,
                    parcel.place.offset,
                )
            if parcel.steps:
                self._post(parcel)
            parcel = _Parcel(reading.place)
            self._pack(parcel, reading.samples)
        return parcel

    def _reread(self) -> None:
        """Learn which points stand before the place where an earlier sender was interrupted."""
        self._seen = defaultdict(set)
        at, end = Place(), self.delivery.place.offset if self.delivery else 0
        while at.offset < end:
            reading = read_points(self._directory.metrics, at, is_over=True, timeless=0, until=end)
            if reading.place.offset <= at.offset:
                return  # it was rewritten, as reading on will tell
            for sample in reading.samples:
                self._seen[sample.key].add(sample.step)
            at = reading.place

    def _pack(self, parcel: _Parcel, samples: Iterable[Sample]) -> None:
        """Add the points that do not stand further up in the file, and that MLflow does not have."""
        if self._seen is None or self.delivery is None:
            return
        first: dict[tuple[str, int], Sample] = {}
        for sample in samples:
            if sample.step not in self._seen[sample.key]:
                first.setdefault((sample.key, sample.step), sample)
        for place, sample in first.items():
            before = self._arrived.get(place)
            if before is None:
                parcel.samples.append(sample)
            elif not is_same_value(before, sample.value):
                run = self.delivery.mlflow_run_id
                raise _ConflictError(run, f"{sample.key} at step {sample.step}")
        parcel.steps.extend(first)

    def _post(self, parcel: _Parcel) -> None:
        """Send a parcel, and remember that it has arrived."""
        if self._seen is None or self.delivery is None:
            return
        is_new = bool(self._params or parcel.place != self.delivery.place)
        if not (is_new or parcel.samples or parcel.tags):
            return
        run, samples = self.delivery.mlflow_run_id, parcel.samples
        self._store.send(run, params=self._params, tags=parcel.tags, samples=samples)
        # Only now: what was refused is read and sent again.
        self._params = {}
        self._tags = {**self._tags, **parcel.tags}
        for key, step in parcel.steps:
            self._seen[key].add(step)
        self.points += len(samples)
        if is_new:
            self._remember(replace(self.delivery, place=parcel.place))

    def _tell(self, seen: Observation, parcel: _Parcel) -> None:
        """Tell the state of the last attempt and, if it is over, send what it left."""
        if self.delivery is None:
            return
        run, directory = self.delivery.mlflow_run_id, self._directory
        is_over = seen.state in run_data.OVER
        if seen.state is State.DONE:
            known = {*(self._seen or ()), *(key for key, _ in parcel.steps)}
            results = run_data.read_results(directory, seen)
            self._pack(parcel, [each for each in results if each.key not in known])
        tags = self._attempt_tags(seen)
        parcel.tags |= {key: tags[key] for key in tags if self._tags.get(key) != tags[key]}
        self._post(parcel)
        self._store.set_state(
            run, seen.state, run_data.ended_at(directory, seen) if is_over else None
        )
        if is_over:
            self._send_files()
            self._settle()
        self._remember(replace(self.delivery, told=what_to_tell(seen)))

    def _send_files(self) -> None:
        if not self._scope.artifacts or self.delivery is None:
            return
        for name, path in run_data.files_of(
            self._directory, checkpoint=self._scope.checkpoint
        ).items():
            now = run_data.signature(path)
            if self.delivery.files.get(name) != now:
                self._store.send_file(self.delivery.mlflow_run_id, path, name)
                # Written down with the rest: a file that is sent twice is there once.
                files = {**self.delivery.files, name: now}
                self.delivery = replace(self.delivery, files=files)

    def _settle(self) -> None:
        """Remove what a server made twice, because it was slow and its first answer was lost."""
        if self.delivery is None or not self._store.answers_late:
            return
        for found in self._store.find_runs(self._directory.run_id):
            is_ours = is_marked(found, self.delivery.created_at)
            if is_ours and found.mlflow_run_id != self.delivery.mlflow_run_id:
                self._store.discard_run(found.mlflow_run_id)

    def _discard(self, conflict: _ConflictError) -> None:
        run, what = conflict.args
        logger.warning(
            "%s: MLflow has another value for %s, from a directory of before;"
            " its run %s is deleted there and made anew",
            self._directory.path,
            what,
            run,
        )
        self._store.discard_run(run)
        self._forget()

    def _forget(self) -> None:
        self.delivery, self._seen = None, None
        self._arrived, self._params, self._tags = {}, {}, {}
        self._directory.delivery.unlink(missing_ok=True)

    def _remember(self, delivery: Delivery) -> None:
        write_delivery(self._directory, delivery)
        self.delivery = delivery
