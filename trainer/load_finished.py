"""Loads the models of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from trainer.best_and_last import best_checkpoint, last_checkpoint
from trainer.build import build_data, playing, required
from trainer.checkpoints.reading import read_module_states
from trainer.config_file import plain_config, read_config
from trainer.ema_settings import read_ema
from trainer.errors import CheckpointError, ConfigError
from trainer.hydra_targets import asks_for, build
from trainer.run_files import CONFIG, RESULTS
from trainer.seeding import restore_rng_state, rng_state
from trainer.settings import read_group
from trainer.switched_modules import as_trained, prepare_for_evaluation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.settings import Config

WEIGHTS: Final = ("best", "last")


def load_model(run_dir: Path | str, weights: str, device: str | torch.device) -> nn.Module:
    """Return the model of a finished run, in evaluation mode; see `trainer.load`."""
    run_dir = Path(run_dir)
    if weights not in WEIGHTS:
        raise ConfigError(f"weights: {weights!r} is not one of {', '.join(WEIGHTS)}. Correct it.")
    if not (run_dir / CONFIG).is_file():
        raise ConfigError(f"{run_dir}: it is not a run directory. Name one.")
    if not (run_dir / RESULTS).is_file():
        raise ConfigError(f"{run_dir}: the run is not done. Run it to its end.")
    states = read_module_states(
        best_checkpoint(run_dir, "Give weights='last'.")
        if weights == "best"
        else last_checkpoint(run_dir)
    )
    config = plain_config(read_config(run_dir / CONFIG))
    before = rng_state()
    try:
        model = build_model(config).eval()  # it was saved so: a model may change its weights then
    finally:
        restore_rng_state(before)
    try:
        model.load_state_dict(states["model"])
        _use_average(model, states, config)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{run_dir}: its weights do not fit {type(model).__name__} as it is built: {reason:.300}. If"
            " callbacks changed the model, or its code has changed since, undo the change."
        ) from error
    prepare_for_evaluation(model)
    return model.to(device)


def _use_average(model: nn.Module, states: Mapping[str, Any], config: Config) -> None:
    """Give a model the averaged weights, if the evaluations of its run have used them."""
    settings = read_ema(read_group(config, "ema"))
    if not settings.evaluate:
        return
    weights = states.get("ema", {}).get("weights", {})
    with torch.no_grad(), as_trained(model):
        for name, parameter in model.named_parameters():
            if name in weights:
                parameter.copy_(weights[name])


def build_model(config: Config) -> nn.Module:
    """Build the model of a configuration, with new weights, and the data only if the model takes it.

    Raises:
        ConfigError: If the configuration is invalid.
    """
    offered = {}
    if asks_for(config, "model", "data"):
        offered["data"] = build_data(config)
    return playing(required(build(config, "model", offered), "model"), "model", nn.Module)
