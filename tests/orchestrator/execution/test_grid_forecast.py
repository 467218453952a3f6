"""How long a grid takes, before it begins."""

from dataclasses import replace
from heapq import heapreplace
from itertools import product
from math import exp
from random import Random
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution.cost_model import CostModel, marks_of
from orchestrator.execution.grid_forecast import Ahead, Capacity, Forecast, Learned, make_forecast
from orchestrator.execution.start_and_pace import TimedParts
from orchestrator.planning.halving_cost import Leg


def learned(*runs: tuple[dict[str, Any], float], counted: str = "") -> Learned:
    """Return what finished runs tell, whose sizes are ten times their seconds."""
    seconds = [(marks_of(point), each) for point, each in runs]
    return Learned(seconds, [(marks, 10 * each) for marks, each in seconds], counted)


def test_nothing_is_known_without_finished_runs() -> None:
    """No figure is better than a guess."""
    told = make_forecast([Ahead({"lr": 1})], Learned(), Capacity(2))
    assert told == Forecast(1, Capacity(1, default="one per run"))
    assert not told.is_whole


def test_clock_and_slots_and_disk() -> None:
    """Three runs of two seconds take four in two slots, and six of all slots."""
    told = make_forecast([Ahead({})] * 3, learned(({}, 2.0)), Capacity(2))
    assert told.time is not None
    assert told.slot_time is not None
    assert told.disk is not None
    assert [round(each.expected, 6) for each in (told.time, told.slot_time, told.disk)] == [
        4,
        6,
        60,
    ]
    assert told.time.low < 4 < told.time.high
    assert told.gpu_time is None


def test_what_is_left_of_a_run_begins_with_another_start() -> None:
    """Of 20 s, 4 of them its start, half of the iterations are left; nothing starts more than whole."""
    known = replace(learned(({}, 20.0)), parts=[((), TimedParts(4.0, 16.0))])
    times = [
        make_forecast([Ahead({}, [Leg(left)])], it, Capacity(1)).time
        for left, it in (
            (1.0, known),
            (0.5, known),
            (0.0, known),
            (0.5, replace(known, parts=[((), TimedParts(99.0, 0.0))])),
        )
    ]
    assert [it and it.expected for it in times] == pytest.approx([20, 12, 4, 20], abs=0.02)


@pytest.mark.parametrize(("slots", "seconds"), [(1, 60), (2, 5 * 4 + 2 * 5 + 9), (9, 18)])
def test_halved_runs_start_at_each_rung_and_wait_for_all_before_it(
    slots: int, seconds: float
) -> None:
    """Nine of 9 s and a start of 3 s: to 1, three of them to 3, one of these to 9: 21 s and 13 starts."""
    legs = [Leg(1 / 9), Leg(2 / 9, 1 / 3, 1), Leg(6 / 9, 1 / 9, 2)]
    known = replace(learned(({}, 12.0)), parts=[((), TimedParts(3.0, 9.0))])
    told, later = (
        make_forecast([Ahead({}, legs)] * 9, it, Capacity(slots))
        for it in (known, replace(known, pause=0.5))
    )
    assert told.time is not None
    assert told.slot_time is not None
    assert told.time.expected == pytest.approx(seconds)
    assert told.slot_time.expected == pytest.approx(60)
    rounds = max(1, 9 / slots) + max(1, 3 / slots) + 1
    assert later.time is not None
    assert later.time.expected == pytest.approx(seconds + 0.5 * rounds)


def test_last_of_many_halved_runs_takes_as_long_as_one() -> None:
    """Also where a few of the runs stand for all."""
    legs = [Leg(0.1), Leg(0.9, 1 / 10_000, 1)]
    told = make_forecast([Ahead({}, legs)] * 100, learned(({}, 10.0)), Capacity(5), 10_000)
    assert told.time is not None
    assert told.time.expected == pytest.approx(10_000 / 5 + 9)


