"""Mean and deviation of any floats: as the standard library's where it answers, and no exception."""

import math
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning.sample_statistics import mean_of, std_of

LARGEST = 1.7e308


@given(st.lists(st.floats(-1e100, 1e100), min_size=2, max_size=9))
def test_results_are_those_of_the_standard_library(values: list[float]) -> None:
    assert mean_of(values) == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-12)
    assert std_of(values) == statistics.stdev(values)


@given(st.lists(st.floats(), min_size=2, max_size=5))
def test_any_floats_have_an_answer(values: list[float]) -> None:
    is_finite = all(map(math.isfinite, values))
    assert math.isnan(mean_of(values)) is not is_finite
    assert math.isnan(std_of(values)) is not is_finite


@pytest.mark.parametrize(
    ("function", "expected"), [(mean_of, LARGEST / 3), (std_of, math.inf)], ids=["mean", "std"]
)
def test_sums_beyond_the_largest_number_do_not_overflow(
    function: Callable[[list[float]], float], expected: float
) -> None:
    assert function([LARGEST, LARGEST, -LARGEST]) == pytest.approx(expected)
