"""The grid in a config is resolved once, and must not differ from command to command."""

import pytest
from hydra.core.utils import setup_globals
from omegaconf import OmegaConf

from orchestrator.config.sweeper_params import has_interpolations, resolve_params
from orchestrator.errors import ConfigError


def test_config_without_a_grid_has_an_empty_one() -> None:
    cfg = OmegaConf.create({"lr": 1})
    assert resolve_params(cfg) == {}
    assert not has_interpolations(cfg)


def test_interpolations_are_resolved() -> None:
    params = {"lr": "${first},2", "seed": 1}
    cfg = OmegaConf.create({"first": 0.5, "hydra": {"sweeper": {"params": params}}})
    assert has_interpolations(cfg)
    assert resolve_params(cfg) == {"lr": "0.5,2", "seed": 1}


def test_what_differs_each_time_is_refused_also_where_a_key_leads_to_it() -> None:
    params = {"tag": "a,${moment}"}
    cfg = OmegaConf.create({"moment": "${now:%H}", "hydra": {"sweeper": {"params": params}}})
    setup_globals()  # Hydra's resolver of the time
    with pytest.raises(ConfigError, match="the grid contains the time"):
        resolve_params(cfg)


def test_other_settings_of_hydra_may_contain_the_time() -> None:
    """They are not resolved here."""
    hydra = {"run": {"dir": "${now:%H}"}, "sweeper": {"params": {"lr": "${first},2"}}}
    assert resolve_params(OmegaConf.create({"first": 1, "hydra": hydra})) == {"lr": "1,2"}
