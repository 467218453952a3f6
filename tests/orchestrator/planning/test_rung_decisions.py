"""Which runs go on from a rung depends on their curves alone, not on when they came to it."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.halving_settings import Halving
from orchestrator.grid.identity import RunId
from orchestrator.planning.rung_decisions import RungVerdict, Stage, Standing, find_stage
from orchestrator.planning.rung_order import Contestant, End

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THIRD = Halving("loss", True, 3)
HALF_ASYNC = Halving("loss", True, 2, is_asynchronous=True)
VALUES = st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, math.nan, math.inf, -math.inf])


def run(name: int, *values: float, end: End = End.OPEN) -> Contestant:
    """Return a run that has reported these values, one per iteration."""
    curve = dict(enumerate(values, start=1))
    return Contestant(RunId(f"{name:016x}"), curve, len(values), end)


def field(*runs: Contestant) -> dict[int, Contestant]:
    return dict(enumerate(runs))


def verdicts(stage: Stage, count: int) -> list[str]:
    """Return what becomes of the first runs: their next rung, the end, or why none."""
    words = {RungVerdict.WAITS: "waits", RungVerdict.PAUSED: "paused", RungVerdict.OVER: "over"}
    found = [stage.of(place) for place in range(count)]
    return [words.get(each.verdict) or str(each.stop_after or "end") for each in found]


def test_runs_that_have_not_begun_are_trained_to_the_first_rung() -> None:
    stage = find_stage({}, 9, THIRD)
    assert verdicts(stage, 9) == ["1"] * 9
    assert find_stage({}, 9, Halving("loss", True, 3, 4)).others.stop_after == 4


def test_who_has_reached_a_rung_waits_for_the_others() -> None:
    stage = find_stage(field(run(0, 0.5), run(1)), 3, THIRD)
    assert verdicts(stage, 3) == ["waits", "1", "1"]
    assert stage.of(0).describe() == "it waits after iteration 1 for 2 others"


def test_best_third_goes_on_and_the_others_are_paused() -> None:
    stage = find_stage(field(*(run(at, value) for at, value in enumerate([3, 1, 2]))), 3, THIRD)
    assert verdicts(stage, 3) == ["paused", "end", "paused"]
    assert stage.of(0).describe() == "place 3 of 3 after iteration 1, the best goes on"
    stage = find_stage(field(*(run(at, at / 10) for at in range(7))), 7, THIRD)
    assert verdicts(stage, 7) == ["3", "3", *["paused"] * 5]
    assert stage.of(1).describe() == "place 2 of 7 after iteration 1, the best 2 go on"


def test_more_is_better_if_the_mode_says_so() -> None:
    stage = find_stage(field(run(0, 1.0), run(1, 2.0)), 2, Halving("acc", False, 2))
    assert verdicts(stage, 2) == ["paused", "end"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_diverged_run_counts_as_worst_and_a_failed_run_as_worse(mode: str, bad: float) -> None:
    """Infinities are as little a result as NaN, whichever way is better."""
    sign = 1 if mode == "min" else -1
    runs = field(run(0, bad), run(1, sign * 9.0), run(2, end=End.FAILED), run(3, sign * 8.0))
    stage = find_stage(runs, 4, Halving("loss", mode == "min", 2))
    assert verdicts(stage, 4) == ["paused", "2", "over", "2"]
    assert [stage.of(at).place for at in range(4)] == [3, 2, 4, 1]


def test_equal_runs_are_ordered_by_their_ids() -> None:
    stage = find_stage(field(run(7, 0.5), run(3, 0.5)), 2, Halving("loss", True, 2))
    assert verdicts(stage, 2) == ["paused", "end"]


def test_run_that_is_further_counts_with_its_value_at_the_rung() -> None:
    runs = field(run(0, 0.9, 0.1, 0.1, 0.1), run(1, 0.5), run(2, 0.4))
    assert verdicts(find_stage(runs, 3, THIRD), 3) == ["paused", "paused", "end"]


def test_finished_run_counts_and_takes_a_place() -> None:
    runs = field(run(0, 0.1, 0.1, end=End.DONE), run(1, 0.5), run(2, 0.4))
    assert verdicts(find_stage(runs, 3, THIRD), 3) == ["over", "paused", "paused"]


def test_run_that_stopped_early_counts_with_its_last_value() -> None:
    halving = Halving("loss", True, 2, 3)
    runs = field(run(0, 0.3, end=End.DONE), run(1, 0.5, 0.4, 0.2))
    assert verdicts(find_stage(runs, 2, halving), 2) == ["over", "end"]


@pytest.mark.parametrize("reached", [1, 2, 3])
def test_next_best_run_goes_on_in_place_of_a_survivor_that_fails(reached: int) -> None:
    """Whenever it fails: right at its rung, before the next one, or after that."""
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    runs = field(*(run(at, value) for at, value in enumerate(values)))
    runs[0] = run(0, *[0.1] * reached, end=End.FAILED)
    runs[1], runs[2] = run(1, 0.2, 0.2), run(2, 0.3, 0.1)
    half = Halving("loss", True, 2)
    assert verdicts(find_stage(runs, 6, half), 6) == [
        "over",
        "waits",
        "waits",
        "2",
        "paused",
        "paused",
    ]
    runs[3] = run(3, 0.4, 0.3)
    assert verdicts(find_stage(runs, 6, half), 6) == ["over", "paused", "end", *["paused"] * 3]


@pytest.mark.parametrize("halving", [THIRD, replace(THIRD, is_asynchronous=True)])
@pytest.mark.parametrize("reached", [1, 2, 5])
def test_last_survivor_that_fails_does_not_keep_the_only_place(
    halving: Halving, reached: int
) -> None:
    runs = field(run(0, *[0.1] * reached, end=End.FAILED), run(1, 0.3), run(2, 0.2))
    stage = find_stage(runs, 3, halving)
    assert [stage.of(at).verdict.value for at in range(3)] == ["over", "paused", "goes on"]
    assert [stage.of(at).place for at in range(3)][1:] == [2, 1]
    nobody = field(*(run(at, 0.1, end=End.FAILED) for at in range(3)))
    assert verdicts(find_stage(nobody, 3, halving), 3) == ["over"] * 3


def test_single_run_is_trained_to_the_end() -> None:
    for halving in (THIRD, HALF_ASYNC):
        assert verdicts(find_stage({}, 1, halving), 1) == ["end"]


def test_listed_rungs_end_with_the_last_one() -> None:
    halving = Halving("loss", True, 2, rungs=(2,))
    runs = field(*(run(at, 1.0, at / 10) for at in range(8)))
    assert verdicts(find_stage(runs, 8, halving), 8) == ["end"] * 4 + ["paused"] * 4


def final(curves: Sequence[Sequence[float]], halving: Halving) -> set[int]:
    """Return the runs that are trained to the end, by comparing whole curves rung by rung."""
    left, number = list(range(len(curves))), 0
    while len(left) > 1 and (rung := halving.rung(number)) is not None:
        if rung >= len(curves[0]):
            break
        values = {at: curves[at][rung - 1] for at in left}
        left.sort(key=lambda at: (0, values[at], at) if math.isfinite(values[at]) else (1, 0, at))
        left = left[: max(1, len(left) // halving.factor)]
        number += 1
    return set(left)


@given(
    data=st.data(),
    total=st.integers(1, 12),
    factor=st.integers(2, 4),
    minimum=st.integers(1, 3),
    seed=st.integers(0, 10**6),
)
def test_same_runs_survive_in_whatever_order_they_come(
    data: st.DataObject, total: int, factor: int, minimum: int, seed: int
) -> None:
    """Runs advance at random, and lose what they have not saved; nothing is trained in vain."""
    row = st.lists(VALUES, min_size=total, max_size=total)
    curves = data.draw(st.lists(row, min_size=1, max_size=10))
    halving = Halving("loss", True, factor, minimum)
    chance = random.Random(seed)  # noqa: S311 # no secret
    reached, done = [0] * len(curves), set[int]()
    for _ in range(2000):
        runs = {
            at: run(at, *curves[at][:far], end=End.DONE if at in done else End.OPEN)
            for at, far in enumerate(reached)
            if far
        }
        stage = find_stage(runs, len(curves), halving)
        going = [at for at in range(len(curves)) if stage.of(at).verdict is RungVerdict.GOES_ON]
        if not going:
            break
        at = chance.choice(going)
        aim = min(stage.of(at).stop_after or total, total)
        assert aim >= reached[at]
        reached[at] = chance.randint(max(0, reached[at] - 1), aim)
        if reached[at] == total:
            done.add(at)
    assert done == final(curves, halving)
    first = halving.rung(0) or 1
    assert all(far in (min(first, total), total) or far > first for far in reached)


@given(
    data=st.data(), count=st.integers(2, 9), factor=st.integers(2, 4), seed=st.integers(0, 10**6)
)
def test_same_runs_survive_whenever_others_fail(
    data: st.DataObject, count: int, factor: int, seed: int
) -> None:
    """As if those that fail were not there, except that their places are counted."""
    total, halving = 6, Halving("loss", True, factor)
    row = st.lists(VALUES, min_size=total, max_size=total)
    curves = data.draw(st.lists(row, min_size=count, max_size=count))
    fails = data.draw(st.lists(st.sampled_from([0, 1, 2, 5, 9, 9]), min_size=count, max_size=count))
    chance = random.Random(seed)  # noqa: S311 # no secret
    reached, ends = [0] * count, dict.fromkeys(range(count), End.OPEN)
    for _ in range(1000):
        runs = {
            at: run(at, *curves[at][:far], end=ends[at])
            for at, far in enumerate(reached)
            if far or ends[at] is not End.OPEN
        }
        stage = find_stage(runs, count, halving)
        going = [at for at in range(count) if stage.of(at).verdict is RungVerdict.GOES_ON]
        if not going:
            break
        for at in chance.sample(going, len(going)):  # nothing is decided while one of them is live
            aim = min(stage.of(at).stop_after or total, total)
            reached[at] = min(aim, fails[at])
            if fails[at] <= aim:
                ends[at] = End.FAILED
            elif aim == total:
                ends[at] = End.DONE
    sound = [at for at in range(count) if ends[at] is not End.FAILED]
    done = [at for at in sound if ends[at] is End.DONE]
    assert done or not sound
    worst = [[math.inf] * total if end is End.FAILED else curves[at] for at, end in ends.items()]
    if all(math.isfinite(value) for at in sound for value in curves[at]):
        assert set(done) == final(worst, halving).difference(set(ends).difference(sound))


@given(data=st.data(), count=st.integers(2, 9), seed=st.integers(0, 10**6))
def test_asynchronous_halving_ends_and_trains_some_run_to_the_end(
    data: st.DataObject, count: int, seed: int
) -> None:
    total = 6
    row = st.lists(VALUES, min_size=total, max_size=total)
    curves = data.draw(st.lists(row, min_size=count, max_size=count))
    chance = random.Random(seed)  # noqa: S311 # no secret
    reached = [0] * count
    for _ in range(1000):
        runs = {
            at: run(at, *curves[at][:far], end=End.DONE if far == total else End.OPEN)
            for at, far in enumerate(reached)
            if far
        }
        stage = find_stage(runs, count, HALF_ASYNC)
        going = [at for at in range(count) if stage.of(at).verdict is RungVerdict.GOES_ON]
        if not going:
            break
        at = chance.choice(going)
        reached[at] = min(stage.of(at).stop_after or total, total)
    assert total in reached
    assert min(reached) >= 1


def test_run_goes_on_asynchronously_once_it_is_among_the_best_so_far() -> None:
    two = field(run(0, 0.5), run(1, 0.4))
    assert verdicts(find_stage(two, 6, HALF_ASYNC), 4) == ["paused", "2", "1", "1"]
    three = {**two, 1: run(1, 0.4, 0.4), 2: run(2, 0.1)}
    assert verdicts(find_stage(three, 6, HALF_ASYNC), 4) == ["paused", "paused", "2", "1"]
    assert "too few to choose from" in find_stage(three, 6, HALF_ASYNC).of(1).describe()


def test_too_few_runs_for_the_factor_still_have_a_best_one() -> None:
    halving = Halving("loss", True, 3, is_asynchronous=True)
    two = field(run(0, 0.5), run(1, 0.4))
    assert verdicts(find_stage(two, 3, halving), 3) == ["paused", "paused", "1"]
    assert verdicts(find_stage(two, 2, halving), 2) == ["paused", "end"]
    over = field(run(0, 0.5), run(1, 0.4, 0.4, end=End.DONE))
    assert verdicts(find_stage(over, 2, halving), 2) == ["paused", "over"]


def test_rungs_tell_how_many_have_come() -> None:
    runs = field(*(run(at, at / 10) for at in range(6)), run(6, 0.0, 0.0))
    found = find_stage(runs, 9, Halving("loss", True, 2)).rungs
    assert [(it.iteration, it.runs, it.arrived, it.best) for it in found] == [(1, 9, 7, 4)]
    found = find_stage(runs, 7, Halving("loss", True, 2)).rungs
    assert [(it.iteration, it.runs, it.arrived, it.best) for it in found] == [
        (1, 7, 7, 3),
        (2, 3, 1, 1),
    ]
    assert [it.is_complete for it in found] == [True, False]


@pytest.mark.parametrize("halving", [THIRD, replace(THIRD, is_asynchronous=True)])
def test_runs_that_failed_before_a_rung_are_not_among_the_best(halving: Halving) -> None:
    runs = field(*(run(at, end=End.FAILED) for at in range(9)))
    stage = find_stage(runs, 9, halving)
    assert [(it.arrived, it.best, it.failed) for it in stage.rungs] == [(9, 0, 9)]
    assert "go" not in stage.of(0).describe()
    assert "too few" not in stage.of(0).describe()
    runs[8], runs[7] = run(8, 0.2), run(7, 0.1)
    stage = find_stage(runs, 9, halving)
    assert (stage.rungs[0].best, stage.rungs[0].failed) == (2, 7)
    assert [stage.of(at).verdict.value for at in (6, 7, 8)] == ["over", "goes on", "goes on"]
    assert stage.of(8).describe() == "place 2 of 9 after iteration 1, the best 2 go on"


def test_asynchronous_rung_is_there_before_a_run_has_come_to_it() -> None:
    assert [it.iteration for it in find_stage({}, 4, HALF_ASYNC).rungs] == [1]
    runs = field(run(0, 0.5), run(1, 0.4))
    found = find_stage(runs, 4, HALF_ASYNC).rungs
    assert [(it.iteration, it.runs, it.arrived) for it in found] == [(1, 4, 2), (2, 2, 0)]


def standing_of(stage: Stage, verdict: RungVerdict) -> Mapping[int, Standing]:
    return {at: each for at, each in stage.standings.items() if each.verdict is verdict}


def test_reason_has_the_state_and_the_place() -> None:
    stage = find_stage(field(run(0, 0.1), run(1, 0.2)), 2, Halving("loss", True, 2))
    (first,) = standing_of(stage, RungVerdict.GOES_ON).values()
    (second,) = standing_of(stage, RungVerdict.PAUSED).values()
    assert first.explain("it has paused", is_over=False).startswith("it has paused; place 1 of 2")
    assert second.explain("it has paused", is_over=False).startswith("paused: place 2 of 2")
    assert second.explain("it has finished", is_over=True) == "it has finished"
    assert find_stage({}, 2, THIRD).others.explain("new", is_over=False) == "new"
