"""The runs that are over for this ``orch run``, each shown on the board once it is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.execution.events import Advanced, Ended
from orchestrator.execution.execution_course import variables_of
from orchestrator.execution.pause_price import PausePrice
from orchestrator.rundir.records import duration_of
from orchestrator.rundir.state import State, Status
from orchestrator.runner.failure_classes import has_failed_by_itself
from orchestrator.runner.pause_at_iteration import has_gone_on
from orchestrator.sanitize import path_first

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.execution.events import Pauses
    from orchestrator.execution.live_attempts import Running
    from orchestrator.execution.protocols import Board
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Failure, Observation

_NO_PAUSE: Final = (
    "it was to pause after the iteration in ORCH_STOP_AFTER, and went on to its end. Let the program read"
    " the variable, or ask run.stop_requested; or report its progress, if its steps are not its iterations."
)
_UNFINISHED: Final = frozenset({State.STALE, State.UNPROVEN})


class EndedRuns:
    """Keeps how each run ended; of one that goes on after a pause, nothing."""

    def __init__(self, experiment: ExperimentDirectory, board: Board) -> None:
        self._experiment = experiment
        self._board = board
        self._ended: dict[RunId, Ended] = {}
        self._failed: set[RunId] = set()
        self._seconds: defaultdict[RunId, float] = defaultdict(float)
        self._price = PausePrice()

    @property
    def ended(self) -> Mapping[RunId, Ended]:
        """How each run ended."""
        return self._ended

    @property
    def failed(self) -> frozenset[RunId]:
        """The runs that have failed by themselves, not because somebody killed them or filled the disk."""
        return frozenset(self._failed)

    @property
    def told_failed(self) -> frozenset[RunId]:
        """The runs that have ended as failed, whatever the cause."""
        return frozenset(it for it, each in self._ended.items() if each.state is State.FAILED)

    def close(self, running: Running) -> str:
        """Count the time of an attempt that is over, and return the complaint of its runner.

        Its run may go on in another attempt.
        """
        self._seconds[running.decision.run.run_id] += running.seconds
        return running.attempt.close()

    def count_unfinished(self) -> int:
        """Return how many runs ended unfinished."""
        return sum(ended.state in _UNFINISHED for ended in self._ended.values())

    @property
    def pauses(self) -> Pauses:
        """How many pauses this process has seen, and what one took."""
        return self._price.pauses()

    def add(
        self,
        run: Run,
        state: State,
        reason: str,
        *,
        running: Running | None = None,
        seen: Observation | None = None,
    ) -> None:
        """Keep and show the end of a run; ``running`` is its attempt, if this process executed it."""
        directory = self._experiment.run(run.run_id)
        ended = Ended(
            run,
            state,
            reason,
            seconds=self._seconds[run.run_id] if running else 0.0,
            executed=running is not None,
            metrics=directory.outcome().metrics if seen else {},
            notices=(*directory.notices(), *_find_no_pause(directory, running)) if running else (),
            lasted=_duration(seen) if seen and not running else None,
            is_paused=seen is not None and seen.is_paused,
        )
        self._ended[run.run_id] = replace(ended, metrics={}, notices=())  # for the board only
        self._note_failed(run.run_id, state, seen.failure if seen else None)
        self._board.show(ended)

    def add_unrecorded(
        self, run: Run, what: str, why: str, failure: Failure, running: Running | None = None
    ) -> None:
        """Keep and show a failure that the run's directory does not tell of."""
        self.add(run, State.FAILED, f"{what}: {path_first(why)}", running=running)
        self._note_failed(run.run_id, State.FAILED, failure)

    def _note_failed(self, run_id: RunId, state: State, failure: Failure | None) -> None:
        has_failed = has_failed_by_itself(state, failure)
        (self._failed.add if has_failed else self._failed.discard)(run_id)

    def show_pause(self, run: Run, seen: Observation, running: Running | None) -> None:
        """Show how far a run has come that pauses as it was to."""
        if running is not None and seen.progress is not None:
            self._price.note(self._experiment.run(run.run_id), running, seen.progress)
        if seen.progress is not None:
            seconds = running.seconds if running else 0.0
            metrics = self._experiment.run(run.run_id).outcome().metrics
            where = seen.progress.iteration, seen.progress.iterations
            self._board.show(Advanced(run, *where, seconds, metrics))


def _duration(seen: Observation) -> float | None:
    return duration_of(seen.status) if isinstance(seen.status, Status) else None


def _find_no_pause(directory: RunDirectory, running: Running) -> Iterator[str]:
    """Yield a notice on a program that did not pause: so far as this one, others will not, either."""
    decision = running.decision
    if decision.stop_after is not None and variables_of(decision):
        seen = directory.observe()
        if seen.state is State.DONE and has_gone_on(directory, seen.progress, decision.stop_after):
            yield _NO_PAUSE
