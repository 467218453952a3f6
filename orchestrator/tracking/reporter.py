"""The reporter: sends an experiment's runs to MLflow while they run, in its own process.

One reporter at a time works for an experiment, under a lock on the experiment's folder; others wait
for their turn. It is asked to finish on its standard input; if its orchestrator is killed instead, it
continues while a run lives. Its share of a CPU is limited, and a run that did not change since the
last round costs no more than three calls of stat.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
import sys
import time
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir.mlflow_run_request import Bell
from orchestrator.rundir.state import LIVE, Observation, State
from orchestrator.rundir.survivors import Survivors
from orchestrator.tracking.delivery_record import is_behind, read_delivery
from orchestrator.tracking.mlflow_run_answers import Answers
from orchestrator.tracking.progress_messages import NO_TURN, ProgressMessage, send_message
from orchestrator.tracking.sender import Sender
from orchestrator.tracking.store_error_messages import explain

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.tracking.delivery_record import Delivery
    from orchestrator.tracking.reported_content import Scope
    from orchestrator.tracking.store import Store

_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
_SHARE: Final = 0.03  # of a CPU, while runs live
_LAST_TRIES: Final = 3
_LAST_PAUSE: Final = 1.0
# In seconds; a run that ends earlier is sent once as a whole, at half the cost of sending it twice.
_YOUNG: Final = 1.5

logger = logging.getLogger(__name__)


class Orders(Enum):
    """What the orchestrator asked the reporter to do."""

    CONTINUE = "go on"
    END = "end"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one pass over all runs: how many live, how many are behind, and the problem.

    ``needed`` is the CPU time in seconds spent on opening the store and on finished runs: deferred,
    it would keep the user waiting at the end.
    """

    living: int
    behind: int
    problem: str = ""
    needed: float = field(default=0.0, compare=False)


@dataclass(slots=True)
class _Known:
    """The state of a run at the last pass."""

    look: tuple[object, ...]
    sender: Sender
    seen: Observation
    behind: bool
    since: float


class Reporter:
    """Sends the runs of one experiment to one store; ``messages`` is a descriptor for its progress."""

    def __init__(
        self, experiment: ExperimentDirectory, store: Store, scope: Scope, messages: int
    ) -> None:
        self._experiment = experiment
        self._store = store
        self._scope = scope
        self._messages = messages
        self._progress = ProgressMessage()
        self._known: dict[RunId, _Known] = {}
        self._logged = ""
        self._mark = ""
        self._told = False
        self._answers = Answers()

    @property
    def shares(self) -> bool:
        """Whether programs log to the MLflow runs of their attempts, and wait for these."""
        return self._scope.share

    def round(self, *, send: bool) -> Round:
        """Observe every run once, and send what is new.

        A problem with one run does not keep the others from being sent; but after two failures in a
        row the rest waits for the next round.
        """
        living = behind = in_a_row = 0
        is_our_turn = send
        begun = time.process_time()
        problem = self._open() if send else ""
        needed = time.process_time() - begun
        send = send and not problem
        survivors = Survivors()
        for directory in self._experiment.runs():
            try:
                known = self._look(directory, survivors)
            except (RunDirectoryError, OSError) as error:
                self._log_problem(str(error))
                continue
            living += known.seen.state is State.RUNNING
            if known.behind and send and in_a_row < 2:  # noqa: PLR2004 # one may be specific to a run
                begun = time.process_time()
                refusal = self._send(directory, known)
                if known.seen.state not in LIVE:
                    needed += time.process_time() - begun
                problem = problem or refusal
                in_a_row = in_a_row + 1 if refusal else 0
            behind += known.behind
        if not send and behind:
            problem = problem or NO_TURN
        self._log_problem(problem)
        self.tell(behind, problem)
        if is_our_turn and self.shares:
            for run_id, known in self._known.items():
                run_dir = self._experiment.run(run_id).path
                self._answers.give(run_dir, known.seen, known.sender.delivery, problem)
        return Round(living, behind, problem, needed)

    def _open(self) -> str:
        """Open the store if it is not open yet; return the problem, if any, in one line.

        Creating a SQLite store takes seconds, which are better spent before the first run ends.
        """
        try:
            self._mark = self._store.mark
        except Exception as error:  # noqa: BLE001 # MLflow may fail in any way; training goes on
            return explain(error, self._store.uri)
        return ""

    def tell(self, behind: int, problem: str) -> None:
        """Send a progress message, if anything changed."""
        progress = replace(self._progress, behind=behind, problem=problem)
        if progress != self._progress or not self._told:
            self._progress = progress
            self._told = send_message(self._messages, progress)

    def _look(self, directory: RunDirectory, survivors: Survivors) -> _Known:
        look = directory.look()
        known = self._known.get(directory.run_id)
        if known and not known.behind and known.look == look and _is_quiet(known.seen):
            return known
        seen = directory.observe(survivors)
        sender = known.sender if known else self._new_sender(directory)
        behind = is_behind(directory, seen, sender.delivery) or self._is_of_another(sender.delivery)
        since = known.since if known else time.monotonic()
        is_young = time.monotonic() - since < _YOUNG and seen.state is State.RUNNING
        if is_young and sender.delivery is None and not self.shares:
            behind = False
        known = _Known(look, sender, seen, behind, since)
        self._known[directory.run_id] = known
        return known

    def _is_of_another(self, delivery: Delivery | None) -> bool:
        """Return whether a delivery was made to an earlier experiment of the same name."""
        return bool(delivery and self._mark and delivery.experiment != self._mark)

    def _new_sender(self, directory: RunDirectory) -> Sender:
        delivery = read_delivery(directory, self._scope.destination)
        return Sender(directory, self._store, self._scope, delivery, self._count)

    def _count(self, points: int) -> None:
        """Send a progress message after a step of the work that sent this many points."""
        progress = self._progress
        self._progress = replace(progress, points=progress.points + points, beat=progress.beat + 1)
        self._told = send_message(self._messages, self._progress)

    def _send(self, directory: RunDirectory, known: _Known) -> str:
        """Send what is new of a run; return the problem, if any, in one line."""
        sender = known.sender
        before = (sender.points, sender.delivery)
        try:
            sender.send(known.seen)
            known.behind = is_behind(directory, known.seen, sender.delivery)
        except RunDirectoryError as error:
            known.behind = False  # it cannot be sent; the orchestrator reports the damage, too
            logger.warning("%s", error)
            return ""
        except Exception as error:  # noqa: BLE001 # MLflow may fail in any way; training goes on
            return explain(error, self._store.uri)
        if known.behind and before == (sender.points, sender.delivery):
            return f"{directory.path}: its files cannot be sent"
        self._progress = replace(self._progress, runs=self._progress.runs + 1)
        self._told = send_message(self._messages, self._progress)
        return ""

    def _log_problem(self, problem: str) -> None:
        """Log a problem, once while it lasts."""
        if problem and problem != self._logged:
            logger.warning("%s", problem)
        self._logged = problem


