"""Which values of a config depend on which axes, through interpolations."""

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from orchestrator.config.axis_dependencies import find_parts, is_certain, longest_values
from orchestrator.config.resolved_size import check_resolved_size
from orchestrator.grid.axes import Axis

AXES = [Axis("lr", (0.1, 0.2)), Axis("seed", (0, 1, 2))]


def find(cfg: DictConfig) -> Any:
    """Return the config of the first point, and the parts of it that depend on the axes."""
    sizes = check_resolved_size(cfg, longest_values(cfg, AXES, (0, 1)))
    return find_parts(cfg, AXES, (0, 1), sizes)


def dependent(config: dict[str, Any]) -> dict[str, Any]:
    """Return the values of each part by positions on its axes, by dotted paths."""
    cfg = OmegaConf.create({"lr": 0.1, "seed": 0} | config)
    found = find(cfg)
    assert found is not None
    resolved, parts = found
    assert resolved == OmegaConf.to_container(cfg, resolve=True)
    return {".".join(map(str, part.path)): dict(part.values) for part in parts}


def test_axes_depend_on_themselves_only() -> None:
    assert dependent({"other": 1}) == {
        "lr": {(0,): 0.1, (1,): 0.2},
        "seed": {(0,): 0, (1,): 1, (2,): 2},
    }


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("${seed}", {(0,): 0, (1,): 1, (2,): 2}),
        ("s${seed}", {(0,): "s0", (1,): "s1", (2,): "s2"}),
        ("${copy}", {(0,): 0, (1,): 1, (2,): 2}),
        ("${deep.inner}", {(0,): "in 0", (1,): "in 1", (2,): "in 2"}),
    ],
)
def test_value_follows_from_the_axis_it_refers_to(text: str, values: dict[Any, Any]) -> None:
    config = {"copy": "${seed}", "deep": {"inner": "in ${seed}"}, "value": text}
    assert dependent(config)["value"] == values


def test_value_of_two_axes_is_known_for_each_combination() -> None:
    values = dependent({"name": "${lr}-${seed}"})["name"]
    assert len(values) == 6
    assert values[1, 2] == "0.2-2"


def test_items_of_lists_are_found() -> None:
    assert dependent({"items": [1, "${seed}"]})["items.1"][2,] == 2


def test_resolver_may_read_anything() -> None:
    """What it reads is unknown, so its value is found for each combination."""
    OmegaConf.register_new_resolver("double_of_the_test", lambda n: 2 * n, replace=True)
    try:
        values = dependent({"value": "${double_of_the_test:${seed}}"})["value"]
    finally:
        OmegaConf.clear_resolver("double_of_the_test")
    assert {positions[-1]: value for positions, value in values.items()} == {0: 0, 1: 2, 2: 4}


def test_axis_that_sets_more_than_one_value_is_uncertain() -> None:
    """Interpolations may refer to anything inside of it."""
    cfg = OmegaConf.create({"lr": {"base": 0.1}, "seed": 0})
    assert find(cfg) is None


def test_config_is_as_before_afterwards() -> None:
    cfg = OmegaConf.create({"lr": 0.1, "seed": 0, "name": "${lr}-${seed}"})
    before = OmegaConf.to_container(cfg)
    find(cfg)
    assert OmegaConf.to_container(cfg) == before


@pytest.mark.parametrize(
    ("override", "certain"),
    [
        ("lr=1", True),
        ("deep.inner=1", True),
        ("new.key=1", True),
        ("deep.refers=1", True),
        ("+deep.refers=1", False),
        ("deep={inner:1}", False),
        ("~lr", True),
        ("~lr=0.1", False),
        ("items.0=1", False),
    ],
)
def test_override_through_an_interpolation_is_uncertain(override: str, *, certain: bool) -> None:
    cfg: DictConfig = OmegaConf.create(
        {"lr": 0.1, "deep": {"inner": 1, "refers": "${lr}"}, "alias": "${deep}", "items": [0]}
    )
    assert is_certain(cfg, OverridesParser.create().parse_override(override)) is certain
