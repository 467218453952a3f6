"""A data set whose workers are killed."""

import os
import signal
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from user_modules import NoisySamples, Tiny, labelled


class DyingSamples(NoisySamples):
    """Kill the process that makes a sample, once, if it is a worker."""

    def __init__(self, marker: str) -> None:
        super().__init__(labelled(0))
        self.marker, self.parent = Path(marker), os.getpid()

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample, or die."""
        is_worker = torch.utils.data.get_worker_info() is not None
        if is_worker and index == 7 and self.marker.exists():
            self.marker.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


class Dying(Tiny):
    """Offer such a training set, or kill a worker at a step."""

    def __init__(self, where: str, marker: str) -> None:
        super().__init__()
        self.marker, self.where = Path(marker), where
        self.train: Any = DyingSamples(marker) if where == "sample" else NoisySamples(labelled(0))

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Kill a worker."""
        del iteration, batch_idx, loss
        if self.where == "step" and self.marker.exists():
            self.marker.unlink()
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
            trainer.batches.take(6)


class Leaving(Tiny):
    """Offer a training set whose worker ends its process."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.train: Any = LeavingSamples(code)


class LeavingSamples(NoisySamples):
    """End the process that makes a sample, if it is a worker."""

    def __init__(self, code: int) -> None:
        super().__init__(labelled(0))
        self.code = code

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample, or end."""
        if torch.utils.data.get_worker_info() is not None and index == 7:
            os._exit(self.code)
        return super().__getitem__(index)
