"""The cost of a halved grid is that of a simulation of it, and of what is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.halving_settings import Halving
from orchestrator.grid.extension import Extension
from orchestrator.grid.identity import Run, identify
from orchestrator.planning.halving_cost import (
    Leg,
    Outlook,
    Remaining,
    expect_cost,
    list_legs,
    list_rungs,
)
from orchestrator.planning.plan import Decisions
from orchestrator.planning.rung_decisions import RungVerdict, Standing, find_stage
from orchestrator.rundir.state import Observation, Progress, Record, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

THIRD = Halving("loss", True, 3)
NEW = Standing(RungVerdict.GOES_ON, stop_after=1)


def rungs_of(count: int, halving: Halving, longest: int | None) -> list[tuple[int, int, int]]:
    found = list_rungs(find_stage({}, count, halving), count, halving, longest)
    return [(rung.iteration, rung.runs, rung.best) for rung in found]


def test_rungs_are_listed_up_to_the_end() -> None:
    assert rungs_of(27, THIRD, 20) == [(1, 27, 9), (3, 9, 3), (9, 3, 1)]
    assert rungs_of(27, THIRD, 9) == [(1, 27, 9), (3, 9, 3)]
    assert rungs_of(2, THIRD, 20) == [(1, 2, 1)]
    assert rungs_of(27, THIRD, None) == [(1, 27, 9)]
    assert rungs_of(27, Halving("loss", True, 3, rungs=(4,)), 20) == [(4, 27, 9)]
    assert rungs_of(27, Halving("loss", True, 3, 50), 20) == []


@given(
    count=st.integers(1, 60),
    factor=st.integers(2, 5),
    minimum=st.integers(1, 4),
    total=st.integers(1, 40),
)
def test_cost_of_runs_of_one_length_is_that_of_carrying_it_out(
    count: int, factor: int, minimum: int, total: int
) -> None:
    halving = Halving("loss", True, factor, minimum)
    left, before, computed, number = count, 0, 0, 0
    while left > 1 and (rung := halving.rung(number) or total) < total:
        computed += left * (rung - before)
        left, before, number = max(1, left // factor), rung, number + 1
    computed += left * (total - before)
    stage = find_stage({}, count, halving)
    rungs = list_rungs(stage, count, halving, total)
    cost = expect_cost([Remaining(stage.others, 0, total)] * count, rungs)
    assert cost.halved == pytest.approx(computed)
    assert cost.whole == count * total


def test_paused_runs_cost_nothing_and_those_that_wait_may_go_on() -> None:
    rungs = list_rungs(find_stage({}, 9, THIRD), 9, THIRD, 9)
    ahead = [
        Remaining(Standing(RungVerdict.PAUSED, rung=1), 1, 9),
        Remaining(Standing(RungVerdict.OVER), 9, 9),
        Remaining(Standing(RungVerdict.GOES_ON), 3, 9),
        Remaining(Standing(RungVerdict.WAITS, rung=1), 1, 9),  # a third to 3, a ninth to the end
    ]
    cost = expect_cost(ahead, rungs)
    assert cost.halved == pytest.approx(6 + 2 / 3 + 6 / 9)
    assert cost.whole == 8 + 6 + 8


def test_each_leg_is_an_attempt_that_begins_when_those_before_it_are_over() -> None:
    """Shorter runs are at their ends before others; what is saved is in no leg."""
    rungs = list_rungs(find_stage({}, 9, THIRD), 9, THIRD, 9)
    assert [rung.iteration for rung in rungs] == [1, 3]
    to_end = Standing(RungVerdict.GOES_ON)
    told = [
        list_legs(Remaining(standing, saved, total), rungs)
        for standing, saved, total in (
            (NEW, 0, 9),
            (NEW, 0, 2),
            (NEW, 0, 1),
            (Standing(RungVerdict.WAITS, rung=3), 4, 8),
            (to_end, 3, 6),
            (to_end, 6, 6),
        )
    ]
    assert told[0] == [Leg(1 / 9), Leg(2 / 9, 1 / 3, 1), Leg(6 / 9, pytest.approx(1 / 9), 2)]
    assert told[1] == [Leg(1 / 2), Leg(1 / 2, 1 / 3, 1)]
    assert told[2:] == [[Leg()], [Leg(1 / 2, 1 / 3, 2)], [Leg(1 / 2, 1, 2)], [Leg(0, 1, 2)]]


def test_run_with_which_nobody_is_compared_any_more_is_trained_to_its_end() -> None:
    """A rung without waiting is listed only as long as there are several runs."""
    going = Remaining(Standing(RungVerdict.GOES_ON, stop_after=3, rung=1), 1, 9)
    rungs = list_rungs(find_stage({}, 3, THIRD), 3, THIRD, 9)
    assert [rung.iteration for rung in rungs] == [1]
    assert expect_cost([going], rungs).halved == 8


def outlook(runs: Sequence[Run], seen: dict[int, Observation]) -> Outlook:
    stage = find_stage({}, len(runs), THIRD)
    return Outlook(Decisions(runs, seen), stage, THIRD)


def test_number_of_iterations_is_read_from_the_config_or_from_the_progress() -> None:
    runs = [identify({"iterations": 9, "seed": seed}, {"seed": seed}) for seed in range(3)]
    known = outlook(runs, {})
    assert (known.longest, known.cost().whole) == (9, 27)  # type: ignore[union-attr] # it is known
    assert known.legs(0) == [Leg(1 / 9), Leg(8 / 9, 1 / 3, stage=1)]
    others = [identify({"epochs": 9, "seed": seed}, {"seed": seed}) for seed in range(3)]
    assert (outlook(others, {}).longest, outlook(others, {}).cost()) == (None, None)
    assert outlook(others, {}).legs(0) is None
    status = Status(Record.INTERRUPTED, 1, "then", "box", 1)
    begun = Observation(status, attempts=1, progress=Progress(2, 6, {}, saved=2))
    assert outlook(others, dict.fromkeys(range(3), begun)).longest == 6


def test_finished_run_need_not_tell_its_number_of_iterations() -> None:
    runs = [identify({"epochs": 9, "seed": seed}, {"seed": seed}) for seed in range(3)]
    paused = Status(Record.INTERRUPTED, 1, "then", "box", 1)
    begun = Observation(paused, attempts=1, progress=Progress(1, 6, {}, saved=1))
    done = Observation(Status(Record.DONE, 1, "then", "box", 1))
    found = outlook(runs, {0: begun, 1: begun, 2: done})
    assert (found.longest, found.is_known) == (6, True)
    assert not outlook(runs, {0: begun, 2: done}).is_known


def test_what_an_extended_run_has_computed_is_not_left() -> None:
    runs = [identify({"iterations": 9, "seed": seed}, {"seed": seed}) for seed in range(3)]
    stage = find_stage({}, 3, THIRD)
    other = identify({"iterations": 6}, {}).run_id
    extensions = {0: Extension(other, 6), 1: Extension(other, 6, keys=("scheduler.T_max",))}
    decisions = Decisions(runs, {}, extensions)
    assert [decisions.saved(at) for at in range(3)] == [6, 0, 0]
    cost = Outlook(decisions, stage, THIRD).cost()
    assert cost is not None
    assert cost.whole == 3 + 9 + 9


def test_many_runs_are_looked_at_in_part() -> None:
    runs = [identify({"iterations": 9, "seed": seed}, {"seed": seed}) for seed in range(5001)]
    cost = outlook(runs, {}).cost()
    assert cost is not None
    assert cost.whole == pytest.approx(9 * 5001)
