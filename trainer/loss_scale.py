"""The scale of the loss in float16: without it, small gradients would be zero."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from torch.amp import GradScaler

from trainer.errors import Diverged

if TYPE_CHECKING:
    import torch

LEAST: Final = 1e-4  # after 30 steps in a row that were skipped


def choose_scaler(device: torch.device, precision: str) -> GradScaler | None:
    """Return what scales the loss, if the precision requires it; its state is part of a checkpoint."""
    if precision != "float16":
        return None
    # The first steps are skipped while the scale is too large; schedules count them.
    warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler.step\(\)` before")
    return GradScaler(device.type)


def check_scale(scaler: GradScaler | None, iteration: int) -> None:
    """Check, after an iteration, that not all steps are skipped.

    Raises:
        Diverged: If the scale has become so small that gradients are never finite.
    """
    if scaler is not None and (scale := scaler.get_scale()) < LEAST:
        raise Diverged(
            f"iteration {iteration}: gradients are not finite in float16, even with the loss scaled by"
            f" {scale:.1g}, so no step is taken. Lower optimizer.lr, or set precision: bfloat16."
        )