def test_disk_is_what_is_added() -> None:
    """Not what is there already; a run that goes half as far has a range for programs of both kinds."""
    known = learned(*[({}, 10.0)] * 9)
    whole, half, rest, nothing = (
        make_forecast(runs, known, Capacity(1), 20).disk
        for runs in (
            [Ahead({})] * 10,
            [Ahead({}, [Leg(0.25)], 0.25)] * 10,
            [Ahead({}, [Leg(0.25)], 1.0, 90.0)] * 10,
            [Ahead({}, [Leg(0.25)], 1.0, 300.0)] * 10,
        )
    )
    assert whole is not None
    assert half is not None
    assert rest is not None
    assert nothing is not None
    assert whole.expected == pytest.approx(2000)
    assert half.expected == pytest.approx(1000)
    assert half.low == pytest.approx(500, rel=0.15)
    assert half.high == whole.high
    assert rest.expected == pytest.approx(200)
    assert 0 < rest.low < 200 < rest.high < 320
    assert (nothing.expected, nothing.low) == (0, 0)


@pytest.mark.parametrize("there", [0.0, 40.0])
def test_disk_of_runs_alike_may_differ_by_a_checkpoint(there: float) -> None:
    """The best of a run may be its last: one finished run does not tell how often."""
    told = make_forecast([Ahead({}, there=there)] * 8, learned(({}, 10.0)), Capacity(1)).disk
    assert told is not None
    assert told.low < 8 * (75 - there)
    assert told.high > 8 * (133 - there)
    many = make_forecast([Ahead({})] * 8, learned(*[({}, 10.0)] * 24), Capacity(1)).disk
    assert many is not None
    assert many.high < 1.05 * many.expected


def test_few_runs_say_why_there_are_few_workers() -> None:
    """It is not that there is one per CPU."""
    told = make_forecast([Ahead({})], learned(({}, 2.0)), Capacity(2, default="one per CPU"))
    assert told.capacity == Capacity(1, default="one per run")


def test_clock_goes_on_between_the_runs_of_a_slot() -> None:
    """Half a second for each of five runs per slot; the slots are not used by then."""
    runs, capacity = [Ahead({})] * 10, Capacity(2)
    known = learned(({}, 2.0))
    without, told = (make_forecast(runs, it, capacity) for it in (known, replace(known, pause=0.5)))
    assert told.time == (without.time and without.time.plus(2.5))
    assert told.slot_time == without.slot_time


def test_disk_of_other_numbers_of_iterations_has_a_range_for_programs_of_both_kinds() -> None:
    """Those that keep the last checkpoint, and those that keep all."""
    runs = [({"iterations": 10}, 2.0)] * 9
    told = make_forecast(
        [Ahead({"iterations": 160})], learned(*runs, counted="iterations"), Capacity(1)
    )
    assert told.disk is not None
    assert told.disk.expected == pytest.approx(80)
    assert told.disk.low <= 20
    assert told.disk.high >= 320


@pytest.mark.parametrize(("slots", "gpus", "seconds"), [(2, 1, 4), (2, 2, 8), (1, 4, 8)])
def test_slots_share_gpus(slots: int, gpus: int, seconds: float) -> None:
    """Two slots on a GPU take half of its time each."""
    told = make_forecast([Ahead({})] * 4, learned(({}, 2.0)), Capacity(slots, gpus))
    assert told.gpu_time is not None
    assert told.gpu_time.expected == pytest.approx(seconds)


def test_what_is_saved_need_not_be_computed_again() -> None:
    told = make_forecast([Ahead({}, [Leg(0.25)]), Ahead({})], learned(({}, 8.0)), Capacity(1))
    assert told.time is not None
    assert told.time.expected == pytest.approx(10)


def test_runs_about_which_nothing_is_known_are_counted_apart() -> None:
    """What is told holds for the others."""
    ahead = [Ahead({"model": model}) for model in ("a", "a", "b", "c", "c")]
    told = make_forecast(ahead, learned(({"model": "a"}, 2.0)), Capacity(1))
    assert (told.runs, told.known, told.is_whole) == (5, 2, False)
    assert told.unknown == (("model", "c"), ("model", "b"))
    assert told.time is not None
    assert told.time.expected == pytest.approx(4)


