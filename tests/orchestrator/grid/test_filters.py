"""Tests of orchestrator.grid.filters: what filters mean."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import FilterError
from orchestrator.grid.config_values import is_known, same, show
from orchestrator.grid.filter_parser import parse_filter

CONFIG = {
    "model": {"name": "Cnn10", "width": None, "layers": [8, 16]},
    "optimizer": {"lr": 0.3, "nesterov": True},
    "batch_size": 16,
    "limit": 16.0,
    "text": "a ! b & c",
}


def _excludes(text: str, config: Any = CONFIG) -> Any:
    return parse_filter(text).excludes(config)


def _comparison(text: str, config: Any = CONFIG) -> Any:
    return _excludes(f"{text} ! {text}", config)


@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize("name", ["Cnn10", "Mlp"])
@pytest.mark.parametrize("lr", [0.0001, 0.001, 0.1, 0.3])
@pytest.mark.parametrize("batch_size", [16, 32])
def test_filters_of_the_specification_drop_what_they_say(
    squeeze: Any, name: Any, lr: Any, batch_size: Any
) -> None:
    """Both filters mean what Python would say, with and without spaces."""
    config = {"model": {"name": name}, "optimizer": {"lr": lr}, "batch_size": batch_size}
    texts = [
        'model.name == "Cnn10" ! optimizer.lr > 0.1',
        'optimizer.lr > 0.001 ! batch_size < 32 & model.name == "Cnn10"',
    ]
    if squeeze:
        texts = [text.replace(" ", "") for text in texts]
    assert [_excludes(text, config) for text in texts] == [
        name == "Cnn10" and lr > 0.1,
        lr > 0.001 and batch_size < 32 and name == "Cnn10",
    ]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("batch_size == 16", True),
        ("batch_size == 16.0", True),
        ("batch_size == 1.6e1", True),
        ("batch_size == limit", True),
        ("batch_size != limit", False),
        ('batch_size == "16"', False),
        ('batch_size != "16"', True),
        ("optimizer.nesterov == true", True),
        ("optimizer.nesterov == 1", False),
        ("optimizer.nesterov != 1", True),
        ("model.width == null", True),
        ("model.width != null", False),
        ("model.width == false", False),
        ("model.name == 'Cnn10'", True),
        ('model.name < "D"', True),
        ('model.name >= "Cnn10"', True),
        ('text == "a ! b & c"', True),
        ("model.layers == [8, 16.0]", True),
        ("model.layers == [8]", False),
        ("model.layers.0 == 8", True),
        ("model.layers.1 <= 16", True),
        ("model.layers.2 == 8", False),
        ("batch_size in [8, 16]", True),
        ("batch_size in []", False),
        ("batch_size in model.layers", True),
        ('model.name in ["Mlp", "Cnn10"]', True),
        ("optimizer.nesterov in [1]", False),
        ("model == model", True),
        ("batch_size > -1", True),
        ("batch_size < +17", True),
        ("batch_size >= .5", True),
    ],
)
def test_comparison_compares_values_within_their_types(text: str, holds: Any) -> None:
    """Numbers compare by value, everything else only with its own type."""
    assert _comparison(text) is holds


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">=", "in"])
@pytest.mark.parametrize("key", ["missing", "model.missing", "batch_size.x", "model.layers.x"])
def test_missing_key_makes_its_comparison_false(operator: str, key: str) -> None:
    """Whatever the operator, and on either side of it."""
    assert _comparison(f"{key} {operator} [1]") is False
    assert _comparison(f"batch_size {operator} {key}") is False


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("batch_size == 16 & limit == 16 ! limit > 1", True),
        ("batch_size == 16 & limit == 1 ! limit > 1", False),
        ("batch_size == 1 | limit == 16 ! limit > 1", True),
        ("batch_size == 1 | limit == 1 ! limit > 1", False),
        ("limit > 1 ! batch_size == 1 | limit == 16", True),
        ("limit > 1 ! batch_size == 1 | limit == 1 | limit == 16", True),
        ("limit > 1 & batch_size > 1 ! limit > 1 & batch_size > 16", False),
        ("limit == 1 ! limit == 16", False),
        ("limit == 16 ! limit == 1", False),
    ],
)
def test_sides_chain_with_all_or_any_and_both_must_hold(text: str, holds: Any) -> None:
    """A point is dropped when case and condition hold."""
    assert _excludes(text) is holds


VALUES = [None, True, False, 0, 1.5, "a", [1], {"a": 1}]


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
@pytest.mark.parametrize(("left", "right"), list(itertools.product(VALUES, VALUES)))
def test_only_numbers_and_texts_have_an_order(operator: str, left: Any, right: Any) -> None:
    """Everything else is an error that shows both values, or what they are, and the place."""
    config = {"left": left, "right": right}
    kinds = {type(value) for value in (left, right)}
    if kinds == {str} or kinds <= {int, float}:
        assert isinstance(_comparison(f"left {operator} right", config), bool)
        return
    with pytest.raises(FilterError) as refusal:
        _comparison(f"left {operator} right", config)
    message, line, caret = str(refusal.value).split("\n")
    kind = {dict: "a mapping", list: "a list"}
    shown = [kind.get(type(value), show(value)) for value in (left, right)]
    assert message == f"filter, character 6: left: {' and '.join(shown)} have no order."
    assert line[caret.index("^")] == operator[0]


def test_membership_in_what_is_no_list_is_refused() -> None:
    """``in`` looks for list items, never for parts of text."""
    with pytest.raises(FilterError, match='"Cnn10" is not a list'):
        _comparison("model.name in model.name")


def test_what_the_chain_has_decided_already_is_not_looked_at() -> None:
    """A clash behind a false comparison does no harm, so one comparison can guard another."""
    assert not _excludes("model.width != null & model.width > 3 ! limit > 1")
    assert not _excludes("limit == 1 ! model.width > 3")


def test_keys_are_those_on_both_sides_of_operators() -> None:
    """Literals are not keys."""
    found = parse_filter('a.b == c & d in [1] ! e != "f"')
    assert found.keys == {"a.b", "c", "d", "e"}


def test_known_keys_include_those_without_a_value() -> None:
    """A key whose value is null is there."""
    assert is_known(CONFIG, "model.width")
    assert is_known(CONFIG, "model.layers.1")
    assert not is_known(CONFIG, "model.layers.9")
    assert not is_known(CONFIG, "model.widht")


SAMPLES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from("ab1"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(SAMPLES, SAMPLES)
def test_equality_is_symmetric_and_agrees_with_types(one: Any, other: Any) -> None:
    """No value equals one of another type, and a value equals itself."""
    assert same(one, one)
    assert same(one, other) == same(other, one)
    if isinstance(one, bool) != isinstance(other, bool):
        assert not same(one, other)
