"""The plan: what happens to every run, and why; ``orch plan`` shows it, ``orch run`` executes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, overload

from orchestrator.errors import FilterError
from orchestrator.grid.lazy_runs import Runs, find_places
from orchestrator.rundir.state import NOTHING_THERE, Observation, State, fill_counts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.extension import Extension
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.grid.point_selection import Selection
    from orchestrator.planning.rung_decisions import Stage, Standing


class Action(Enum):
    """The action that a plan takes for a run."""

    RUN = "run"
    RESUME = "resume"
    RETRY = "retry"
    WAIT = "wait"
    SKIP = "skip"
    PAUSE = "pause"


ACTIONS: Final[Mapping[State, Action]] = {
    State.PENDING: Action.RUN,
    State.RUNNING: Action.WAIT,
    State.UNPROVEN: Action.WAIT,
    State.STALE: Action.RESUME,
    State.FAILED: Action.RETRY,
    State.DONE: Action.SKIP,
}
NO_EXTENSIONS: Final[Mapping[int, Extension]] = MappingProxyType({})
STARTS: Final = frozenset({Action.RUN, Action.RESUME, Action.RETRY})


@dataclass(frozen=True, slots=True)
class Decision:
    """The action for one run, with its reason and the observation behind it.

    ``stop_after``: it pauses after this iteration; None: it is executed to its end. ``standing`` is
    where it stands among the others, if they are compared.
    """

    run: Run
    action: Action
    reason: str
    seen: Observation
    extension: Extension | None = None
    stop_after: int | None = None
    standing: Standing | None = None

    def again(self, seen: Observation) -> Decision:
        """Return the decision after another look at the run, with the same aim."""
        return replace(decide(self.run, seen), stop_after=self.stop_after)

    def is_reached(self, seen: Observation) -> bool:
        """Return whether a run has come as far as it was to, also if it was killed right there."""
        if self.stop_after is None or seen.progress is None:
            return False
        from orchestrator.runner.failure_classes import has_failed_by_itself  # noqa: PLC0415 # slow

        can_go_on = seen.state in (State.STALE, State.FAILED)
        is_own = has_failed_by_itself(seen.state, seen.failure)
        return can_go_on and not is_own and seen.progress.iteration >= self.stop_after


class Decisions(Sequence[Decision]):
    """The decisions on many runs; each is made on access.

    ``seen`` has the observations, by index, of all runs that have a directory. ``stage`` says how far
    each run goes, if they are compared.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        seen: Mapping[int, Observation],
        extensions: Mapping[int, Extension] = NO_EXTENSIONS,
        stage: Stage | None = None,
    ) -> None:
        self._runs = runs
        self._seen = seen
        self._extensions = extensions
        self.stage = stage

    def __len__(self) -> int:
        """Return the number of decisions."""
        return len(self._runs)

    @overload
    def __getitem__(self, at: int) -> Decision: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Decision]: ...
    def __getitem__(self, at: int | slice) -> Decision | Sequence[Decision]:
        """Return the decision on the run at an index, or several for a slice."""
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        place = range(len(self))[at]
        seen = self._seen.get(place, NOTHING_THERE)
        decision = decide(self._runs[place], seen, self._extensions.get(place))
        return decision if self.stage is None else _in_stage(decision, self.stage.of(place))

    def staged(self, stage: Stage) -> Decisions:
        """Return the decisions for a comparison of the runs."""
        return Decisions(self._runs, self._seen, self._extensions, stage)

    def seeing(self, seen: Mapping[int, Observation], stage: Stage) -> Decisions:
        """Return the decisions after another look at the runs."""
        return Decisions(self._runs, seen, stage=stage)

    def observed_again(self, seen: Mapping[int, Observation]) -> Decisions:
        """Return the decisions after another look at all runs that have a directory."""
        extensions = {at: each for at, each in self._extensions.items() if at not in seen}
        return Decisions(self._runs, seen, extensions)

    def extending(self, extensions: Mapping[int, Extension]) -> Decisions:
        """Return the decisions with what pending runs extend, by their indices."""
        return Decisions(self._runs, self._seen, extensions)

    def pick(self, places: Sequence[int]) -> Decisions:
        """Return the decisions on the runs at these indices, without making any."""
        runs = self._runs
        picked = runs.pick(places) if isinstance(runs, Runs) else [runs[place] for place in places]
        seen = {at: self._seen[place] for at, place in enumerate(places) if place in self._seen}
        known = self._extensions
        extensions = {at: known[place] for at, place in enumerate(places) if place in known}
        return Decisions(picked, seen, extensions)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs, in order."""
        return self._runs

    def observed(self) -> Iterable[tuple[int, Observation]]:
        """Return the indices and the observations of the runs that have a directory."""
        return self._seen.items()

    def run(self, place: int) -> Run:
        """Return the run at an index."""
        return self._runs[place]

    def saved(self, place: int) -> int:
        """Return how many iterations of the run at an index are there already, or in one that it extends."""
        extension = self._extensions.get(place)
        extended = extension.iteration if extension and extension.is_possible else 0
        return max(extended, self._seen.get(place, NOTHING_THERE).saved)

    def run_id(self, place: int) -> RunId:
        """Return the run ID at an index, without creating the run."""
        runs = self._runs
        return runs.run_id(place) if isinstance(runs, Runs) else runs[place].run_id

    def known_config(self, place: int) -> Mapping[str, Value] | None:
        """Return the config of the run at an index without composing it; None if that is not possible."""
        runs = self._runs
        return runs.known_config(place) if isinstance(runs, Runs) else runs[place].config

    def forget(self, places: Collection[int]) -> Decisions:
        """Return the decisions as if the runs at these indices had no directory."""
        gone = frozenset(places)
        return Decisions(self._runs, {at: it for at, it in self._seen.items() if at not in gone})

    def count_states(self) -> Counter[State]:
        """Return the number of runs in each state, without making the decisions."""
        counts = Counter(seen.state for seen in self._seen.values())
        counts[State.PENDING] += len(self._runs) - len(self._seen)
        return counts

    def count_reasons(self) -> Counter[tuple[State, Action, str]]:
        """Return the number of runs with each state, action and reason."""
        if self.stage is not None:
            return Counter((it.seen.state, it.action, it.reason) for it in self)
        seen = Counter((s.state, ACTIONS[s.state], s.reason) for s in self._seen.values())
        waiting = len(self._runs) - len(self._seen)
        for extension in self._extensions.values():
            seen[State.PENDING, Action.RUN, str(extension)] += 1
        if waiting := waiting - len(self._extensions):
            seen[State.PENDING, Action.RUN, NOTHING_THERE.reason] += waiting
        return seen

    def places(self, states: Collection[State]) -> Sequence[int]:
        """Return the indices of the runs in these states, in order."""
        if State.PENDING in states:
            others = {at for at, seen in self._seen.items() if seen.state not in states}
            return [at for at in range(len(self._runs)) if at not in others]
        return sorted(at for at, seen in self._seen.items() if seen.state in states)

    def flawed_places(self) -> Sequence[int]:
        """Return the indices of the runs whose directory has a flaw that can be repaired."""
        return sorted(at for at, seen in self._seen.items() if seen.flaw)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that ``orch run`` will do, in order, and the points that it leaves out.

    ``only`` is the condition that restricts the decisions, if any.
    """

    experiment_id: str
    directory: str
    selection: Selection
    decisions: Decisions
    only: str = ""

    @property
    def states(self) -> Mapping[State, int]:
        """The number of runs in each state, for all states."""
        counts = self.decisions.count_states()
        return fill_counts(counts)

    def starts(self) -> tuple[Decision, ...]:
        """Return the decisions that start an attempt."""
        found = self._of(state for state in State if ACTIONS[state] in STARTS)
        return tuple(it for it in found if it.action in STARTS)

    def waits(self) -> tuple[Decision, ...]:
        """Return the decisions on runs that another process executes, and that are waited for."""
        found = self._of([State.RUNNING])
        return tuple(it for it in found if not (it.standing and it.standing.is_held))

    def unproven(self) -> tuple[Decision, ...]:
        """Return the decisions on runs that another host may execute; they are left alone."""
        return self._of([State.UNPROVEN])

    def flawed(self) -> tuple[Decision, ...]:
        """Return the decisions on finished runs whose directory has a flaw."""
        return tuple(self.decisions[place] for place in self.decisions.flawed_places())

    def _of(self, states: Iterable[State]) -> tuple[Decision, ...]:
        return tuple(self.decisions[place] for place in self.decisions.places(frozenset(states)))


