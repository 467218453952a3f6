"""What steps mean is found in the runs of a grid, or not told at all, but never guessed wrongly."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.planning.step_meaning import LoggedMetric, StepReading, find_meaning
from orchestrator.planning.value_at_iteration import value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STEPS = st.sampled_from([(1, 1), (0, 1), (100, 100), (99, 100), (3, 3), (0, 50)])
FROM_0, FROM_1 = frozenset([StepReading.FROM_0]), frozenset([StepReading.FROM_1])


def curve_of(iterations: Iterable[int], first: int) -> dict[int, float]:
    """Return values that tell their iteration; ``first`` is the step of the first iteration."""
    return {at - 1 + first: float(at) for at in iterations}


def every(spacing: int, reached: int, first: int) -> dict[int, float]:
    """Return what a program has logged that does after each k-th iteration."""
    return curve_of(range(spacing, reached + 1, spacing), first)


def value_of(runs: Sequence[LoggedMetric], at: int, iteration: int) -> float:
    return value_at(find_meaning(runs).by_iteration(runs[at]), iteration)


def lost(curve: dict[int, float], reached: int) -> LoggedMetric:
    """Return a run of which an attempt was lost that may have come further."""
    return LoggedMetric(curve, reached, is_settled=False, is_whole=False)


@dataclass(frozen=True)
class Program:
    """A program that logs every few iterations, and tells its iteration in the value."""

    per_iteration: int
    is_from_0: bool
    spacing: int
    begins_with_1: bool
    logs_last: bool
    logs_before: bool
    reports: bool
    total: int

    def logged(self, reached: int) -> dict[int, float]:
        """Return what it has logged after an iteration."""
        is_before = self.logs_before and not self.is_from_0
        found = {0: 0.0} if is_before else {}
        for at in range(1, reached + 1):
            is_due = at % self.spacing == (1 % self.spacing if self.begins_with_1 else 0)
            if is_due or (self.logs_last and at == self.total):
                found[(at - self.is_from_0) * self.per_iteration] = float(at)
        return found

    def value_at(self, iteration: int) -> float:
        """Return the value after an iteration; NaN if there is none."""
        return [*self.logged(iteration).values(), math.nan][
            -1 if not self.logged(iteration) else -2
        ]

    def leave(self, reached: int, how: int, further: int) -> LoggedMetric:
        """Return a run that has paused, or was killed, or has paused after a lost attempt came further."""
        lost = min(self.total, reached + further) if how == 2 else reached
        curve = self.logged(lost)
        is_settled = how != 1
        if self.reports:
            return LoggedMetric(curve, reached, is_settled, how != 2, self.total)
        pause = reached if is_settled else max(0, reached - further)
        told = reached if is_settled else None
        return LoggedMetric(curve, told, is_settled, how != 2, self.total, pause)


@given(steps=STEPS, iteration=st.integers(1, 30), later=st.integers(0, 30), ahead=st.integers(0, 1))
def test_value_of_an_iteration_stays_when_the_run_goes_on(
    steps: tuple[int, int], iteration: int, later: int, ahead: int
) -> None:
    """One value per iteration; a program may be killed when it has logged one more than it reports."""
    first, spacing = steps
    reached = iteration + later
    curve = {first + spacing * at: float(at + 1) for at in range(reached + (ahead if first else 0))}
    start = LoggedMetric({first + spacing * at: at + 1.0 for at in range(3)}, 3)
    runs = [LoggedMetric(curve, reached, is_settled=not ahead), start]
    assert value_of(runs, 0, iteration) == iteration
    assert not find_meaning(runs).is_doubtful(runs[0], iteration)


@given(
    spacing=st.integers(2, 6),
    first=st.integers(0, 1),
    rung=st.integers(1, 20),
    further=st.lists(st.integers(0, 40), min_size=1, max_size=4),
)
def test_metric_that_is_logged_now_and_then_has_its_last_value_or_is_doubtful(
    spacing: int, first: int, rung: int, further: list[int]
) -> None:
    """Some runs have paused at a rung, others are further."""
    runs = [LoggedMetric(every(spacing, rung + it, first), rung + it) for it in further]
    meaning = find_meaning(runs)
    expected = rung // spacing * spacing or math.nan
    for run in runs:
        if not meaning.is_doubtful(run, rung):
            assert value_at(meaning.by_iteration(run), rung) == pytest.approx(expected, nan_ok=True)
        assert {StepReading.FROM_0, StepReading.FROM_1} & meaning.readings(run) != (
            FROM_0 if first else FROM_1
        )


@given(spacing=st.integers(3, 6), first=st.integers(0, 1), rounds=st.integers(2, 8))
def test_finished_runs_that_log_now_and_then_tell_the_first_step(
    spacing: int, first: int, rounds: int
) -> None:
    (run,) = [LoggedMetric(every(spacing, spacing * rounds, first), spacing * rounds)]
    assert find_meaning([run]).readings(run) == (FROM_1 if first else FROM_0)
    assert find_meaning([run], 1 - first).readings(run) == (FROM_0 if first else FROM_1)  # as told


def test_last_iteration_that_is_logged_as_well_tells_the_first_step() -> None:
    for first, readings in enumerate((FROM_0, FROM_1)):
        run = LoggedMetric(curve_of([5, 10, 15, 18], first), 18, total=18)
        assert find_meaning([run]).readings(run) == readings


def test_value_before_the_training_is_not_that_of_the_first_iteration() -> None:
    runs = [LoggedMetric(dict.fromkeys(range(reached + 1), 0.5), reached) for reached in (2, 6)]
    assert StepReading.FROM_0 not in find_meaning(runs).readings(runs[0])
    updates = [
        LoggedMetric({100 * at: float(at) for at in range(reached + 1)}, reached)
        for reached in (2, 6)
    ]
    assert [value_of(updates, 1, at) for at in (1, 2, 6)] == [1, 2, 6]


@pytest.mark.parametrize("steps", [[2, 5, 9], [4], [1, 3, 10, 30]])
def test_first_step_that_nothing_tells_is_doubtful_only_where_it_matters(steps: list[int]) -> None:
    logged = LoggedMetric(dict.fromkeys(steps, 0.5), 35)
    meaning = find_meaning([logged])
    assert meaning.readings(logged) == FROM_0 | FROM_1
    # A single value may also be of an earlier iteration, if steps are something else.
    doubtful = steps if len(steps) > 1 else [*range(1, steps[0] + 1)]
    assert [it for it in range(1, 40) if meaning.is_doubtful(logged, it)] == doubtful
    # A run that has paused there tells.
    first = LoggedMetric(dict.fromkeys(steps[:1], 0.5), steps[0])
    if steps[0] > 1:
        assert find_meaning([logged, first]).readings(logged) == FROM_1


@pytest.mark.parametrize("others", [[(8, 8)], [(4, 4), (8, 11)]])
def test_values_of_a_lost_attempt_beyond_the_progress_do_not_count(
    others: list[tuple[int, int]],
) -> None:
    """It was killed in iteration 8, and again in 6: it had saved 5."""
    killed = lost(every(4, 8, 1), 6)
    runs = [killed, *(LoggedMetric(every(4, last, 1), reached) for last, reached in others)]
    meaning = find_meaning(runs)
    assert meaning.readings(killed) == FROM_1
    assert meaning.by_iteration(killed) == {4: 4}
    assert value_of(runs, 0, 4) == 4
    assert find_meaning([killed]).is_unclear(killed)  # it may be updates
    assert find_meaning([killed], 1).readings(killed) == FROM_1


def test_paused_run_with_values_of_a_lost_attempt_does_not_tell_the_first_step() -> None:
    """Steps 1, 3, 5 are iterations 2, 4, 6, or 1, 3, 5; the lost attempt came to the last one."""
    killed = LoggedMetric(every(2, 6, 0), 3, is_whole=False)
    assert find_meaning([killed]).is_unclear(killed)
    other = LoggedMetric(every(2, 4, 0), 3, is_whole=False)  # its last step would fit
    runs = [other, LoggedMetric(every(2, 3, 0), 3), LoggedMetric(every(2, 9, 0), 9)]
    assert find_meaning(runs).readings(other) == FROM_0
    assert value_of(runs, 0, 3) == 2


def test_updates_of_a_lost_attempt_do_not_count_either() -> None:
    killed = LoggedMetric({2 * at: float(at) for at in range(1, 9)}, 6, is_whole=False)
    paused = LoggedMetric({2 * at: float(at) for at in range(1, 4)}, 3)
    meaning = find_meaning([killed, paused])
    assert meaning.readings(killed) == frozenset([StepReading.ONE_EACH])
    assert meaning.by_iteration(killed) == {at: at for at in range(1, 7)}


def test_dense_steps_of_a_lost_attempt_do_not_count() -> None:
    killed = LoggedMetric(every(1, 9, 1), 6, is_whole=False)
    assert find_meaning([killed]).by_iteration(killed) == every(1, 6, 1)


@pytest.mark.parametrize(
    ("curve", "reached", "expected"),
    [
        ({}, 1, {}),
        ({2: 0.5}, 1, {1: 0.5}),  # two updates per iteration
        ({2: 0.4, 3: 0.5}, 3, {2: 0.4, 3: 0.5}),  # nothing logged in the first one
        ({1: 0.3, 2: 0.4, 3: 0.5}, 2, {1: 0.3, 2: 0.4}),  # it reports one after the next one
        ({-1: 0.1, 0: 0.2, 1: 0.3}, 3, {1: 0.1, 2: 0.2, 3: 0.3}),
        ({1: 0.1, 5: 0.2}, None, {1: 0.1, 5: 0.2}),  # it reports no progress
    ],
)
def test_curves_with_little_in_them(
    curve: dict[int, float], reached: int | None, expected: dict[int, float]
) -> None:
    logged = LoggedMetric(curve, reached)
    assert find_meaning([logged]).by_iteration(logged) == expected


@pytest.mark.parametrize(
    ("steps", "reached"),
    [
        ([10, 20, 300], 3),
        (range(0, 900, 9), 3),
        ([0, 200], 3),  # updates, logged every second iteration
        ([0, 200], 4),
        ([100, 200], 3),
        ([1, 2], 1),  # two values, or one of them of the next iteration
    ],
)
def test_steps_that_have_nothing_to_do_with_iterations_are_noticed(
    steps: Sequence[int], reached: int
) -> None:
    logged = LoggedMetric(dict.fromkeys(steps, 1.0), reached)
    assert find_meaning([logged]).is_unclear(logged)
    first = LoggedMetric(dict.fromkeys(steps[:1], 1.0), 1)
    assert find_meaning([logged, first]).is_unclear(logged)


def test_steps_beyond_the_last_iteration_are_not_iterations() -> None:
    """Although a lost attempt may have logged them."""
    killed = replace(lost({2: 0.1, 4: 0.2, 6: 0.3}, 3), total=5)
    other = LoggedMetric({2: 0.1, 4: 0.2}, 2)
    assert find_meaning([killed, other]).readings(killed) == frozenset([StepReading.ONE_EACH])
    other = LoggedMetric({2: 0.1, 4: 0.2}, 4)
    assert find_meaning([killed, other]).is_unclear(killed)
    longer = replace(killed, total=9)
    assert find_meaning([longer, other]).readings(longer) == FROM_1


def test_run_that_reports_no_progress_is_as_far_as_its_steps_tell() -> None:
    """Its last value may be logged again as long as its program has not ended by itself."""
    killed = LoggedMetric(every(1, 5, 1), None, is_settled=False)
    meaning = find_meaning([killed, LoggedMetric(every(1, 4, 1), 4)])
    assert meaning.reached(killed) == 4
    assert meaning.by_iteration(killed) == every(1, 4, 1)
    paused = replace(killed, paused_after=5)
    assert (meaning.reached(paused), len(meaning.by_iteration(paused))) == (5, 5)
    assert meaning.reached(replace(killed, curve={}, paused_after=3)) == 3
    updates = LoggedMetric({100 * at: 1.0 for at in range(1, 6)}, None, is_settled=False)
    other = LoggedMetric({100: 1.0, 200: 1.0}, 2)
    assert find_meaning([updates, other]).reached(updates) == 4
    assert find_meaning([updates]).is_unclear(updates)
    assert find_meaning([updates]).reached(replace(updates, paused_after=2)) == 2


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Return a program that logs in its own way."""
    per_iteration = draw(st.sampled_from([1, 1, 1, 2, 3, 100]))
    spacing = draw(st.sampled_from([1, 1, 2, 3, 5]))
    return Program(
        per_iteration=per_iteration,
        is_from_0=draw(st.booleans()),
        spacing=spacing,
        begins_with_1=draw(st.booleans()),
        logs_last=draw(st.booleans()),
        logs_before=draw(st.booleans()),
        reports=draw(st.booleans()),
        total=draw(st.integers(8, 30)),
    )