@pytest.mark.parametrize("seeds", [2, 4, 40])
def test_range_that_says_nothing_is_not_told(seeds: int) -> None:
    """An earlier version took the time by a clock that was set meanwhile, by ten years."""
    took = [({"lr": 1, "seed": seed}, 3e8 if seed < 2 else 0.1) for seed in range(seeds)]
    told = make_forecast([Ahead({"lr": 1, "seed": -1})], learned(*took), Capacity(1))
    assert (told.time is None) == (seeds > 2)
    assert told.learned_from == seeds


def test_some_of_many_runs_stand_for_all() -> None:
    """The last run of a slot, which leaves others empty, comes once."""
    told = make_forecast([Ahead({})] * 1000, learned(({}, 2.0)), Capacity(7), runs=10_000)
    assert told.time is not None
    assert told.time.expected == pytest.approx(2 * 10_000 / 7, rel=0.01)
    assert (told.runs, told.known) == (10_000, 10_000)


def test_more_runs_tell_it_more_closely() -> None:
    few, many = (
        make_forecast([Ahead({})] * 8, learned(*[({}, 2.0)] * count), Capacity(1)).time
        for count in (1, 30)
    )
    assert few is not None
    assert many is not None
    assert few.low < many.low < many.high < few.high


def is_in_range(chance: Random) -> bool | None:
    """Return whether a forecast holds the truth, of a grid of random sizes and numbers of iterations.

    A run takes the time of its start, and per iteration what its size costs; None: nothing is forecast.
    """
    start, growth = chance.uniform(0.2, 5), chance.uniform(0, 2)
    each = start * 10 ** chance.uniform(-2, 1.5) / 64**growth
    noise = chance.choice((0.02, 0.05, 0.1, 0.15))

    def seconds(run: dict[str, Any]) -> float:
        exact = start + each * run["size"] ** growth * run["iterations"]
        return float(exact * exp(chance.gauss(0, noise)))

    sizes = chance.sample((16, 32, 64, 128, 256), chance.randint(1, 4))
    counts = chance.sample((1, 2, 3, 5, 8), chance.randint(1, 3))
    more = [max(1, int(max(counts) * factor)) for factor in (0.5, 1, 2, 5, 20, 100)]
    done, ahead = (
        [
            {"size": size, "iterations": count, "seed": seed}
            for size, count, seed in product(some, numbers, range(chance.randint(1, 3)))
        ]
        for some, numbers in ((sizes[:3], counts), (sizes[-1:], chance.sample(more, 2)))
    )
    known = learned(*((run, seconds(run)) for run in done), counted="iterations")
    time = make_forecast([Ahead(run) for run in ahead], known, Capacity(1)).time
    return time and time.low <= sum(map(seconds, ahead)) <= time.high


def test_range_holds_the_truth() -> None:
    """In 9 of 10 grids at least, whether iterations cost more than the start or next to nothing."""
    found = [is_in_range(Random(number)) for number in range(200)]  # noqa: S311 # no secret
    told = [held for held in found if held is not None]
    assert len(told) > 150
    assert fmean(told) > 0.93


AXES = st.fixed_dictionaries(
    {"model": st.sampled_from("abc"), "width": st.sampled_from([16, 64]), "seed": st.integers(0, 3)}
)


@given(
    finished=st.lists(st.tuples(AXES, st.floats(1, 20)), min_size=1, max_size=12),
    slots=st.integers(1, 9),
)
def test_forecast_is_right_if_each_run_takes_what_it_is_expected_to(
    finished: list[tuple[dict[str, Any], float]], slots: int
) -> None:
    """By the clock of a grid that is executed slot by slot."""
    grid = [
        {"model": model, "width": width, "seed": seed}
        for model, width, seed in product("abc", (16, 64), range(3))
    ]
    known = learned(*finished)
    told = make_forecast([Ahead(point) for point in grid], known, Capacity(slots))
    fitted = CostModel(known.seconds)
    expected = [fitted.expect(marks_of(point)) for point in grid]
    executed = [each.cost for each in expected if not each.unknown]
    assert told.known == len(executed)
    if not executed:
        return
    free = [0.0] * slots
    for seconds in executed:
        heapreplace(free, free[0] + seconds)
    assert told.time is not None
    assert told.slot_time is not None
    assert told.time.expected == pytest.approx(max(free))
    assert told.slot_time.expected == pytest.approx(sum(executed))
    assert told.time.low <= told.time.expected <= told.time.high
