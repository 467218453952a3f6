"""How long a grid still takes."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.execution.remaining_time import Effort, Estimator, Pace, describe_seconds


def estimate(
    finished: Sequence[Effort], live: Sequence[Effort], waiting: Sequence[Any], slots: int
) -> Pace:
    """Estimate once."""
    estimator = Estimator(slots)
    for effort in finished:
        estimator.note(effort)
    return estimator.pace(live, waiting, len(waiting), moment=0.0)


def alike(*seconds: float) -> list[Effort]:
    """Return efforts that nothing tells apart."""
    return [Effort({}, each) for each in seconds]


def test_nobody_knows_before_anything_has_happened() -> None:
    """No figure is better than a wrong one."""
    assert estimate([], alike(3.0), [{}] * 5, slots=2) == Pace()


def test_live_runs_tell_by_their_iterations() -> None:
    """What an attempt did itself counts, not what was saved before it."""
    live = [Effort({}, 10.0, before=5, iteration=6, iterations=10)]
    assert estimate([], live, [], slots=1).remaining == pytest.approx(40.0)


def test_resumed_run_tells_what_a_whole_one_takes() -> None:
    """Half of the iterations took half of the time."""
    finished = [Effort({}, 10.0, before=5, iteration=10, iterations=10)]
    assert estimate(finished, [], [{}], slots=1).remaining == pytest.approx(20.0)


def test_finished_siblings_tell_what_the_others_take() -> None:
    """Runs that wait are shared out among the slots."""
    pace = estimate(alike(10.0, 20.0, 30.0), alike(5.0, 15.0), [{}] * 4, slots=2)
    assert pace.remaining == pytest.approx((15 + 5 + 80) / 2)
    assert pace.rate == pytest.approx(3600 * 2 / 20)


def test_start_of_a_program_is_not_taken_for_its_iterations() -> None:
    """It took 6 seconds, and an iteration takes one third of a second."""
    live = [Effort({}, 8.0, 0, 7, 100, first=(6.5, 1), latest=(8.5, 7))]
    assert estimate([], live, [], slots=1).remaining == pytest.approx(31.0)
    assert live[0].whole == pytest.approx(6.5 + 33)


def test_finished_siblings_tell_more_than_a_first_iteration() -> None:
    """Without them, it tells something."""
    live = [Effort({}, 7.0, 0, 1, 100, first=(6.5, 1), latest=(6.5, 1))]
    assert estimate(alike(38.0, 40.0), live, [], slots=1).remaining == pytest.approx(32.0)
    assert estimate([], live, [], slots=1).remaining == pytest.approx(693.0)


def test_resumed_run_goes_on_at_its_pace() -> None:
    live = [Effort({}, 9.0, 50, 54, 60, first=(5.0, 52), latest=(9.0, 54))]
    assert live[0].left == pytest.approx(12.0)
    assert live[0].whole == pytest.approx(1.0 + 120.0)


def test_end_is_not_before_the_last_live_run() -> None:
    """One long run keeps the grid going, whatever the slots."""
    live = [Effort({}, 10.0, iteration=1, iterations=10)]
    assert estimate(alike(*[1.0] * 8), live, [], slots=8).remaining == pytest.approx(90.0)


def test_runs_of_more_iterations_take_longer() -> None:
    """The axis with their number is the one whose value the finished runs report."""
    finished = [
        Effort({"lr": lr, "epochs": 3}, 3.0, iteration=3, iterations=3) for lr in (0.1, 0.2, 0.3)
    ]
    waiting = [{"lr": 0.1, "epochs": 300}]
    assert estimate(finished, [], waiting, slots=1).remaining == pytest.approx(300.0)


MODELS = {"mlp": 1.0, "cnn10": 15.0}
WIDTHS = {"[64]": 1.0, "[256, 256]": 3.0}


def took(point: dict[str, Any]) -> float:
    """Return the seconds that a run takes in a grid in which model and width matter."""
    return MODELS[point["model"]] * WIDTHS[str(point["widths"])]


GRID = [
    {"model": model, "widths": widths, "lr": lr, "seed": seed}
    for model in MODELS
    for widths in ([64], [256, 256])
    for lr in (0.1, 0.01, 0.001)
    for seed in range(4)
]


def test_few_long_runs_are_not_taken_for_short_ones() -> None:
    """All the short models are over, and the first two long ones are half through."""
    over, live, waiting = GRID[:24], GRID[24:26], GRID[26:]
    efforts = [Effort(point, took(point) / 2, 0, 5, 10) for point in live]
    pace = estimate([Effort(point, took(point)) for point in over], efforts, waiting, slots=2)
    real = (sum(map(took, waiting)) + sum(map(took, live)) / 2) / 2
    assert pace.remaining == pytest.approx(real, rel=0.4)
    # Taken for the mean of all, they would be over in a ninth of the time.


@given(st.data())
def test_what_matters_is_learnt_from_any_half_of_the_grid(data: st.DataObject) -> None:
    """Seed and learning rate say nothing, model and width all."""
    order = data.draw(st.permutations(GRID))
    over, waiting = order[:24], order[24:]
    for key in ("model", "widths"):
        counts = Counter(str(point[key]) for point in over)
        assume(len(counts) == 2 and min(counts.values()) >= 6)
    pace = estimate([Effort(point, took(point)) for point in over], [], waiting, slots=3)
    assert pace.remaining == pytest.approx(sum(map(took, waiting)) / 3, rel=0.25)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(1e-2, 1e3))
def test_twice_the_time_is_twice_the_estimate(seconds: list[float], factor: float) -> None:
    """The unit does not matter, down to a millisecond."""
    seconds = [max(each, 1.0) for each in seconds]
    points = [{"n": n % 3} for n in range(len(seconds))]
    paces = [
        estimate(
            [Effort(p, s * times) for p, s in zip(points, seconds, strict=True)], [], points, 1
        )
        for times in (1.0, factor)
    ]
    assert paces[1].remaining == pytest.approx((paces[0].remaining or 0.0) * factor)


def test_many_waiting_runs_are_looked_at_now_and_then() -> None:
    """Neither all of them nor at every glance: ten thousand wait while runs of 10 ms go by."""
    estimator = Estimator(slots=1)
    estimator.note(Effort({"n": 0}, 2.0))
    waiting = [{"n": n} for n in range(10_000)]
    pace = estimator.pace([], iter(waiting), len(waiting), moment=100.0)
    assert pace.remaining == pytest.approx(20_000, rel=0.01)
    never = itertools.repeat(None)  # no run: an error, if anybody looked
    assert estimator.pace([], never, 1, moment=100.1) == pace  # type: ignore[arg-type]
    assert estimator.pace([], [], 0, moment=101.0) == Pace(None, 0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.6, "60 s"),
        (100, "2 min"),
        (3500, "58 min"),
        (3600, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_read_like_durations(seconds: float, text: str) -> None:
    """Two units at most."""
    assert describe_seconds(seconds) == text


NUMBERS = st.integers(-(2**63), 2**63) | st.integers(-2, 2)


@given(numbers=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=4))
def test_no_numbers_of_a_program_stop_the_estimate(numbers: list[tuple[int, int, int]]) -> None:
    """It may count backwards, or from nothing to nothing."""
    efforts = [Effort({"x": place}, 1.0, *each) for place, each in enumerate(numbers)]
    estimator = Estimator(2)
    for effort in efforts:
        estimator.note(effort)
    pace = estimator.pace(efforts, [{"x": 9}], 1, 1.0)
    assert pace.remaining is None or pace.remaining >= 0
