"""Modules such as a user would write, some of which fail on purpose."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

import errno
import os
import random
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

SAMPLES = 44


def labelled(seed: int) -> TensorDataset:
    """Make a few samples of two classes that can be told apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(SAMPLES) % 2
    return TensorDataset(torch.randn(SAMPLES, 6, generator=generator) + labels[:, None], labels)


class Tiny:
    """Offer three small data sets of tensors."""

    def __init__(self) -> None:
        self.train, self.validation, self.test = labelled(0), labelled(1), labelled(2)


class NoisySamples(Dataset[tuple[Tensor, Tensor]]):
    """Add noise from every global generator that an augmentation might use."""

    def __init__(self, samples: TensorDataset) -> None:
        self.samples = samples

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample, another one each time it is asked for."""
        sample, label = self.samples[index]
        noise = random.gauss(0, 0.1) + float(np.random.normal(0, 0.1))  # noqa: NPY002 - as users do
        return sample + noise + 0.1 * torch.randn(6), label


class Noisy:
    """Offer three small data sets with random augmentation."""

    def __init__(self) -> None:
        self.train = NoisySamples(labelled(0))
        self.validation, self.test = NoisySamples(labelled(1)), NoisySamples(labelled(2))


class WatchedSamples(Dataset[tuple[Tensor, Tensor]]):
    """Remember which samples were asked for, a list for each pass."""

    def __init__(self, samples: TensorDataset) -> None:
        self.samples = samples
        self.taken: list[list[int]] = [[]]

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Remember the index."""
        self.taken[-1].append(index)
        sample, label = self.samples[index]
        return sample, label


class Watched:
    """Offer three small data sets, and know what was taken of the first."""

    def __init__(self) -> None:
        self.train = WatchedSamples(labelled(0))
        self.validation, self.test = labelled(1), labelled(2)

    @property
    def taken(self) -> list[list[int]]:
        """Return the indices that each pass took."""
        return self.train.taken[:-1]

    def cb_on_loader_exhausted(self, trainer: object, iteration: int) -> None:
        """Begin another list."""
        self.train.taken.append([])


class Saboteur:
    """Do something bad at an event of an iteration, once: only while its marker file is there."""

    def __init__(self, event: str, iteration: int, deed: str, marker: str) -> None:
        self.when = (event, iteration)
        self.deed = DEEDS[deed]
        self.marker = Path(marker)

    def _act(self, event: str, iteration: int) -> None:
        if (event, iteration) == self.when and self.marker.exists():
            self.marker.unlink()
            self.deed()

    def cb_on_iteration_begin(self, trainer: object, iteration: int) -> None:
        """Act, if this is the moment."""
        self._act("iteration_begin", iteration)

    def cb_on_iteration_end(self, trainer: object, iteration: int, metrics: object) -> None:
        """Act, if this is the moment."""
        self._act("iteration_end", iteration)

    def cb_on_step_end(self, trainer: object, iteration: int, batch_idx: int, loss: float) -> None:
        """Act at the second or the fourth step of the iteration, if this is the moment."""
        if batch_idx == 1:
            self._act("step_end", iteration)
        if batch_idx == 3:
            self._act("late_step_end", iteration)


def sabotage(folder: Path, event: str, iteration: int, deed: str) -> dict[str, Any]:
    """Return the configuration of a module that does a deed once, at an event of an iteration."""
    marker = folder / f"{deed}-{event}-{iteration}"
    marker.touch()
    values = {"event": event, "iteration": iteration, "deed": deed, "marker": str(marker)}
    return {"_target_": "user_modules.Saboteur", **values}


class FragileTiny(Tiny, Saboteur):
    """Offer three small data sets, and do something bad."""

    def __init__(self, **how: Any) -> None:
        Tiny.__init__(self)
        Saboteur.__init__(self, **how)


class FragileNoisy(Noisy, Saboteur):
    """Offer three small data sets with random augmentation, and do something bad."""

    def __init__(self, **how: Any) -> None:
        Noisy.__init__(self)
        Saboteur.__init__(self, **how)


class Interrupted(Exception):  # noqa: N818 - no error of ours
    """Say that a saboteur was here."""


def _raise() -> None:
    raise Interrupted


def _fill_the_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _fill_pythons_memory() -> None:
    raise MemoryError


def _fill_the_memory() -> None:
    torch.empty(2**60)


def _raise_keyboard_interrupt() -> None:
    raise KeyboardInterrupt


def _read_what_is_not_there() -> None:
    Path("no", "such", "file").read_text()


def _limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def _signal_the_group(number: signal.Signals) -> None:
    """Send a signal to the process group, from another process, as a terminal or a box does."""
    if os.fork() == 0:
        os.killpg(0, number)
        os._exit(0)
    os.wait()


DEEDS: dict[str, Callable[[], None]] = {
    "raise": _raise,
    "fill_the_disk": _fill_the_disk,
    "fill_the_memory": _fill_the_memory,
    "fill_pythons_memory": _fill_pythons_memory,
    "exit": sys.exit,
    "exit with 0": lambda: sys.exit(0),
    "exit with 3": lambda: sys.exit(3),
    "exit with words": lambda: sys.exit("enough"),
    "raise KeyboardInterrupt": _raise_keyboard_interrupt,
    "read what is not there": _read_what_is_not_there,
    "limit_file_size": _limit_file_size,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "terminate_group": lambda: _signal_the_group(signal.SIGTERM),
    "interrupt_group": lambda: _signal_the_group(signal.SIGINT),
    "interrupt": lambda: os.kill(os.getpid(), signal.SIGINT),
}


