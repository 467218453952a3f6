"""The value after an iteration is the same whenever it is read, whatever the steps count."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning.value_at_iteration import is_per_iteration, value_at

LOGGED = st.sampled_from([(1, 1), (0, 1), (100, 100), (99, 100), (3, 3), (0, 50)])


@given(
    logged=LOGGED, iteration=st.integers(1, 30), later=st.integers(0, 30), ahead=st.integers(0, 1)
)
def test_value_of_an_iteration_stays_when_the_run_goes_on(
    logged: tuple[int, int], iteration: int, later: int, ahead: int
) -> None:
    """One value per iteration; a program may be killed when it has logged one more than it reports."""
    first, spacing = logged
    reached = iteration + later
    count = reached + (ahead if first else 0)
    curve = {first + spacing * at: float(at + 1) for at in range(count)}
    assert is_per_iteration(curve, reached)
    assert value_at(curve, iteration, reached) == iteration


@given(every=st.integers(2, 5), iteration=st.integers(1, 30), later=st.integers(0, 30))
def test_metric_that_is_logged_now_and_then_has_its_last_value(
    every: int, iteration: int, later: int
) -> None:
    reached = iteration + later
    curve = {step: float(step) for step in range(every, reached + 1, every)}
    found = value_at(curve, iteration, reached)
    expected = iteration // every * every
    assert found == expected if expected else math.isnan(found)


@pytest.mark.parametrize(
    ("curve", "iteration", "reached", "expected"),
    [
        ({}, 1, 1, math.nan),
        ({1: 0.5}, 3, 1, 0.5),  # it stopped early
        ({2: 0.5}, 1, 1, 0.5),  # two updates per iteration
        ({2: 0.4, 3: 0.5}, 1, 3, math.nan),  # nothing logged in the first one
        ({1: 0.1, 2: math.nan, 3: 0.3}, 2, 3, math.nan),
        ({-1: 0.1, 0: 0.2, 1: 0.3}, 2, 3, 0.2),
    ],
)
def test_curves_with_little_in_them(
    curve: dict[int, float], iteration: int, reached: int, expected: float
) -> None:
    found = value_at(curve, iteration, reached)
    assert found == expected or (math.isnan(found) and math.isnan(expected))


@pytest.mark.parametrize(
    "curve", [{10: 1.0, 20: 1.0, 300: 1.0}, dict.fromkeys(range(0, 900, 9), 1.0)]
)
def test_steps_that_have_nothing_to_do_with_iterations_are_noticed(
    curve: dict[int, float],
) -> None:
    assert not is_per_iteration(curve, 3)
