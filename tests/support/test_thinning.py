"""What is left out of `make test` is in the soak, and every value is in both."""

from __future__ import annotations

import pytest
from thinning import alternate_in_soak, combined, covering, others_in_soak

SOAK = pytest.mark.soak


def test_case_that_is_not_frequent_is_left_to_the_soak() -> None:
    assert others_in_soak("abc", "b") == [
        pytest.param("a", marks=SOAK),
        "b",
        pytest.param("c", marks=SOAK),
    ]


def test_two_tests_take_the_halves_in_turn() -> None:
    one, other = alternate_in_soak(range(5)), alternate_in_soak(range(5), first=1)
    assert [case for case in one if isinstance(case, int)] == [0, 2, 4]
    assert [case for case in other if isinstance(case, int)] == [1, 3]
    assert len(one) == len(other) == 5


def test_few_cases_have_every_feature() -> None:
    assert covering(["a", "ab", "bc", "d", "cb"], set) == ["ab", "bc", "d"]
    assert covering([], set) == []


def test_each_value_of_a_combination_is_tested_often_and_every_combination_in_the_soak() -> None:
    made = combined(kind="abc", count=(1, 2), how=({"x": 1}, {"y": 2}))
    often = [case for case in made if type(case) is tuple]
    assert len(made) == 12
    assert len(often) == 3
    assert {kind for kind, _, _ in often} == {*"abc"}
    assert {count for _, count, _ in often} == {1, 2}
    assert {str(how) for _, _, how in often} == {"{'x': 1}", "{'y': 2}"}
