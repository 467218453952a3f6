"""The configuration of a run is read in three forms."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import OmegaConf

from trainer.errors import ConfigError
from trainer.run_config import Configured

GIVEN = {"seed": 3, "iterations": 2, "twice": "${seed}"}


def test_configuration_is_plain_and_read() -> None:
    run = Configured(OmegaConf.create(GIVEN))
    assert run.config["twice"] == run.settings.seed == 3


def test_configuration_of_omegaconf_is_handed_out_as_it_is() -> None:
    given = OmegaConf.create(GIVEN)
    assert Configured(given).cfg is given


def test_plain_configuration_becomes_one_of_omegaconf() -> None:
    assert Configured({"seed": 3, "iterations": 2}).cfg.seed == 3


@pytest.mark.parametrize("given", [{**GIVEN, "twice": 3, "model": {"hidden": 8}}, GIVEN])
@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda run: run.config.update(seed=4), "seed"),
        (lambda run: run.config.update(own=[1]), "own"),
        (lambda run: run.config.pop("iterations"), "iterations"),
        (lambda run: run.config.setdefault("model", {}).update(hidden=9), "model"),
        (lambda run: OmegaConf.update(run.cfg, "seed", 4), "seed"),
        (lambda run: OmegaConf.update(run.cfg, "model.hidden", 9), "model"),
        (lambda run: run.cfg.pop("iterations"), "iterations"),
    ],
)
def test_change_of_what_is_handed_out_is_refused(
    given: dict[str, Any], change: Callable[[Configured], object], key: str
) -> None:
    """It would have no effect."""
    run = Configured(OmegaConf.create(given) if given is GIVEN else given)
    change(run)
    with pytest.raises(ConfigError, match=f"a callback has changed '{key}' in it, which has no"):
        run.check_unchanged()


def test_configuration_that_is_only_read_is_unchanged() -> None:
    """Also where a value is not equal to itself, or a resolver gives others."""
    OmegaConf.register_new_resolver("new", itertools.count().__next__, replace=True)
    given = OmegaConf.create({**GIVEN, "nan": float("nan"), "drawn": "${new:}"})
    run = Configured(given)
    run.check_unchanged()
    assert run.config["twice"] == run.cfg.twice == 3
    assert run.cfg.drawn != run.config["drawn"]
    run.check_unchanged()
    resolved = Configured(OmegaConf.create({**given, "model": {"drawn": ["${new:}"], "a": 1}}))
    OmegaConf.resolve(resolved.cfg)
    resolved.check_unchanged()
    resolved.cfg.model.a = 2
    with pytest.raises(ConfigError, match="has changed 'model' in it"):
        resolved.check_unchanged()


def test_part_of_a_configuration_may_refer_to_what_is_beside_it() -> None:
    outer = OmegaConf.create({"lr": 3, "run": {"seed": 3, "iterations": 2, "x": "${lr}"}})
    run = Configured(outer.run)
    OmegaConf.resolve(run.cfg)
    run.check_unchanged()
    assert run.config["x"] == 3
