"""The reporter: the process that sends an experiment's runs to MLflow while they run.

One reporter works for an experiment at a time, under a lock on the experiment's folder; others wait
for their turn. It is told of the end on its standard input; if its orchestrator is killed instead,
it goes on for as long as a run lives.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.experiment import ExperimentDirectory
from orchestrator.state import Observation, RunId, State
from orchestrator.tracking import contents
from orchestrator.tracking.delivery import (
    Delivery,
    is_behind,
    read_delivery,
    store_name,
    what_to_tell,
    write_delivery,
)
from orchestrator.tracking.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.rundir import RunDirectory

_PAUSE: Final = 0.5
_LAST_TRIES: Final = 3
_NICENESS: Final = 10
_OVER: Final = frozenset({State.DONE, State.FAILED, State.STALE})

logger = logging.getLogger(__name__)


class Orders(Enum):
    """What the orchestrator wants."""

    GO_ON = "go on"
    END = "end"
    ORPHANED = "orphaned"


class Reporter:
    """Sends the runs of one experiment to one store."""

    def __init__(self, experiment: ExperimentDirectory, store: Store, name: str) -> None:
        self._experiment = experiment
        self._store = store
        self._store_name = name
        self._finished: set[RunId] = set()

    def round(self, *, send: bool) -> tuple[int, int]:
        """Look at every run once, and send what is new; return how many live and are behind.

        Raises:
            Exception: MLflow did not take it; what has arrived until then is remembered.
        """
        living = behind = 0
        for directory in self._experiment.runs():
            if directory.run_id in self._finished:
                continue
            try:
                seen = directory.observe()
            except RunDirectoryError:
                continue  # the orchestrator tells of it
            living += seen.state is State.RUNNING
            delivery = read_delivery(directory, self._store_name)
            if send and is_behind(directory, seen, delivery):
                delivery = self._deliver(directory, seen, delivery)
            if is_behind(directory, seen, delivery):
                behind += 1
            elif seen.state is State.DONE:
                self._finished.add(directory.run_id)
        return living, behind

    def _deliver(
        self, directory: RunDirectory, seen: Observation, delivery: Delivery | None
    ) -> Delivery:
        if delivery is None:
            delivery = self._introduce(directory)
        samples, offset = contents.read_samples(directory, delivery.offset)
        self._store.send_samples(delivery.mlflow_run_id, samples)
        if what_to_tell(seen) != delivery.told:
            self._store.set_tags(delivery.mlflow_run_id, contents.attempt_tags(seen))
            end = contents.end_time(seen) if seen.state in _OVER else None
            self._store.set_state(delivery.mlflow_run_id, seen.state, end)
        delivery = replace(delivery, offset=offset, told=what_to_tell(seen))
        write_delivery(directory, delivery)
        return delivery

    def _introduce(self, directory: RunDirectory) -> Delivery:
        """Find the MLflow run, or create it; if we die in between, the next search finds it."""
        found = self._store.find_run(directory.run_id)
        if found is None:
            found = self._store.create_run(
                directory.run_id,
                name=contents.name_of(directory),
                start=contents.start_time(directory),
                tags={"orch.experiment": self._experiment.experiment_id},
            )
        self._store.send_params(found, contents.read_params(directory))
        delivery = Delivery(self._store_name, found)
        write_delivery(directory, delivery)
        return delivery


def report(reporter: Reporter, folder: Path) -> int:
    """Send until the end is ordered and everything has arrived; return 0 then, 1 if it has not."""
    turn = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    has_turn, failures, orders = False, 0, Orders.GO_ON
    while True:
        has_turn = has_turn or _take_turn(turn)
        living, behind = 0, 0
        try:
            living, behind = reporter.round(send=has_turn)
        except Exception as error:  # noqa: BLE001 # MLflow may fail in any way; training goes on
            logger.warning("MLflow does not take it: %s: %s", type(error).__name__, error)
            failures, behind = failures + 1, 1
        else:
            failures = 0
        if orders is not Orders.GO_ON:
            if not behind and (orders is Orders.END or not living):
                return 0
            if failures >= _LAST_TRIES:
                return 1
        orders = _listen(orders)


def _take_turn(turn: int) -> bool:
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listen(orders: Orders) -> Orders:
    """Wait for a moment, or for orders."""
    if orders is not Orders.GO_ON:
        select.select([], [], [], _PAUSE)
        return orders
    readable, _, _ = select.select([sys.stdin], [], [], _PAUSE)
    if not readable:
        return Orders.GO_ON
    return Orders.END if sys.stdin.readline().strip() == "end" else Orders.ORPHANED


def main(arguments: Sequence[str]) -> int:
    """Report ``RESULTS_DIR EXPERIMENT_ID`` to the store that ``ORCH_TRACKING_URI`` names."""
    results_dir, experiment_id = Path(arguments[0]), arguments[1]
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    os.nice(_NICENESS)
    uri = os.environ["ORCH_TRACKING_URI"]
    experiment = ExperimentDirectory(results_dir, experiment_id)
    store = Store(uri, experiment_id, results_dir)
    return report(Reporter(experiment, store, store_name(uri)), experiment.path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
