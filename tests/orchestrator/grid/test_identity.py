"""Tests of orchestrator.grid.identity; tests/contract holds the golden IDs."""

import copy
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from orchestrator.errors import IdentityError
from orchestrator.grid.identity import (
    NEVER_IDENTITY,
    SHORT_ID_DIGITS,
    canonical_form,
    identify,
    short,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
NAMES = st.text("abcdefgh_", min_size=1, max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
CONFIGS = st.dictionaries(NAMES, VALUES, max_size=5)


def _reversed(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _reversed(node[key]) for key in reversed(node)}
    return [_reversed(item) for item in node] if isinstance(node, list) else node


@given(CONFIGS)
def test_key_order_does_not_count(config: Any) -> None:
    """The same config in another order has the same form."""
    assert canonical_form(_reversed(config)) == canonical_form(config)


@given(CONFIGS, st.booleans())
def test_yaml_style_does_not_count(config: Any, flow: Any) -> None:
    """A config that went through YAML and back has the same form."""
    read = yaml.safe_load(yaml.safe_dump(config, default_flow_style=flow))
    assert canonical_form(read) == canonical_form(config)


@given(st.integers(-(2**53), 2**53))
def test_whole_number_is_the_same_as_the_float_of_its_value(number: Any) -> None:
    """1 and 1.0 are one number."""
    assert canonical_form({"a": number}) == canonical_form({"a": float(number)})


def test_minus_zero_is_zero() -> None:
    """The sign of zero makes no difference between two configs."""
    assert canonical_form({"a": -0.0}) == canonical_form({"a": 0})


@given(VALUES, VALUES)
def test_different_values_have_different_forms(one: Any, other: Any) -> None:
    """Two forms are equal only for equal values: numbers by value, the rest within its type."""
    same = canonical_form({"a": one}) == canonical_form({"a": other})
    assert same == (_typed(one) == _typed(other))


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return "mapping", {key: _typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return "list", [_typed(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__, value
    return "number", value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        (None, "null"),
        (None, False),
        ("1", 1),
        ("true", True),
        ([], {}),
        ([1, [2]], [[1], 2]),
        ({"1": 0}, {1: 0}),
        ({True: 0}, {"true": 0}),
        ({"a.b": 1}, {"a": {"b": 1}}),
        (2**53, float(2**53 + 2)),
    ],
)
def test_what_differs_in_type_differs_in_identity(one: Any, other: Any) -> None:
    """No two values of different types are taken for each other."""
    assert canonical_form({"a": one}) != canonical_form({"a": other})


@pytest.mark.parametrize("key", NEVER_IDENTITY)
def test_where_results_go_and_how_runs_are_carried_out_does_not_count(key: str) -> None:
    """The keys of the contract never change a run ID, whatever stands under them."""
    config = {"lr": 0.1, "model": {key: 1}}
    assert canonical_form({**config, key: {"x": object()}}) == canonical_form(config)
    assert canonical_form({**config, "model": {}}) != canonical_form(config)


def test_excluded_keys_do_not_count_and_their_neighbours_do() -> None:
    """An excluded key is a whole dotted path, not a prefix of a name."""
    config = {"device": "cpu", "devices": 1, "loader": {"workers": 2, "pin": True}}
    form = canonical_form(config, ["device", "loader.workers"])
    assert form == canonical_form({"devices": 1, "loader": {"pin": True}})
    assert form != canonical_form({"loader": {"pin": True}})


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (math.nan, "nan has no stable form"),
        (math.inf, "inf has no stable form"),
        (-math.inf, "-inf has no stable form"),
        (object(), "a value of type object has no stable form"),
        (b"x", "a value of type bytes has no stable form"),
        ({1, 2}, "a value of type set has no stable form"),
        (1j, "a value of type complex has no stable form"),
    ],
)
def test_what_has_no_stable_form_is_refused_with_its_place(value: Any, named: Any) -> None:
    """The message leads to the value, however deep it stands."""
    with pytest.raises(IdentityError) as refusal:
        canonical_form({"model": {"layers": [1, {"x": value}]}})
    assert f"model.layers[1].x: {named}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_text_that_is_no_unicode_is_refused() -> None:
    """A lone surrogate has no bytes in UTF-8."""
    with pytest.raises(IdentityError, match="not valid Unicode"):
        canonical_form({"a": "\ud800"})


def test_identifying_keeps_what_it_was_given_and_shortens_the_digest() -> None:
    """A run carries its config and overrides as they were; the ID is the digest's beginning."""
    config = {"lr": 0.1, "experiment_id": "x"}
    before = copy.deepcopy(config)
    run = identify(config, {"lr": 0.1})
    assert config == before
    assert run.config is config
    assert run.overrides == {"lr": 0.1}
    assert len(run.digest) == 64
    assert run.run_id == run.digest[:16]


def test_reading_the_written_config_gives_the_same_identity() -> None:
    """What a run directory keeps as YAML leads back to the same ID."""
    config = {"lr": 1e-05, "name": "null", "on": "yes", "layers": [1, 2.5, None, "1e3"]}
    read = OmegaConf.to_container(OmegaConf.create(OmegaConf.to_yaml(OmegaConf.create(config))))
    assert canonical_form(read) == canonical_form(config)


def test_short_id_is_the_beginning_of_the_id() -> None:
    """What tables show of a run ID is enough for a command to find the run."""
    run_id = identify({"lr": 0.1}, {}).run_id

    assert run_id.startswith(short(run_id))
    assert len(short(run_id)) == SHORT_ID_DIGITS