class Diary:
    """Keep every event that it hears of, in a class-wide list."""

    heard: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, name_in_diary: str = "") -> None:
        self.label = name_in_diary

    def cb_on_train_begin(self, trainer: object) -> None:
        """Write it down."""
        self.heard.append((self.label, "train_begin"))

    def cb_on_train_end(self, trainer: object, test_results: dict[str, float]) -> None:
        """Write it down."""
        self.heard.append((self.label, "train_end", sorted(test_results)))

    def cb_on_iteration_begin(self, trainer: object, iteration: int) -> None:
        """Write it down."""
        self.heard.append((self.label, "iteration_begin", iteration))

    def cb_on_iteration_end(
        self, trainer: object, iteration: int, metrics: dict[str, float]
    ) -> None:
        """Write it down."""
        self.heard.append((self.label, "iteration_end", iteration, sorted(metrics)))

    def cb_on_loader_exhausted(self, trainer: object, iteration: int) -> None:
        """Write it down."""
        self.heard.append((self.label, "loader_exhausted", iteration))

    def cb_on_step_begin(self, trainer: object, iteration: int, batch_idx: int) -> None:
        """Write it down."""
        self.heard.append((self.label, "step_begin", iteration, batch_idx))

    def cb_on_step_end(self, trainer: object, iteration: int, batch_idx: int, loss: float) -> None:
        """Write it down."""
        self.heard.append((self.label, "step_end", iteration, batch_idx, type(loss)))


class Counter:
    """Count steps, and let the count change the training: it must survive an interruption."""

    def __init__(self) -> None:
        self.steps = 0

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Lower the learning rate a little at each step."""
        self.steps += 1
        trainer.optimizer.param_groups[0]["lr"] = 0.1 / (1 + 0.01 * self.steps)

    def cb_on_iteration_end(
        self, trainer: object, iteration: int, metrics: dict[str, float]
    ) -> None:
        """Report the count."""
        metrics["curriculum/steps"] = self.steps

    def state_dict(self) -> dict[str, int]:
        """Return the count."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a count."""
        self.steps = state["steps"]


class Unsavable(Counter):
    """Have a state that could not be loaded safely."""

    def state_dict(self) -> dict[str, Any]:
        """Return a number of NumPy's."""
        return {"steps": np.float64(self.steps)}


class Exploding(nn.CrossEntropyLoss):
    """Return a loss that is NaN while the model trains."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Give a loss that no training recovers from."""
        return super().forward(logits, targets) * torch.nan


class Margin:
    """Measure how far apart the outputs are on average: a metric of a user's own."""

    def __init__(self) -> None:
        self.margins: list[Tensor] = []

    def reset(self) -> None:
        """Forget everything."""
        self.margins = []

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in a batch."""
        self.margins.append((preds[:, 1] - preds[:, 0]) * (2 * target - 1))

    def compute(self) -> float:
        """Return the mean, of all that came since it was reset."""
        return torch.cat(self.margins).mean().item()


class CountedBatches:
    """Count batches, under the name of what the trainer measures otherwise."""

    def reset(self) -> None:
        """Forget everything."""
        self.batches = 0

    def update(self, preds: Any, target: Any) -> None:
        """Take in a batch."""
        del preds, target
        self.batches += 1

    def compute(self) -> float:
        """Return the number of batches."""
        return self.batches


def load_text(path: str) -> list[float]:
    """Load numbers from a text file, some noise added, as a user's loader would."""
    return [float(word) + random.gauss(0, 0.01) for word in Path(path).read_text().split()]


def load_image(path: str) -> Tensor:
    """Load an image (1, 6, 6) from a text file, some noise added."""
    return torch.tensor(load_text(path)).reshape(1, 6, 6)


class Misspelt:
    """Have a callback that does not exist."""

    def cb_on_iteration_ends(self) -> None:
        """Never be called."""


class Wrong:
    """Have a callback with too few parameters."""

    def cb_on_step_end(self, trainer: object, iteration: int) -> None:
        """Never be called."""


def run_told(run_dir: str, until: str) -> None:
    """Be the program that is told to pause after an iteration; a warning is an error."""
    os.environ["ORCH_STOP_AFTER"] = until
    warnings.simplefilter("error")
    run_program(run_dir)


def run_program(run_dir: str) -> None:
    """Be `python -m trainer RUN_DIR` in a process that has imported all it needs."""
    from trainer.__main__ import main  # noqa: PLC0415 - a program is imported when it is started

    with Path(run_dir, "out.log").open("a") as out, Path(run_dir, "err.log").open("a") as err:
        sys.stdout, sys.stderr = out, err
        try:
            code = main([run_dir])
        except Exception:  # noqa: BLE001 - as Python itself does
            traceback.print_exc()
            code = 1
        sys.exit(code)
