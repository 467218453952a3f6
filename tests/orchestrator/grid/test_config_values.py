"""Tests of orchestrator.grid.config_values: looking up, comparing and writing config values."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.grid.config_values import (
    Missing,
    dotted_keys,
    in_path,
    is_known,
    is_number,
    is_under,
    keys_of,
    label_of,
    look_up,
    nearest_key,
    put_at,
    same,
    show,
)

ANY = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)


@given(ANY, ANY)
def test_labels_of_two_values_are_two_labels(one: Any, other: Any) -> None:
    """A string that looks like a number, or like nothing at all, is quoted."""
    assert (label_of(one) == label_of(other)) == (type(one) is type(other) and one == other)


@pytest.mark.parametrize(
    ("value", "label"),
    [
        *(("mlp", "mlp"), ("1", '"1"'), ("true", '"true"'), ("", '""'), (None, "null"), (1, "1")),
        ([1, "a", None, True], '[1, "a", null, true]'),
        ({"a": ["é"]}, '{"a": ["é"]}'),
    ],
)
def test_label_is_quoted_only_where_it_must_be(value: Any, label: str) -> None:
    assert label_of(value) == label
    assert label_of(Missing()) == "(absent)"


@given(st.lists(st.text(alphabet='a."\\ü', max_size=4), min_size=1, max_size=4))
def test_keys_of_a_path_are_those_that_it_was_made_of(keys: list[str]) -> None:
    """Whatever characters they have."""
    assert keys_of(".".join(map(in_path, keys))) == keys


def test_value_is_put_where_a_key_with_a_dot_leads() -> None:
    config: dict[str, Any] = {}
    put_at(config, 'a."b.c".d', 1)
    put_at(config, "a.b.c", 2)
    assert config == {"a": {"b.c": {"d": 1}, "b": {"c": 2}}}


def test_path_is_under_a_key_and_what_that_is_in() -> None:
    assert is_under("data.workers", ["data"])
    assert is_under("data", ["data"])
    assert not is_under("database", ["data"])
    assert not is_under("data", ["data.workers"])
    assert not is_under("data", [])


CONFIG = {
    "model": {"name": "mlp", "layers": [8, 16], "extra": None, "a.b": {'say "no"': 2}},
    "lr": 0.1,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lr", 0.1),
        ("model.name", "mlp"),
        ("model.layers", [8, 16]),
        ("model.layers.1", 16),
        ("model.extra", None),
        (r'model."a.b"."say \"no\""', 2),
    ],
)
def test_dotted_path_leads_to_a_value(path: str, value: Any) -> None:
    """Items of lists have numbers; null is a value like any other."""
    assert look_up(CONFIG, path) == value
    assert is_known(CONFIG, path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "rate",
        "lr.x",
        "model.layers.2",
        "model.layers.-1",
        "model.",
        "model.a.b",
        '"model.name"',
        'model."a',
        r'model."\q"',
        f"model.layers.{'9' * 5000}",
    ],
)
def test_path_that_leads_nowhere_is_missing(path: str) -> None:
    """Nothing is guessed, and nothing counts from the end."""
    assert isinstance(look_up(CONFIG, path), Missing)
    assert not is_known(CONFIG, path)


def test_all_keys_are_listed_and_the_nearest_one_is_found() -> None:
    """What a misspelt key probably means is looked for at every depth."""
    own = ['model."a.b"', r'model."a.b"."say \"no\""']
    keys = ["model", "model.name", "model.layers", "model.extra", *own, "lr"]
    assert list(dotted_keys(CONFIG)) == keys
    assert nearest_key(CONFIG, "model.nmae") == "model.name"
    assert nearest_key(CONFIG, "xyzzy") is None
    assert nearest_key({"data": {"a b": 1}}, "data.ab") == 'data."a b"'
    assert nearest_key({"a.b": {"c": 1}}, "a.b.d") == '"a.b".c'


@pytest.mark.parametrize(
    ("value", "expected"), [(1, True), (0.5, True), (True, False), ("1", False)]
)
def test_booleans_are_not_numbers(value: Any, *, expected: bool) -> None:
    """YAML tells them apart, and so does the identity of a run."""
    assert is_number(value) is expected


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, None, False),
        ("1", 1, False),
        ([1, 2], [1.0, 2], True),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False),
        ({"a": [True]}, {"a": [1]}, False),
    ],
)
def test_values_are_the_same_within_their_type_and_numbers_by_value(
    left: Any, right: Any, *, equal: bool
) -> None:
    """At any depth, and in both directions."""
    assert same(left, right) is equal
    assert same(right, left) is equal


SCALAR = st.none() | st.booleans() | st.integers() | st.text("abc de'", min_size=1)


@given(SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(st.just("a"), SCALAR))
def test_value_is_written_as_yaml_reads_it(value: Any) -> None:
    """What a message shows can be copied into a filter."""
    assert yaml.safe_load(show(value)) == value
