"""Scores of training samples that are read from a file, or random."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from trainer.errors import ConfigError
from trainer.seeding import derive

if TYPE_CHECKING:
    from collections.abc import Sized

    from trainer.trainer import ModularTaskTrainer


class RandomScores:
    """Random scores, as a baseline for other curricula: f(seed), constant within a run."""

    def score(self, trainer: ModularTaskTrainer) -> Tensor:
        """Return scores from 0 to 1 (samples,)."""
        generator = torch.Generator().manual_seed(derive(trainer.settings.seed, "scores"))
        return torch.rand(count_samples(trainer), generator=generator, dtype=torch.float64)


class FileScores:
    """Scores from a file, one per training sample, in the order of the data set; greater is harder.

    Args:
        path: A `.npy` file of numbers (samples,), or a text file with one number per line; relative
            to the folder in which the program is started.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def score(self, trainer: ModularTaskTrainer) -> Tensor:
        """Return the file's numbers (samples,).

        Raises:
            ConfigError: If they cannot be read, or are not one finite number per sample.
        """
        try:
            numbers = read_numbers(Path(self.path))
        except OSError as error:
            raise ConfigError(
                f"curriculum.scores: {Path(self.path).absolute()}: {error.strerror}. Correct path."
            ) from None
        except (ValueError, EOFError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"curriculum.scores: {self.path}: {reason}. Write one number per line, or a .npy file."
            ) from None
        return checked_scores(torch.from_numpy(numbers), count_samples(trainer), self.path)


def read_numbers(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Read an array of numbers from a `.npy` file or a text file.

    Raises:
        ValueError: If the content is not numbers.
        OSError: If the file cannot be read.
    """
    if path.suffix == ".npy":
        with path.open("rb") as file:
            array = np.asarray(np.load(file, allow_pickle=False))
        if array.dtype.kind not in "biuf":
            raise ValueError(f"its type is {array.dtype}, not a number")
        return array.astype(np.float64)
    return np.array([float(line) for line in path.read_text("utf-8").splitlines() if line.strip()])


def checked_scores(scores: Tensor, count: int, where: str) -> Tensor:
    """Return scores (samples,) if they can order the training samples.

    Raises:
        ConfigError: If they are not one finite number per sample.
    """
    if scores.shape != (count,):
        raise ConfigError(
            f"curriculum.scores: {where} has scores {[*scores.shape]} for {count} training samples. "
            "Give one per sample."
        )
    bad = (~scores.isfinite()).nonzero()
    if len(bad):
        place = int(bad[0])
        raise ConfigError(
            f"curriculum.scores: {where} has {scores[place].item()} for training sample {place}, "
            "which is not finite. Correct it."
        )
    return scores


def count_samples(trainer: ModularTaskTrainer) -> int:
    """Count the training samples.

    Raises:
        ConfigError: If they are a stream.
    """
    samples: Any = trainer.data.train
    if isinstance(samples, IterableDataset):
        raise ConfigError(
            f"curriculum.scores: data: train is a {type(samples).__name__}, a stream, whose samples cannot"
            " be numbered. Make it a map-style data set, or remove the curriculum."
        )
    sized: Sized = samples
    return len(sized)
