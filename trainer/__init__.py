"""Trains one run: from the configuration in its run directory to its results, through any interruption."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

__all__ = ["load"]


def load(
    run_dir: Path | str, weights: str = "best", device: str | torch.device = "cpu"
) -> nn.Module:
    """Return the model of a run that is done, ready for use: in evaluation mode, on a device.

    Nothing is drawn from the global random generators.

    Args:
        run_dir: The run directory.
        weights: `best`, those of the best iteration, or `last`.
        device: Where to put the model.

    Raises:
        TrainerError: If the run is not done, or its weights or its model's class are gone or changed.
    """
    # Only now: importing the package must not take as long as importing PyTorch.
    from trainer.load_finished import load_model  # noqa: PLC0415

    return load_model(run_dir, weights, device)