def make_plan(
    experiment_id: str,
    directory: str,
    selection: Selection,
    seen: Mapping[RunId, Observation],
    places: Mapping[RunId, int] | None = None,
) -> Plan:
    """Decide the action for every run; a run without an observation is pending.

    ``places`` are the indices of the observed runs, if the caller knows them already.
    """
    if places is None:
        places = find_places(selection.runs, seen.keys())
    decisions = Decisions(selection.runs, {at: seen[run_id] for run_id, at in places.items()})
    return Plan(experiment_id, directory, selection, decisions)


def restrict(plan: Plan, only: str, option: str = "--only") -> Plan:
    """Return the plan restricted to the runs that meet the condition ``only`` of an option.

    Raises:
        FilterError: No run meets it.
    """
    meant = plan.selection.meant or ()
    if not meant:
        count = len(plan.decisions)
        raise FilterError(
            f"{option} {only!r}: none of the {count} runs meets it. List the runs with orch plan."
        )
    return replace(plan, decisions=plan.decisions.pick(meant), only=only)


def decide(run: Run, seen: Observation, extension: Extension | None = None) -> Decision:
    """Decide the action for one run."""
    reason = seen.reason if extension is None else str(extension)
    return Decision(run, ACTIONS[seen.state], reason, seen, extension)


def _in_stage(decision: Decision, standing: Standing) -> Decision:
    """Return a decision on a run that is compared with others."""
    reason = standing.explain(decision.reason, is_over=decision.action is Action.SKIP)
    is_held = standing.is_held and decision.action in STARTS
    action = Action.PAUSE if is_held else decision.action
    return replace(
        decision,
        action=action,
        reason=reason,
        stop_after=standing.stop_after,
        standing=standing,
    )