def _is_quiet(seen: Observation) -> bool:
    """Return whether nothing happens to a run unless one of its files changes."""
    return seen.state not in LIVE


def report(reporter: Reporter, folder: Path, orders: Orders) -> int:
    """Send until asked to end; return 0 if everything has arrived then, else 1."""
    reporter.tell(0, "")
    turn = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    bell = Bell(folder)
    try:
        return _report(reporter, turn, orders, bell)
    finally:
        bell.close()
        os.close(turn)


def _report(reporter: Reporter, turn: int, orders: Orders, bell: Bell) -> int:
    has_turn, failures = False, 0
    while True:
        has_turn = has_turn or _take_turn(turn)
        if has_turn and reporter.shares:
            bell.listen()
        begun = time.process_time()
        found = reporter.round(send=has_turn)
        spent = time.process_time() - begun - found.needed
        failures = failures + 1 if found.problem else 0
        # A round without a problem has sent everything that existed when it began. Output written
        # later, by a process that nothing waits for, must not keep the reporter alive.
        if orders is Orders.END or (orders is Orders.ORPHANED and not found.living):
            if not found.problem:
                return 0
            if failures >= _LAST_TRIES:
                return 1
        orders = _listen(orders, _pause(orders, spent, failures), bell)


def _pause(orders: Orders, spent: float, failures: int) -> float:
    """Return for how many seconds to pause, by the cost of the round or the number of failures."""
    if orders is Orders.END:
        return _LAST_PAUSE if failures else 0.0
    longest = max(spent / _SHARE, _PAUSE * 2**failures if failures else _PAUSE)
    return min(longest, _LONGEST_PAUSE)


def _take_turn(turn: int) -> bool:
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listen(orders: Orders, pause: float, bell: Bell) -> Orders:
    """Wait for orders or for a runner that rings, at most for the pause."""
    if orders is Orders.END:
        time.sleep(pause)
        return orders
    told = [sys.stdin] if orders is Orders.CONTINUE else []
    readable, _, _ = select.select([*told, *bell.descriptors], [], [], pause)
    bell.silence()
    if not (told and sys.stdin in readable):
        return orders
    return Orders.END if sys.stdin.readline().strip() == "end" else Orders.ORPHANED
