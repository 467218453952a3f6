"""The grid in a config, ``hydra.sweeper.params``, which is resolved before there are any runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from omegaconf import DictConfig, OmegaConf

from orchestrator.config.unstable_values import refusing_unstable_grid

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY: Final = "hydra.sweeper.params"


def resolve_params(cfg: DictConfig) -> dict[str, object]:
    """Return the grid in a config with its interpolations resolved; empty if there is none.

    Raises:
        ConfigError: It reads what differs each time.
        OmegaConfBaseException: It cannot be resolved.
    """
    params = cast("Mapping[str, Any]", OmegaConf.select(cfg, _KEY) or {})
    if not has_interpolations(cfg):
        return {str(key): value for key, value in params.items()}
    with refusing_unstable_grid():
        return {str(key): value for key, value in params.items()}


def has_interpolations(cfg: DictConfig) -> bool:
    """Return whether the grid in a config contains interpolations."""
    params = OmegaConf.select(cfg, _KEY)
    raw = OmegaConf.to_container(params) if isinstance(params, DictConfig) else {}
    return "${" in str(raw)
