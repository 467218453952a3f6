"""Differences are told by key, in the words that filters and configs use."""

import pytest

from orchestrator.grid.config_diff import Difference, find_differences, leaves


def test_differences_stand_in_the_order_of_the_keys() -> None:
    """Changed, gone and new keys, inside of mappings as well."""
    before = {"lr": 0.1, "model": {"name": "mlp", "width": 8}, "old": None}
    now = {"lr": 0.2, "model": {"name": "mlp", "depth": 2}, "new": [1]}
    assert find_differences(before, now) == [
        Difference("lr", "0.1", "0.2"),
        Difference("model.width", "8", "nothing"),
        Difference("old", "null", "nothing"),
        Difference("model.depth", "nothing", "2"),
        Difference("new", "nothing", "[1]"),
    ]


def test_key_with_a_dot_is_another_key() -> None:
    """It is in quotes, so that configs with other run IDs never look equal."""
    assert find_differences({"a.b": 1}, {"a": {"b": 1}}) == [
        Difference('"a.b"', "1", "nothing"),
        Difference("a.b", "nothing", "1"),
    ]
    assert leaves({"a": {"b.c": {"d": 1}, "e.f": 2}}, ["a.b.c"]) == {'a."e.f"': 2}


@pytest.mark.parametrize(
    "key", ["results_dir", "experiment_id", "hydra", "_filters", "orch", "device"]
)
def test_what_does_not_count_for_identity_is_no_difference(key: str) -> None:
    """Neither what never counts, nor what the config excludes."""
    assert find_differences({key: 1}, {key: 2}, ["device"]) == []


def test_values_are_compared_as_identity_compares_them() -> None:
    """1 and 1.0 are one number, true and 1 are not."""
    assert find_differences({"a": 1, "b": [1]}, {"a": 1.0, "b": [1.0]}) == []
    assert find_differences({"a": 1}, {"a": True}) == [Difference("a", "1", "true")]
