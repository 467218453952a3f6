"""Each point has its own filters; each distinct filter has one number per grid."""

from typing import Any

import pytest

from orchestrator.errors import ConfigError, FilterError
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.grid.filters_per_point import Rules, naming_the_point, read_filters

CONFIG = {"lr": 0.1, "model": {"width": 64}}


def test_filters_of_all_points_come_before_those_of_one() -> None:
    rules = Rules(["lr == 1 ! lr == 2"])
    point = {**CONFIG, "_filters": ["lr == 1 ! lr == 2", "lr == 3 ! lr == 4"]}
    assert [number for number, _ in rules.filters_of(point)] == [0, 1]
    assert [number for number, _ in rules.filters_of(CONFIG)] == [0]
    assert rules.texts == ["lr == 1 ! lr == 2", "lr == 3 ! lr == 4"]


def test_first_filter_that_drops_a_point_counts() -> None:
    rules = Rules(["lr > 0 ! lr < 1", "lr == 0.1 ! lr < 1"])
    assert rules.judge(CONFIG, {}) == (0, False)


def test_condition_is_checked_only_for_points_that_stay() -> None:
    rules = Rules(["lr > 1 ! lr < 3"], parse_condition("model.width == 64"))
    assert rules.judge(CONFIG, {}) == (None, True)
    assert rules.judge({**CONFIG, "lr": 2}, {}) == (0, False)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("lr == 1", "_filters is not a list of strings"),
        ({"a": 1}, "_filters is not a list of strings"),
        (["lr == 1 ! lr == 2", 3], "_filters, number 2: 3 is not a string"),
        ([{"a": "b"}], "_filters, number 1: .* is not a string"),
    ],
)
def test_filters_that_are_not_strings_are_refused(value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_filters(value)


def test_config_without_filters_has_none() -> None:
    assert read_filters(None) == ()


def test_key_that_no_point_has_is_a_warning_with_the_nearest_key() -> None:
    rules = Rules(["model.widht == 64 ! lr == 1"])
    rules.judge(CONFIG, {})
    rules.forget_keys_of(CONFIG, {})
    (warning,) = rules.warnings(CONFIG)
    assert "no point has the key 'model.widht'" in warning
    assert "Did you mean 'model.width'?" in warning


def test_key_that_some_point_has_is_no_warning() -> None:
    rules = Rules(["model.depth == 2 ! lr == 1"])
    rules.judge(CONFIG, {})
    rules.forget_keys_of(CONFIG, {})
    rules.forget_keys_of({**CONFIG, "model": {"depth": 1}}, {})
    assert rules.warnings(CONFIG) == ()


def test_key_of_the_condition_that_no_run_has_is_an_error() -> None:
    """A misspelt key would select nothing, without a word."""
    rules = Rules((), parse_condition("model.widht == 64"))
    rules.forget_keys_of(CONFIG, {})
    with pytest.raises(FilterError, match=r"no run has the key 'model\.widht'.* model\.width\?"):
        rules.check_condition(CONFIG)


def test_error_of_a_condition_names_the_option_that_was_typed() -> None:
    """Several options take a condition."""
    rules = Rules((), parse_condition("loss < 1", "--where"))
    rules.forget_keys_of(CONFIG, {})
    with pytest.raises(FilterError, match=r"^--where 'loss < 1': no run has the key"):
        rules.check_condition(CONFIG)


def test_error_of_a_filter_names_the_point() -> None:
    message = r"no order\n    at the point lr=0\.1"
    with pytest.raises(FilterError, match=message), naming_the_point(lambda: "lr=0.1"):
        raise FilterError("no order")
