"""Tests of orchestrator.config.axis_combination; what is refused is in test_grid_templates."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from orchestrator.config.axis_combination import NO_FORMS, GridForms, in_order, read_forms
from orchestrator.config.grid_composer import apply
from orchestrator.config.overrides import with_open_settings
from orchestrator.errors import GridError
from orchestrator.grid.filter_parser import parse_condition


def _read(config: object, *overrides: str) -> GridForms:
    parsed = OverridesParser.create().parse_overrides([*overrides])
    cfg = OmegaConf.create(config)
    OmegaConf.set_struct(cfg, value=True)
    return read_forms(cfg, [*map(with_open_settings, parsed)], apply)  # type: ignore[arg-type]


def test_config_without_forms_has_none() -> None:
    """Whether or not it has settings, or overrides of other keys."""
    assert _read({"a": 1}) is NO_FORMS
    assert _read({"a": 1, "orch": {"workers": 2}}, "a=2", "orch.retries=1") is NO_FORMS
    assert _read({"orch": {"grids": None, "zip": [], "when": {}}}) == NO_FORMS


def test_values_are_kept_as_hydra_keeps_those_of_a_sweep() -> None:
    """Numbers and constants are strings in Hydra's grammar, and interpolations are resolved."""
    grids = [{"a": 1, "b": "1,2", "c": None, "d": True, "e": "${rates}"}]
    found = _read({"rates": "0.1,0.2", "orch": {"grids": grids}}, "rates='3,4'")
    assert found.grids == ({"a": "1", "b": "1,2", "c": "null", "d": "True", "e": "3,4"},)


def test_conditions_may_be_nested_and_given_one_by_one() -> None:
    """A dotted key is the same as a mapping in a mapping."""
    found = _read({"orch": {"when": {"m.a": "x == 1"}}}, "orch.when.m.b='x == 2'")
    assert {key: it.text for key, it in found.when.items()} == {"m.a": "x == 1", "m.b": "x == 2"}


def test_override_that_does_not_fit_the_config_of_the_grid_is_left_to_the_points() -> None:
    """It may fit a choice that is an axis."""
    assert _read({"orch": {"zip": [["a", "b"]]}}, "model.width=3").zipped == (("a", "b"),)


def test_conditions_are_ordered_by_what_they_read() -> None:
    """An axis comes after those that its condition reads; otherwise in the order of the axes."""
    texts = {"a": "b.x == 1", "b": "c == 1", "c": "d == 1", "e": "d == 2"}
    when = {key: parse_condition(text) for key, text in texts.items()}
    assert in_order(when, ["a", "e", "b", "d", "c"]) == ["e", "c", "b", "a"]


def test_condition_of_axes_that_vary_together_may_not_read_one_of_them() -> None:
    """It would depend on itself."""
    with pytest.raises(GridError, match="the condition of a reads a"):
        _read({"orch": {"zip": [["a", "b"]], "when": {"b": "a == 1"}}})
