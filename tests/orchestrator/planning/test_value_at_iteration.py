"""The value after an iteration is the last one up to it."""

from __future__ import annotations

import math

import pytest

from orchestrator.planning.value_at_iteration import value_at


@pytest.mark.parametrize(
    ("curve", "iteration", "expected"),
    [
        ({}, 1, math.nan),
        ({1: 0.5}, 3, 0.5),  # it stopped early
        ({2: 0.4, 3: 0.5}, 1, math.nan),  # nothing logged in the first one
        ({2: 0.4, 3: 0.5}, 2, 0.4),
        ({1: 0.1, 2: math.nan, 3: 0.3}, 2, math.nan),
    ],
)
def test_value_is_the_last_one_up_to_the_iteration(
    curve: dict[int, float], iteration: int, expected: float
) -> None:
    found = value_at(curve, iteration)
    assert found == expected or (math.isnan(found) and math.isnan(expected))
