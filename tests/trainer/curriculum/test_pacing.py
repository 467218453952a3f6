"""Samples come at the pace that the paper's formulas give."""

from math import e, exp, log

import pytest

from trainer.curriculum.pacing import PACINGS, samples_at


def sizes(pacing: str, initial: float = 0.2, full_at: int = 11, count: int = 1000) -> list[int]:
    """Return how many samples there are in each of 12 iterations."""
    return [
        samples_at(iteration, count, pacing=pacing, initial=initial, full_at=full_at)
        for iteration in range(1, 13)
    ]


@pytest.mark.parametrize("pacing", PACINGS)
def test_every_pacing_goes_from_the_initial_size_to_all(pacing: str) -> None:
    """It never takes samples away again."""
    found = sizes(pacing)
    assert found[0] == 200
    assert found[10:] == [1000, 1000]
    assert found == sorted(found)
    assert found[9] < 1000
    assert sizes(pacing, initial=1) == [1000] * 12
    assert sizes(pacing, full_at=1) == [1000] * 12


def test_half_way_is_where_the_formulas_say() -> None:
    """Half of the way is 6 of 11 iterations."""
    shares = {
        "linear": 0.5,
        "quadratic": 0.25,
        "root": 0.5**0.5,
        "exponential": (exp(5) - 1) / (e**10 - 1),
        "logarithmic": 1 + 0.1 * log(0.5 + exp(-10)),
        "step": 0,
    }
    assert {*shares} == {*PACINGS}
    for pacing, share in shares.items():
        assert sizes(pacing)[5] == round(200 + 800 * share)


def test_one_sample_is_left_at_least() -> None:
    """A training without samples is none."""
    assert samples_at(1, 3, pacing="linear", initial=0.01, full_at=5) == 1
