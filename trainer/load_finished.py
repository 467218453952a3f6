"""Loads the models of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from trainer.best_and_last import best_checkpoint, last_checkpoint
from trainer.checkpoints.reading import read_modules
from trainer.config_file import plain_config, read_config
from trainer.errors import CheckpointError, ConfigError
from trainer.run_files import CONFIG, RESULTS
from trainer.saved_model import rebuild_model

if TYPE_CHECKING:
    import torch
    from torch import nn

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
    saved = read_modules(
        best_checkpoint(run_dir, "Give weights='last'.")
        if weights == "best"
        else last_checkpoint(run_dir)
    )
    config = plain_config(read_config(run_dir / CONFIG))
    try:
        return rebuild_model(config, saved, device, with_average=True)
    except CheckpointError as error:
        raise CheckpointError(
            f"{run_dir}: {error}. If callbacks changed the model, or its code has changed since, undo the"
            " change."
        ) from error
