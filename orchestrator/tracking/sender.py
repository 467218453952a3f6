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
from orchestrator.rundir.state import State
from orchestrator.tracking import run_data, shared_run
from orchestrator.tracking.artifacts import send_files
from orchestrator.tracking.batch import Batch
from orchestrator.tracking.delivery_record import (
    NO_ITERATION,
    Delivery,
    has_progress,
    state_to_report,
    write_delivery,
)
from orchestrator.tracking.git_source import source_of_attempt
from orchestrator.tracking.metrics_file_points import START, read_points
from orchestrator.tracking.mlflow_run_lookup import MlflowRunLookup
from orchestrator.tracking.note_delivery import send_note
from orchestrator.tracking.progress_file_points import ProgressPoints
from orchestrator.tracking.sent_points import ConflictError, SentPoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation
    from orchestrator.tracking.metrics_file_points import MetricPoint
    from orchestrator.tracking.reported_content import Scope
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
        self._lookup = MlflowRunLookup(directory, store, scope)
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
        if not self._is_left_to_its_program(seen):
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
        """Find or create the MLflow run.

        It is recorded only once the parameters have arrived: until then, the next search finds it.
        """
        params = run_data.read_params(self._directory)
        tags = self._attempt_tags(seen)
        found = self._lookup.find_or_create(seen, created_at, params, tags)
        destination, run = self._scope.destination, found.mlflow_run_id
        known = Delivery(destination.store, self._store.mark, created_at, run)
        self.delivery = replace(
            known, folder=destination.folder, start=found.start, shared=found.is_shared
        )
        self._tags = found.created_with
        self._params = {} if found.is_shared else params
        self._sent, self._of_progress = SentPoints(), None
        if not found.is_new:
            there = self._read_back(run)
            self._sent, self._of_progress = SentPoints(there), ProgressPoints(lambda: there)

    def _is_left_to_its_program(self, seen: Observation) -> bool:
        """Return whether the program of a live attempt logs itself; if so, tell MLflow that it runs."""
        if self.delivery is None or not (self.delivery.shared or self._scope.share):
            return False
        if seen.state is not State.RUNNING:
            if self.delivery.shared:
                self._sent = self._of_progress = None  # the program may have logged since
            return False
        if not self.delivery.shared:
            self.delivery = shared_run.share(self._store, self.delivery)
        if self.delivery.told != state_to_report(seen):
            self._sent = SentPoints()
            self._send_state(seen, Batch(self.delivery.place, self.delivery.iteration))
        return True

    def _read_back(self, mlflow_run_id: str) -> Mapping[tuple[str, int], float]:
        """Return the points that MLflow has of a run."""
        return self._store.read_points(mlflow_run_id, lambda: self._on_progress(0))

    def _read_sent(self, known: Delivery) -> SentPoints:
        """Return which points MLflow has, from MLflow."""
        if known.shared:
            return shared_run.read_sent(self._store, self._directory, known, self._on_progress)
        return SentPoints(self._read_back(known.mlflow_run_id))

    def _attempt_tags(self, seen: Observation) -> dict[str, str]:
        source = source_of_attempt(self._directory.path, seen, self._scope.sources())
        told = run_data.attempt_tags(self._directory, seen, source)
        return told | run_data.extended_tags(self._directory)

    def _send_points(self, seen: Observation) -> Batch:
        """Send the points that have not arrived, and return the last batch unsent."""
        path = self._directory.metrics
        if self._sent is None:
            known = self.delivery
            self._sent = self._read_sent(known) if known and known.shared else SentPoints()
            end = known.place.offset if known else 0
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
                self._sent = self._read_sent(self.delivery)
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
        reached = shared_run.note_keys(reached, batch.samples)
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
            self._add_results(seen, batch)
        tags = self._attempt_tags(seen)
        batch.tags |= {key: tags[key] for key in tags if self._tags.get(key) != tags[key]}
        self._send_batch(batch)
        if is_over and self.delivery.shared:
            shared_run.remove_repeated(self._store, run)
        # After a clock was set back, a run must not end before it began.
        end = max(run_data.ended_at(directory, seen), self.delivery.start) if is_over else None
        self._store.set_state(run, seen.state, end)
        if is_over:
            self.delivery = send_files(self._store, directory, self.delivery, self._scope)
            is_replacing = seen.state is State.DONE and is_rerun(directory)
            self._lookup.remove_surplus(self.delivery, is_replacing=is_replacing)
        self._record(replace(self.delivery, told=state_to_report(seen)))

    def _add_results(self, seen: Observation, batch: Batch) -> None:
        """Add the test results and, if its program logs itself, the parameters that it did not log.

        These come last: a program cannot log another value of a parameter that is there.
        """
        if self.delivery is None or self._sent is None:
            return
        known = self._keys(batch) | (self._of_progress.keys if self._of_progress else set())
        results = run_data.read_results(self._directory, seen, known)
        if self.delivery.shared:
            results = shared_run.without_logged(results, self._sent)
            run = self.delivery.mlflow_run_id
            self._params = shared_run.lacking_params(self._store, self._directory, run)
        self._fill(batch, results)

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
