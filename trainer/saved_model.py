"""The model of a run, built from its configuration, with the weights that a checkpoint has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from trainer.build import build_data, playing, required
from trainer.config_file import plain_config, read_config
from trainer.ema_settings import read_ema
from trainer.errors import CheckpointError
from trainer.hydra_targets import asks_for, build
from trainer.run_files import CHECKPOINTS, CONFIG
from trainer.seeding import restore_rng_state, rng_state
from trainer.settings import read_group
from trainer.switched_modules import as_trained, load_as_saved

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trainer.checkpoints.reading import SavedModules
    from trainer.settings import Config


def config_beside(checkpoint: Path) -> Config | None:
    """Return the config of the run whose directory a checkpoint is in, None if it is elsewhere."""
    folder = checkpoint.absolute().parent
    config = folder.parent / CONFIG
    # Any folder may have a config.yaml above it, such as one that checkpoints were copied to.
    is_in_run = folder.name == CHECKPOINTS and config.exists()
    return plain_config(read_config(config)) if is_in_run else None


def rebuild_model(
    config: Config, saved: SavedModules, device: str | torch.device, *, with_average: bool
) -> nn.Module:
    """Return a model as it was saved, in evaluation mode; the random generators are unchanged.

    Args:
        config: The config of its run.
        saved: The states of its modules.
        device: Where its weights are put.
        with_average: Whether it has the averaged weights, if the evaluations of its run have used them.

    Raises:
        ConfigError: The configuration is invalid.
        CheckpointError: The weights do not fit the model.
    """
    before = rng_state()
    try:
        model = build_model(config).to(device)
        try:
            state = saved.states["model"]
            load_as_saved(model, lambda: model.load_state_dict(state), saved.modes_of_model)
            if with_average:
                _use_average(model, saved.states, config)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"its weights do not fit {type(model).__name__} as it is built: {reason:.300}"
            ) from error
        model.eval()
    finally:
        restore_rng_state(before)
    return model


def build_model(config: Config) -> nn.Module:
    """Build the model of a configuration, with new weights, and the data only if the model takes it.

    Raises:
        ConfigError: If the configuration is invalid.
    """
    offered = {}
    if asks_for(config, "model", "data"):
        offered["data"] = build_data(config)
    return playing(required(build(config, "model", offered), "model"), "model", nn.Module)


def _use_average(model: nn.Module, states: Mapping[str, Any], config: Config) -> None:
    weights = states.get("ema", {}).get("weights")
    if not weights or not read_ema(read_group(config, "ema")).evaluate:
        return
    with torch.no_grad(), as_trained(model):
        for name, parameter in model.named_parameters():
            if name in weights:
                parameter.copy_(weights[name])
