"""The sender: sends one run to MLflow, resuming where an earlier sender was interrupted.

MLflow identifies a point by its key, step, value and timestamp: sent again, it adds nothing, so
whatever may not have arrived is sent again. If timestamps may differ, because the file or the whole
directory was recreated, the sender first asks MLflow what has arrived.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.replaced import is_rerun
from orchestrator.rundir.state import State, Status
from orchestrator.tracking import run_data
from orchestrator.tracking.batch import Batch
from orchestrator.tracking.delivery_record import (
    NO_ITERATION,
    Delivery,
    has_progress,
    state_to_report,
    write_delivery,
)
from orchestrator.tracking.git_source import source_at
from orchestrator.tracking.identifying_tags import (
    IdentifyingTags,
    belongs_to,
    choose,
    choose_replaced,
)
from orchestrator.tracking.metric_points import START, read_points
from orchestrator.tracking.note_delivery import send_note
from orchestrator.tracking.progress_points import ProgressPoints
from orchestrator.tracking.sent_points import ConflictError, SentPoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation
    from orchestrator.tracking.metric_points import MetricPoint
    from orchestrator.tracking.scope import Scope
    from orchestrator.tracking.store import Store

_GARBAGE: Final = "%s: %d lines after byte %d are not points and were skipped"
logger = logging.getLogger(__name__)


class Sender:
    """Sends one run to one store; ``points`` counts the points it has sent.

    ``on_progress`` is called after each step of the work with the number of points it sent.
    """

    def __init__(
        self,
        directory: RunDirectory,
        store: Store,
        scope: Scope,
        delivery: Delivery | None,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.points = 0
        self.delivery = delivery
        self._directory = directory
        self._store = store
        self._scope = scope
        self._on_progress = on_progress
        self._sent: SentPoints | None = None  # None: unknown
        self._of_progress: ProgressPoints | None = None
        self._params: Mapping[str, str] = {}  # sent with the first batch
        self._tags: Mapping[str, str] = {}  # that this sender has sent

    def send(self, seen: Observation) -> None:
        """Send what has not arrived yet, and record what has.

        ``seen`` was observed before, so all points of a finished run are in its file.

        Raises:
            RunDirectoryError: The run directory is damaged.
            Exception: MLflow fails; what has arrived until then is recorded.
        """
        try:
            try:
                self._send(seen)
            except ConflictError as conflict:
                self._discard(conflict)
                self._send(seen)
        except Exception:
            self._of_progress = None  # what it has chosen may not have arrived
            if self.delivery and not self._store.has_run(self.delivery.mlflow_run_id):
                self._forget()  # it was deleted in MLflow; the next round creates another one
            raise

    def _send(self, seen: Observation) -> None:
        created_at = self._directory.read_created_at()
        known = self.delivery
        if known is None or (known.experiment, known.created_at) != (self._store.mark, created_at):
            self._find_or_create(seen, created_at)
        batch = self._send_points(seen)
        self._add_progress(seen, batch)
        if self.delivery and self.delivery.told != state_to_report(seen):
            self._send_state(seen, batch)
        else:
            self._send_batch(batch)
        if self.delivery and (noted := send_note(self._store, self._directory, self.delivery)):
            self._record(noted)
        if self.delivery and self._directory.was_made_after(self._directory.delivery):
            self._record(self.delivery)  # a copy of the directory: only the times are new

    def _find_or_create(self, seen: Observation, created_at: str) -> None:
        """Find the MLflow run, or create it; after a crash in between, the next search finds it."""
        store, directory = self._store, self._directory
        params = run_data.read_params(directory)
        destination = self._scope.destination
        identifying = self._identifying(created_at)
        start = run_data.started_at(directory, seen)
        same_id = store.find_runs(directory.run_id)
        found = choose(same_id, identifying, is_rerun=is_rerun(directory))
        if found is None:
            tags = identifying.tags() | run_data.axis_tags(directory) | self._attempt_tags(seen)
            name = run_data.name_of(directory)
            run = store.create_run(directory.run_id, name=name, start=start, tags=tags)
            sent, self._tags = SentPoints(), tags
        else:
            run, start = found.mlflow_run_id, found.start
            for key, value in found.params.items():
                if params.get(key, value) != value:
                    raise ConflictError(f"parameter {key}", run)
            store.send(run, tags=identifying.tags())
            there = self._read_back(run)
            sent, self._tags = SentPoints(there), {}
            self._of_progress = ProgressPoints(lambda: there)
        # Recorded only once the parameters have arrived: until then, the next search finds it.
        known = Delivery(destination.store, store.mark, created_at, run)
        self.delivery = replace(known, folder=destination.folder, start=start)
        self._params, self._sent = params, sent

    def _identifying(self, created_at: str) -> IdentifyingTags:
        scope = self._scope
        folder = scope.destination.folder
        return IdentifyingTags.of(self._directory, created_at, scope.experiment_id, folder)

    def _read_back(self, mlflow_run_id: str) -> Mapping[tuple[str, int], float]:
        """Return the points that MLflow has of a run."""
        return self._store.read_points(mlflow_run_id, lambda: self._on_progress(0))

    def _attempt_tags(self, seen: Observation) -> dict[str, str]:
        started = seen.status.started_at if isinstance(seen.status, Status) else ""
        return run_data.attempt_tags(seen, source_at(self._scope.sources(), started))

    def _send_points(self, seen: Observation) -> Batch:
        """Send the points that have not arrived, and return the last batch unsent."""
        path = self._directory.metrics
        if self._sent is None:
            self._sent = SentPoints()
            end = self.delivery.place.offset if self.delivery else 0
            self._sent.reread(path, end, lambda: self._on_progress(0))
        # Points appended from now on are left to the next round: this one might never end.
        enough = path.lstat().st_size if path.is_file() else 0
        iteration = self.delivery.iteration if self.delivery else NO_ITERATION
        batch = Batch(self.delivery.place if self.delivery else START, iteration)
        while self.delivery is not None:
            reading = read_points(
                path,
                batch.place,
                is_over=seen.state is State.DONE,
                timeless=run_data.milliseconds(self.delivery.created_at),
            )
            if reading.rewritten:
                # The new content may have other timestamps, so ask MLflow what has arrived.
                self._sent = SentPoints(self._read_back(self.delivery.mlflow_run_id))
            elif reading.place == batch.place:
                break
            if reading.garbage:
                logger.warning(_GARBAGE, path, reading.garbage, batch.place.offset)
            if batch.steps:
                self._send_batch(batch)
            batch = Batch(reading.place, iteration)
            self._fill(batch, reading.samples)
            if batch.place.offset >= enough:
                break
        return batch

    def _add_progress(self, seen: Observation, batch: Batch) -> None:
        """Add the metrics in ``progress.json`` that the program does not append to its file."""
        if not (seen.progress and self.delivery and has_progress(seen, self.delivery)):
            return
        if self._of_progress is None:
            run, is_first = self.delivery.mlflow_run_id, self.delivery.iteration == NO_ITERATION
            self._of_progress = ProgressPoints(dict if is_first else lambda: self._read_back(run))
        in_file = self._keys(batch)
        batch.samples += self._of_progress.choose(self._directory, seen.progress, in_file)
        batch.iteration = seen.progress.iteration

    def _keys(self, batch: Batch) -> set[str]:
        """Return the keys that stand in the file, as far as it was read."""
        return {*(self._sent.keys if self._sent else ()), *(key for key, _ in batch.steps)}

    def _fill(self, batch: Batch, samples: Iterable[MetricPoint]) -> None:
        """Add the points that are new in the file and that MLflow does not have."""
        if self._sent is not None:
            samples = self._of_progress.without(samples) if self._of_progress else samples
            steps, missing = self._sent.choose(samples)
            batch.steps.extend(steps)
            batch.samples.extend(missing)

    def _send_batch(self, batch: Batch) -> None:
        """Send a batch, and record that it has arrived."""
        if self._sent is None or self.delivery is None:
            return
        reached = replace(self.delivery, place=batch.place, iteration=batch.iteration)
        is_new = bool(self._params or reached != self.delivery)
        if not (is_new or batch.samples or batch.tags):
            return
        run = self.delivery.mlflow_run_id
        first, *others = self._store.portions(batch.samples)
        self._store.send(run, params=self._params, tags=batch.tags, samples=first)
        self._count(len(first))
        for portion in others:
            self._store.send(run, samples=portion)
            self._count(len(portion))
        # Only now: a rejected batch is read and sent again.
        self._params = {}
        self._tags = {**self._tags, **batch.tags}
        self._sent.add(batch.steps)
        if is_new:
            self._record(reached)

    def _count(self, points: int) -> None:
        self.points += points
        self._on_progress(points)

    def _send_state(self, seen: Observation, batch: Batch) -> None:
        """Send the state of the last attempt and, if it is over, its results and files."""
        if self.delivery is None:
            return
        run, directory = self.delivery.mlflow_run_id, self._directory
        is_over = seen.state in run_data.OVER
        if seen.state is State.DONE:
            known = self._keys(batch) | (self._of_progress.keys if self._of_progress else set())
            self._fill(batch, run_data.read_results(directory, seen, known))
        tags = self._attempt_tags(seen)
        batch.tags |= {key: tags[key] for key in tags if self._tags.get(key) != tags[key]}
        self._send_batch(batch)
        # After a clock was set back, a run must not end before it began.
        end = max(run_data.ended_at(directory, seen), self.delivery.start) if is_over else None
        self._store.set_state(run, seen.state, end)
        if is_over:
            self._send_files()
            self._remove_surplus(is_replacing=seen.state is State.DONE and is_rerun(directory))
        self._record(replace(self.delivery, told=state_to_report(seen)))

    def _send_files(self) -> None:
        if not self._scope.artifacts or self.delivery is None:
            return
        for name, path in run_data.files_of(
            self._directory, checkpoint=self._scope.checkpoint
        ).items():
            now = run_data.signature(path)
            if self.delivery.files.get(name) != now:
                self._store.send_file(self.delivery.mlflow_run_id, path, name)
                # Recorded with the rest: a file that is sent twice is stored once.
                files = {**self.delivery.files, name: now}
                self.delivery = replace(self.delivery, files=files)

    def _remove_surplus(self, *, is_replacing: bool) -> None:
        """Remove MLflow runs that a slow server created twice, and those that a rerun replaces."""
        if self.delivery is None or not (self._store.answers_late or is_replacing):
            return
        found = self._store.find_runs(self._directory.run_id)
        ours = self._identifying(self.delivery.created_at)
        surplus = [each for each in found if belongs_to(each, ours.created_at, ours.folder)]
        for each in [*surplus, *(choose_replaced(found, ours) if is_replacing else ())]:
            if each.mlflow_run_id != self.delivery.mlflow_run_id:
                self._store.discard_run(each.mlflow_run_id)

    def _discard(self, conflict: ConflictError) -> None:
        run = conflict.mlflow_run_id or (self.delivery.mlflow_run_id if self.delivery else "")
        logger.warning(
            "%s: MLflow has another value for %s, from an earlier directory;"
            " its run %s is deleted there and recreated",
            self._directory.path,
            conflict,
            run,
        )
        self._store.discard_run(run)
        self._forget()

    def _forget(self) -> None:
        self.delivery, self._sent, self._of_progress = None, None, None
        self._params, self._tags = {}, {}
        self._directory.delivery.unlink(missing_ok=True)

    def _record(self, delivery: Delivery) -> None:
        write_delivery(self._directory, delivery)
        self.delivery = delivery
