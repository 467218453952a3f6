"""What steps mean is found in the runs of a grid, or not told at all, but never guessed wrongly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning.step_meaning import LoggedMetric, StepMeaning, StepReading, find_meaning
from orchestrator.planning.value_at_iteration import value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STEPS = st.sampled_from([(1, 1), (0, 1), (100, 100), (99, 100), (3, 3), (0, 50)])


def curve_of(iterations: Iterable[int], first: int) -> dict[int, float]:
    """Return values that tell their iteration; ``first`` is the step of the first iteration."""
    return {at - 1 + first: float(at) for at in iterations}


def every(spacing: int, reached: int, first: int) -> dict[int, float]:
    """Return what a program has logged that does after each k-th iteration."""
    return curve_of(range(spacing, reached + 1, spacing), first)


def value_of(runs: Sequence[LoggedMetric], at: int, iteration: int) -> float:
    return value_at(find_meaning(runs).by_iteration(runs[at]), iteration)


@given(steps=STEPS, iteration=st.integers(1, 30), later=st.integers(0, 30), ahead=st.integers(0, 1))
def test_value_of_an_iteration_stays_when_the_run_goes_on(
    steps: tuple[int, int], iteration: int, later: int, ahead: int
) -> None:
    """One value per iteration; a program may be killed when it has logged one more than it reports."""
    first, spacing = steps
    reached = iteration + later
    count = reached + (ahead if first else 0)
    curve = {first + spacing * at: float(at + 1) for at in range(count)}
    logged = LoggedMetric(curve, reached, is_settled=not ahead)
    assert value_of([logged], 0, iteration) == iteration
    assert not find_meaning([logged]).is_doubtful(logged, iteration)


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
        assert meaning.first in (first, None)


@given(spacing=st.integers(2, 6), first=st.integers(0, 1), rounds=st.integers(2, 8))
def test_finished_runs_that_log_now_and_then_tell_the_first_step(
    spacing: int, first: int, rounds: int
) -> None:
    runs = [LoggedMetric(every(spacing, spacing * rounds, first), spacing * rounds)]
    assert find_meaning(runs).first == first
    assert find_meaning(runs, 1 - first).first == 1 - first  # as the user says


def test_last_iteration_that_is_logged_as_well_tells_the_first_step() -> None:
    for first in (0, 1):
        curve = curve_of([5, 10, 15, 18], first)
        assert find_meaning([LoggedMetric(curve, 18)]).first == first


def test_value_before_the_training_is_not_that_of_the_first_iteration() -> None:
    runs = [LoggedMetric(dict.fromkeys(range(reached + 1), 0.5), reached) for reached in (2, 6)]
    assert find_meaning(runs).first == 1


@pytest.mark.parametrize("steps", [[2, 5, 9], [4], [1, 3, 10, 30]])
def test_first_step_that_nothing_tells_is_doubtful_only_where_it_matters(steps: list[int]) -> None:
    logged = LoggedMetric(dict.fromkeys(steps, 0.5), 35)
    meaning = find_meaning([logged])
    assert meaning.first is None
    assert [it for it in range(1, 40) if meaning.is_doubtful(logged, it)] == steps
    # A run that has paused there tells.
    paused = {step: 0.5 for step in steps if step <= steps[0]}
    assert find_meaning([logged, LoggedMetric(paused, steps[0])]).first == 1


@pytest.mark.parametrize("others", [[], [(8, 8)], [(4, 4), (8, 11)]])
def test_values_of_a_lost_attempt_beyond_the_progress_do_not_count(
    others: list[tuple[int, int]],
) -> None:
    """It was killed in iteration 8, and again in 6: it had saved 5."""
    killed = LoggedMetric(every(4, 8, 1), 6, is_settled=False, is_first=False)
    runs = [killed, *(LoggedMetric(every(4, last, 1), reached) for last, reached in others)]
    meaning = find_meaning(runs)
    assert meaning.read(killed) is StepReading.ITERATIONS
    assert meaning.by_iteration(killed) == {4: 4}
    assert value_of(runs, 0, 4) == 4


def test_paused_run_with_values_of_a_lost_attempt_does_not_tell_the_first_step() -> None:
    """Steps 1, 3, 5 are iterations 2, 4, 6; the lost attempt came to 6."""
    killed = LoggedMetric(every(2, 6, 0), 3, is_first=False)
    assert find_meaning([killed]).first == 0
    assert value_of([killed], 0, 3) == 2
    other = LoggedMetric(every(2, 4, 0), 3, is_first=False)  # its last step would fit
    runs = [other, LoggedMetric(every(2, 3, 0), 3), LoggedMetric(every(2, 9, 0), 9)]
    assert find_meaning(runs).first in (0, None)


def test_updates_of_a_lost_attempt_do_not_count_either() -> None:
    killed = LoggedMetric({2 * at: float(at) for at in range(1, 9)}, 6, is_first=False)
    paused = LoggedMetric({2 * at: float(at) for at in range(1, 4)}, 3)
    meaning = find_meaning([killed, paused])
    assert meaning.read(killed) is StepReading.ONE_EACH
    assert meaning.by_iteration(killed) == {at: at for at in range(1, 7)}


def test_dense_steps_of_a_lost_attempt_do_not_count() -> None:
    killed = LoggedMetric(every(1, 9, 1), 6, is_first=False)
    assert find_meaning([killed]).by_iteration(killed) == every(1, 6, 1)


@pytest.mark.parametrize(
    ("curve", "reached", "expected"),
    [
        ({}, 1, {}),
        ({2: 0.5}, 1, {1: 0.5}),  # two updates per iteration
        ({2: 0.4, 3: 0.5}, 3, {2: 0.4, 3: 0.5}),  # nothing logged in the first one
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
    "curve", [{10: 1.0, 20: 1.0, 300: 1.0}, dict.fromkeys(range(0, 900, 9), 1.0)]
)
def test_steps_that_have_nothing_to_do_with_iterations_are_noticed(
    curve: dict[int, float],
) -> None:
    logged = LoggedMetric(curve, 3)
    assert StepMeaning().read(logged) is StepReading.UNCLEAR
