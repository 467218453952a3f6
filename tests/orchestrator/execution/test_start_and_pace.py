"""What runs cost with another number of iterations, learned from short runs that were timed in both parts."""

from math import exp
from random import Random
from statistics import fmean

import pytest

from orchestrator.execution.cost_model import Expected, Marks, marks_of
from orchestrator.execution.start_and_pace import TimedParts, fit_paces

START, PACES = 1.0, {"small": 0.01, "wide": 0.05}  # seconds, and those of an iteration


def marks(model: str, iterations: object, seed: int = 0) -> Marks:
    return marks_of({"model": model, "iterations": iterations, "seed": seed})  # type: ignore[dict-item] # any


def timed(
    *runs: tuple[str, int], noise: float = 0.0, chance: Random | None = None
) -> list[tuple[Marks, TimedParts]]:
    """Return the parts of runs of a model with some number of iterations."""
    chance = chance or Random(0)  # noqa: S311 # no secret
    return [
        (
            marks(model, count, seed),
            TimedParts(
                START * exp(chance.gauss(0, noise)),
                PACES[model] * count * exp(chance.gauss(0, noise)),
            ),
        )
        for seed, (model, count) in enumerate(runs)
    ]


def expect(samples: list[tuple[Marks, TimedParts]], model: str, count: object) -> Expected | None:
    fitted = fit_paces(samples, "iterations")
    assert fitted is not None
    return fitted.expect(marks(model, count))


@pytest.mark.parametrize(
    "runs",
    [
        [("wide", 9)],
        [("wide", 9), ("wide", 15)],
        [("small", 15), ("wide", 3)],
        [("small", 5), ("small", 10), ("small", 20), ("wide", 9)],
    ],
)
@pytest.mark.parametrize("count", [1, 100, 2000])
def test_cost_grows_with_the_iterations_alone(runs: list[tuple[str, int]], count: int) -> None:
    """Of runs that are mostly start, in which the models hardly differ."""
    told = expect(timed(*runs), "wide", count)
    assert told is not None
    assert told.cost == pytest.approx(START + PACES["wide"] * count, rel=0.35)


def test_doubt_grows_with_the_distance() -> None:
    """And is less where more runs tell."""
    near, far, more = (
        expect(timed(*runs), "wide", count)
        for runs, count in (
            ([("wide", 9)], 20),
            ([("wide", 9)], 2000),
            ([("wide", 9)] * 9, 2000),
        )
    )
    assert near
    assert far
    assert more
    assert near.doubt < more.doubt < far.doubt
    assert near.freedom < more.freedom


def test_range_holds_the_truth() -> None:
    """In most cases, as a grid does, whose runs all have the same start and pace besides their noise."""
    held = []
    for number in range(100):
        chance = Random(number)  # noqa: S311 # no secret
        runs = [(chance.choice(("small", "wide")), chance.choice((5, 9, 15))) for _ in range(5)]
        told = expect(timed(("wide", 9), *runs, noise=0.2, chance=chance), "wide", 2000)
        assert told is not None
        truth = START + PACES["wide"] * 2000
        held.append(told.cost / exp(2 * told.doubt) < truth < told.cost * exp(2 * told.doubt))
    assert fmean(held) > 0.95


@pytest.mark.parametrize(
    ("model", "count"), [("wide", 9), ("wide", "unset"), ("huge", 20), ("wide", -3)]
)
def test_nothing_is_told_where_the_pace_tells_nothing_new(model: str, count: object) -> None:
    """The same number of iterations, or none, or a model that no run has had."""
    assert expect(timed(("wide", 9)), model, count) is None
    assert fit_paces([(marks("wide", "unset"), TimedParts(1, 2))], "iterations") is None
    assert fit_paces([], "iterations") is None
