"""The reporter: sends an experiment's runs to MLflow while they run, in a process of its own.

One reporter works for an experiment at a time, under a lock on the experiment's folder; others wait
for their turn. It is told of the end on its standard input; if its orchestrator is killed instead,
it goes on for as long as a run lives. It spends little: what it may use of a processor is limited,
and what did not change since its last look costs no more than two stats.
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
from orchestrator.rundir.state import Observation, State
from orchestrator.rundir.survivors import Survivors
from orchestrator.tracking.delivery_record import is_behind, read_delivery
from orchestrator.tracking.progress_messages import News, tell
from orchestrator.tracking.sender import Sender
from orchestrator.tracking.store_error_messages import explain

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.tracking.delivery_record import Delivery
    from orchestrator.tracking.sender import Scope
    from orchestrator.tracking.store import Store

_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
_SHARE: Final = 0.03  # of a processor, while runs live
_LAST_TRIES: Final = 3
_LAST_PAUSE: Final = 1.0
# In seconds; a run that is over before is sent at once and whole, for half of what it costs twice.
_YOUTH: Final = 1.5
_NO_TURN: Final = "another reporter is at work on this experiment"

logger = logging.getLogger(__name__)


class Orders(Enum):
    """What the orchestrator wants."""

    GO_ON = "go on"
    END = "end"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class Round:
    """What a look at all runs amounts to: how many live, how many are behind, what went wrong.

    ``needed`` are the seconds on a processor that went into opening the store, and into runs that
    are over: put off, they would keep the user waiting at the end.
    """

    living: int
    behind: int
    problem: str = ""
    needed: float = field(default=0.0, compare=False)


@dataclass(slots=True)
class _Known:
    """What is known of a run since it was looked at last."""

    look: tuple[object, ...]
    sender: Sender
    seen: Observation
    behind: bool
    since: float


class Reporter:
    """Sends the runs of one experiment to one store; ``news`` is a descriptor to tell on."""

    def __init__(
        self, experiment: ExperimentDirectory, store: Store, scope: Scope, news: int
    ) -> None:
        self._experiment = experiment
        self._store = store
        self._scope = scope
        self._descriptor = news
        self._news = News()
        self._known: dict[RunId, _Known] = {}
        self._complained = ""
        self._mark = ""
        self._told = False

    def round(self, *, send: bool) -> Round:
        """Look at every run once, and send what is new.

        What is wrong with one run, or with what MLflow thinks of it, does not keep the others from
        being sent; but after two refusals in a row the rest waits for the next round.
        """
        living = behind = in_a_row = 0
        begun = time.process_time()
        problem = self._open() if send else ""
        needed = time.process_time() - begun
        send = send and not problem
        survivors = Survivors()
        for directory in self._experiment.runs():
            try:
                known = self._look(directory, survivors)
            except (RunDirectoryError, OSError) as error:
                self._complain(str(error))
                continue
            living += known.seen.state is State.RUNNING
            if known.behind and send and in_a_row < 2:  # noqa: PLR2004 # one may be its own fault
                begun = time.process_time()
                refusal = self._send(directory, known)
                if known.seen.state is not State.RUNNING:
                    needed += time.process_time() - begun
                problem = problem or refusal
                in_a_row = in_a_row + 1 if refusal else 0
            behind += known.behind
        if not send and behind:
            problem = problem or _NO_TURN
        self._complain(problem)
        self.tell(behind, problem)
        return Round(living, behind, problem, needed)

    def _open(self) -> str:
        """Open the store, the first time; return what was wrong, in one line.

        A new SQLite store takes seconds, which are better spent before the first run is over.
        """
        try:
            self._mark = self._store.mark
        except Exception as error:  # noqa: BLE001 # MLflow may fail in any way; training goes on
            return explain(error)
        return ""

    def tell(self, behind: int, problem: str) -> None:
        """Tell the news, if there are any."""
        news = replace(self._news, behind=behind, problem=problem)
        if news != self._news or not self._told:
            self._news = news
            self._told = tell(self._descriptor, news)

    def _look(self, directory: RunDirectory, survivors: Survivors) -> _Known:
        look = directory.look()
        known = self._known.get(directory.run_id)
        if known and not known.behind and known.look == look and _is_quiet(known.seen):
            return known
        seen = directory.observe(survivors)
        sender = known.sender if known else self._new_sender(directory)
        behind = is_behind(directory, seen, sender.delivery) or self._is_of_another(sender.delivery)
        since = known.since if known else time.monotonic()
        is_young = time.monotonic() - since < _YOUTH and seen.state is State.RUNNING
        if is_young and sender.delivery is None:
            behind = False
        known = _Known(look, sender, seen, behind, since)
        self._known[directory.run_id] = known
        return known

    def _is_of_another(self, delivery: Delivery | None) -> bool:
        """Tell whether a delivery was made to an experiment that stood here before."""
        return bool(delivery and self._mark and delivery.experiment != self._mark)

    def _new_sender(self, directory: RunDirectory) -> Sender:
        delivery = read_delivery(directory, self._scope.destination)
        return Sender(directory, self._store, self._scope, delivery, self._count)

    def _count(self, points: int) -> None:
        """Tell that a part of the work is done, with how many points were sent."""
        news = self._news
        self._news = replace(news, points=news.points + points, beat=news.beat + 1)
        self._told = tell(self._descriptor, self._news)

    def _send(self, directory: RunDirectory, known: _Known) -> str:
        """Send what is new of a run; return what was wrong, in one line."""
        sender = known.sender
        before = (sender.points, sender.delivery)
        try:
            sender.send(known.seen)
            known.behind = is_behind(directory, known.seen, sender.delivery)
        except RunDirectoryError as error:
            known.behind = False  # nobody can send it; the orchestrator tells of the damage, too
            logger.warning("%s", error)
            return ""
        except Exception as error:  # noqa: BLE001 # MLflow may fail in any way; training goes on
            return explain(error)
        if known.behind and before == (sender.points, sender.delivery):
            return f"{directory.path}: what stands there cannot be sent"
        self._news = replace(self._news, runs=self._news.runs + 1)
        self._told = tell(self._descriptor, self._news)
        return ""

    def _complain(self, problem: str) -> None:
        """Write down what is wrong, once for as long as it lasts."""
        if problem and problem != self._complained:
            logger.warning("%s", problem)
        self._complained = problem


def _is_quiet(seen: Observation) -> bool:
    """Tell whether nothing happens to a run unless one of its files changes."""
    return seen.state is not State.RUNNING


def report(reporter: Reporter, folder: Path, orders: Orders) -> int:
    """Send until the end is ordered and everything has arrived; return 0 then, 1 if it has not."""
    reporter.tell(0, "")
    turn = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _report(reporter, turn, orders)
    finally:
        os.close(turn)


def _report(reporter: Reporter, turn: int, orders: Orders) -> int:
    has_turn, failures = False, 0
    while True:
        has_turn = has_turn or _take_turn(turn)
        begun = time.process_time()
        found = reporter.round(send=has_turn)
        spent = time.process_time() - begun - found.needed
        failures = failures + 1 if found.problem else 0
        # A round without a problem has sent what was there when it began. What is written later, by
        # a process that nobody waits for, must not keep us here.
        if orders is Orders.END or (orders is Orders.ORPHANED and not found.living):
            if not found.problem:
                return 0
            if failures >= _LAST_TRIES:
                return 1
        orders = _listen(orders, _pause(orders, spent, failures))


def _pause(orders: Orders, spent: float, failures: int) -> float:
    """Decide for how many seconds to rest: by what the round cost, or how often it failed."""
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


def _listen(orders: Orders, pause: float) -> Orders:
    """Wait for a moment, or for orders."""
    if orders is not Orders.GO_ON:
        time.sleep(pause)
        return orders
    readable, _, _ = select.select([sys.stdin], [], [], pause)
    if not readable:
        return Orders.GO_ON
    return Orders.END if sys.stdin.readline().strip() == "end" else Orders.ORPHANED
