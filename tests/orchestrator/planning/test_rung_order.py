"""Runs are ordered by values that can be compared."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from orchestrator.config.halving_settings import Halving
from orchestrator.grid.identity import RunId
from orchestrator.planning.rung_order import Contestant, End, count_failed, rank

if TYPE_CHECKING:
    from collections.abc import Mapping

HALF = Halving("loss", True, 2)
LAST_VALUES = "compared by their last values, as no iteration was logged by all"


def run(name: int, curve: Mapping[int, float], reached: int = 8, end: End = End.OPEN) -> Contestant:
    return Contestant(RunId(f"{name:016x}"), curve, reached, end)


def field(*runs: Contestant) -> dict[int, Contestant]:
    return dict(enumerate(runs))


def test_program_that_logs_every_few_iterations_is_compared_by_what_it_logged_last() -> None:
    found = rank([0, 1], field(run(0, {3: 0.5, 6: 0.3}), run(1, {3: 0.1, 6: 0.2})), 8, HALF)
    assert (found.places, found.unevenness) == ([1, 0], "")


def test_value_of_an_earlier_iteration_does_not_take_the_place_of_a_lost_one() -> None:
    """The run would be the worst by 0.9, which it had one iteration earlier than the others."""
    runs = field(run(0, {7: 0.9, 8: 0.2}), run(1, {7: 0.3}), run(2, {7: 0.8, 8: 0.1}))
    found = rank([0, 1, 2], runs, 8, HALF)
    assert found.places == [1, 2, 0]
    assert found.unevenness == "compared after iteration 7, the last that all have logged"
    assert rank([0, 2], runs, 8, HALF).places == [2, 0]
    assert rank([0, 1, 2], runs, 7, HALF).unevenness == ""


def test_runs_that_share_no_iteration_are_compared_by_their_last_values() -> None:
    found = rank([0, 1], field(run(0, {2: 0.1, 4: 0.3}), run(1, {3: 0.2})), 4, HALF)
    assert (found.places, found.unevenness) == ([1, 0], LAST_VALUES)


@pytest.mark.parametrize(
    ("other", "places"),
    [
        (run(2, {1: 0.1}, 1, End.FAILED), [1, 0, 2]),
        (run(2, {}), [1, 0, 2]),
        (run(2, {1: 0.1}, 1, End.DONE), [2, 1, 0]),
        (run(2, {1: 0.35}, 1, End.DONE), [1, 2, 0]),
    ],
    ids=["failed", "without a value", "finished early", "finished early, not the best"],
)
def test_runs_that_were_over_before_do_not_choose_the_iteration(
    other: Contestant, places: list[int]
) -> None:
    runs = field(run(0, {1: 0.2, 8: 0.4}), run(1, {1: 0.3, 8: 0.3}), other)
    found = rank([0, 1, 2], runs, 8, HALF)
    assert (found.places, found.unevenness) == (places, "")
    assert count_failed([0, 1, 2], runs) == (other.end is End.FAILED)


def test_nan_is_a_value() -> None:
    found = rank([0, 1], field(run(0, {7: 0.1, 8: math.nan}), run(1, {7: 0.3, 8: 0.3})), 8, HALF)
    assert (found.places, found.unevenness) == ([1, 0], "")