@example(Program(100, True, 2, True, False, False, True, 12), [4, 2, 2], [0, 0, 0], [0, 0, 0])
@given(
    program=programs(),
    reached=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    killed=st.lists(st.integers(0, 2), min_size=5, max_size=5),
    ahead=st.lists(st.integers(0, 4), min_size=5, max_size=5),
)
def test_value_after_an_iteration_is_the_true_one_or_is_not_told(
    program: Program, reached: list[int], killed: list[int], ahead: list[int]
) -> None:
    """Whatever the program logs, and wherever its attempts have paused or were killed."""
    runs = [
        program.leave(min(at, program.total), how, further)
        for at, how, further in zip(reached, killed, ahead, strict=False)
    ]
    meaning = find_meaning(runs)
    for run, at in zip(runs, reached, strict=True):
        assert meaning.reached(run) <= min(at, program.total)
    if any(map(meaning.is_unclear, runs)):
        return
    rungs = {rung for run in runs if (rung := meaning.reached(run))}
    compared = [(run, rung) for run in runs for rung in rungs if rung <= meaning.reached(run)]
    if not any(meaning.is_doubtful(*each) for each in compared):
        for run, rung in compared:
            told = value_at(meaning.by_iteration(run), rung)
            assert told == pytest.approx(program.value_at(rung), nan_ok=True)


