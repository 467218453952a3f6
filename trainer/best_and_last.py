"""The checkpoints of a run that is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trainer.checkpoints.reading import NAME
from trainer.checkpoints.store import BEST
from trainer.durable_files import read_plain
from trainer.errors import CheckpointError
from trainer.run_files import CHECKPOINTS, RESULTS

if TYPE_CHECKING:
    from pathlib import Path


def best_checkpoint(run_dir: Path, advice: str = "Execute the run again.") -> Path:
    """Return the best checkpoint of a run that is done, or the last one if there is no best iteration.

    ``advice`` says what to do if it is missing.

    Raises:
        CheckpointError: If it is missing.
    """
    path = run_dir / CHECKPOINTS / BEST
    if path.exists():
        return path
    iteration = json.loads(read_plain(run_dir / RESULTS)).get("best", {}).get("iteration")
    if iteration is None:
        return last_checkpoint(run_dir, advice)
    found = [*(run_dir / CHECKPOINTS).glob(f"{iteration:06d}-*.pt")]
    if not found:
        raise CheckpointError(
            f"{path}: it is gone, and so is iteration {iteration}, the best one. {advice}"
        )
    return found[0]


def last_checkpoint(run_dir: Path, advice: str = "Execute the run again.") -> Path:
    """Return the checkpoint of the last iteration; ``advice`` says what to do if there is none.

    Raises:
        CheckpointError: If there are no checkpoints.
    """
    folder = run_dir / CHECKPOINTS
    paths = [path for path in folder.glob("*.pt") if NAME.fullmatch(path.name)]
    if not paths:
        raise CheckpointError(f"{folder}: there are no checkpoints. {advice}")
    return max(paths, key=lambda path: int(path.name.partition("-")[0]))
