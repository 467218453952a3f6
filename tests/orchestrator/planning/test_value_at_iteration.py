"""The value after an iteration is the last one up to it."""

from __future__ import annotations

import math

import pytest

from orchestrator.planning.value_at_iteration import find_shared_iteration, last_up_to, value_at


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


def test_shared_iteration_is_the_last_one_that_all_curves_have() -> None:
    assert find_shared_iteration([{1: 0.1, 2: 0.1, 4: 0.1}, {2: 0.1, 3: 0.1}], 4) == 2
    assert find_shared_iteration([{2: 0.1, 4: 0.1}, {}, {5: 0.1}], 4) == 4
    assert find_shared_iteration([{1: 0.1}, {2: 0.1}], 4) is None
    assert find_shared_iteration([{}], 4) is None
    assert (last_up_to({2: 0.1, 5: 0.1}, 4), last_up_to({5: 0.1}, 4)) == (2, None)
