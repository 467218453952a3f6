"""Checkpoints that tests have saved."""

from __future__ import annotations

from pathlib import Path

import torch

from trainer.checkpoints.store import Checkpoints


def saved(folder: Path, bests: list[int | None], keep_last: int = 2) -> Checkpoints:
    """Save a checkpoint for each iteration, given the best one at that time."""
    checkpoints = Checkpoints(folder, keep_last, "fingerprint")
    for iteration, best in enumerate(bests, start=1):
        checkpoints.write(
            checkpoints.take(iteration, {"weights": torch.full((3,), iteration)}, best)
        )
    return checkpoints


def kept(folder: Path) -> list[int]:
    """List the iterations that are kept."""
    return sorted(int(path.name[:6]) for path in folder.glob("0*.pt"))
