"""What takes the place of the files of a run on all ranks but the first, which writes them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from trainer.checkpoints.background_writer import Recorder
from trainer.ranks import own_rank
from trainer.run_claim import claimed
from trainer.run_files import Outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Any

    from trainer.checkpoints.store import Checkpoints
    from trainer.interval import Interval
    from trainer.run_files import Progress


class SilentOutputs(Outputs):
    """Leaves the files alone."""

    def open(self, since: int) -> None:
        """Do nothing."""

    def publish(self, *all_progress: Progress) -> None:
        """Do nothing."""

    def write_results(self, results: Mapping[str, object]) -> None:
        """Do nothing."""


class SilentRecorder(Recorder):
    """Saves nothing."""

    def record(
        self,
        progress: Progress,
        state: Callable[[], Any],
        best: int | None,
        *,
        is_over: bool = False,
    ) -> None:
        """Do nothing."""

    def complete(self, state: Callable[[], Any]) -> None:
        """Do nothing."""


def outputs_of(run_dir: Path) -> Outputs:
    """Return what writes the files of a run, if this is the first rank."""
    return SilentOutputs(run_dir) if own_rank() else Outputs(run_dir)


def recorder_of(checkpoints: Checkpoints, outputs: Outputs, every: Interval) -> Recorder:
    """Return what saves the iterations of a run, if this is the first rank."""
    return (SilentRecorder if own_rank() else Recorder)(checkpoints, outputs, every)


def claimed_once(folder: Path) -> AbstractContextManager[None]:
    """Keep other runs from training in a folder; the first rank does that for all."""
    return nullcontext() if own_rank() else claimed(folder)
