"""The trainer: trains one run from the configuration in its run directory, and resumes it exactly."""

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
    """Return the model of a run that is done, in evaluation mode, on a device.

    The state of the global random generators is unchanged.

    Args:
        run_dir: The run directory.
        weights: `best`, those of the best iteration, or `last`.
        device: Where to put the model.

    Raises:
        TrainerError: If the run is not done, or its weights or its model's class are gone or changed.
    """
    # Imported here, so that importing the package does not import PyTorch.
    from trainer.load_finished import load_model  # noqa: PLC0415

    return load_model(run_dir, weights, device)