@pytest.mark.parametrize("steps", [(1,), (2, 4), (3,), (1, 2, 3)])
def test_steps_of_the_trainer_are_iterations_whatever_was_lost(steps: tuple[int, ...]) -> None:
    """Nobody is asked, where all runs were killed before one had paused."""
    logged = lost({step: float(step) for step in steps}, steps[-1])
    meaning = find_meaning([replace(logged, is_trainers=True)] * 2)
    for iteration in range(1, steps[-1] + 1):
        assert not meaning.is_doubtful(replace(logged, is_trainers=True), iteration)
    assert meaning.by_iteration(logged) == logged.curve
    assert meaning.readings(logged) == FROM_1


def test_runs_tell_together_what_none_tells_alone() -> None:
    """Step 0 is the first iteration: one that has only it would have logged the first one otherwise."""
    first = [LoggedMetric({0: 1.0}, 1, total=8)] * 2
    second = LoggedMetric({0: 1.0, 1: 2.0}, 2, total=8)
    meaning = find_meaning([*first, second, second])
    assert not any(meaning.is_doubtful(each, 1) for each in (*first, second))
    assert meaning.by_iteration(second) == {1: 1.0, 2: 2.0}


def test_updates_are_known_by_a_run_that_has_more_of_them_than_iterations() -> None:
    """So that a killed one keeps its place."""
    whole, killed = LoggedMetric({100: 1.0}, 1, total=8), lost({100: 2.0}, 1)
    meaning = find_meaning([whole, replace(killed, total=8)])
    assert not meaning.is_unclear(killed)
    assert meaning.by_iteration(killed) == {1: 2.0}


def test_finished_run_that_reports_no_progress_tells_by_its_last_step() -> None:
    paused = [LoggedMetric({2: 1.0}, 2, total=6, paused_after=2)] * 2
    done = LoggedMetric({2: 1.0, 4: 2.0, 6: 3.0}, None, total=6)
    meaning = find_meaning([*paused, done])
    assert not any(meaning.is_doubtful(each, 2) for each in (*paused, done))
    assert meaning.by_iteration(done) == done.curve
