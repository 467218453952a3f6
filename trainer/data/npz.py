"""Data sets that are arrays in a `.npz` file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from trainer.data.split import split
from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Pair = tuple[Tensor, Tensor]

PARTS = ("train", "validation", "test")


class Npz:
    """The arrays of a file as pairs of a sample, float32 `input_shape`, and a target.

    With the names x and y, the training samples are in x_train and y_train, or in x and y; the
    others in x_validation, y_validation, x_test and y_test. A part that the file does not have is
    split off the training samples. Integer targets are class indices (int64), others are regression
    targets (float32).

    Args:
        path: The file, relative to the folder in which the program is started.
        input_shape: The shape of a sample; the arrays may be flattened, or lack dimensions of size 1.
        classes: The number of classes, for other groups to refer to; targets are below it. For
            regression, the number of values per target.
        samples: The name of the arrays (samples, ...) with the samples.
        targets: The name of the arrays (samples,) with the targets, or (samples, classes).
        scale: The samples are divided by it, for example by 255 for bytes.
        validation: The number of samples to validate with, or their share if below 1.
        held_out: The same for the test.
        split_seed: Shuffles the samples before they are split; `None` keeps their order.
    """

    def __init__(  # noqa: PLR0913 - it describes any file
        self,
        path: str,
        input_shape: Sequence[int],
        classes: int,
        *,
        samples: str = "x",
        targets: str = "y",
        scale: float = 1.0,
        validation: float = 0.1,
        held_out: float = 0.2,
        split_seed: int | None = 0,
    ) -> None:
        self.path = path
        self.names = (samples, targets)
        self.input_shape = tuple(input_shape)
        self.classes = classes
        self.scale = scale
        parts = self._read()
        xs, ys = parts.pop("train")
        rows = split(
            len(xs),
            None if "validation" in parts else validation,
            None if "test" in parts else held_out,
            split_seed,
        )
        cut = {part: (xs[of], ys[of]) for part, of in zip(PARTS, rows, strict=True)}
        parts = {**cut, **parts}
        self.train, self.validation, self.test = (TensorDataset(*parts[part]) for part in PARTS)

    def _read(self) -> dict[str, Pair]:
        """Read the parts that the file has."""
        arrays = read_arrays(self.path)
        samples, targets = self.names
        found = {}
        for part in PARTS:
            names = f"{samples}_{part}", f"{targets}_{part}"
            if part == "train" and names[0] not in arrays:
                names = self.names
            if part == "train" or names[0] in arrays:
                found[part] = self._pair(arrays, *names)
        return found

    def _pair(self, arrays: dict[str, np.ndarray[Any, Any]], *names: str) -> Pair:
        """Return samples (samples, *input_shape) and their targets."""
        for name in names:
            if name not in arrays:
                raise ConfigError(
                    f"data: {self.path} does not have an array {name!r}, only {', '.join(arrays)}. "
                    "Set data.samples and data.targets to these names."
                )
        found, wanted = (arrays[name] for name in names)
        if found.ndim == 0 or found.shape[:1] != wanted.shape[:1] or not len(found):
            raise ConfigError(
                f"data: {self.path}: {names[0]} {[*found.shape]} and {names[1]} {[*wanted.shape]} "
                "are not one target per sample. Correct the file."
            )
        return self._samples(found, names[0]), self._targets(wanted, names[1])

    def _samples(self, array: np.ndarray[Any, Any], name: str) -> Tensor:
        ours = [size for size in self.input_shape if size != 1]
        if array.shape[1:] != (np.prod(ours, dtype=int),) and [*_ones_removed(array)] != ours:
            raise ConfigError(
                f"data: {self.path}: a sample of {name} has the shape {[*array.shape[1:]]}, not "
                f"input_shape {[*self.input_shape]}. Correct data.input_shape."
            )
        values = torch.from_numpy(array.astype(np.float32) / np.float32(self.scale))
        return self._finite(values, name).reshape(-1, *self.input_shape)

    def _targets(self, array: np.ndarray[Any, Any], name: str) -> Tensor:
        if array.dtype.kind == "f":
            values = self._finite(torch.from_numpy(array.astype(np.float32)), name)
            if values[0].shape not in ((), (self.classes,)) or values[0].numel() != self.classes:
                raise ConfigError(
                    f"data: {self.path}: a target of {name} has the shape {[*values.shape[1:]]}, "
                    f"not [{self.classes}]. Correct data.classes."
                )
            return values.reshape(-1, self.classes)
        if array.ndim != 1:
            raise ConfigError(
                f"data: {self.path}: {name} {[*array.shape]} is not one class per sample. "
                "Correct the file."
            )
        labels = torch.from_numpy(array.astype(np.int64))
        if not 0 <= int(labels.min()) <= int(labels.max()) < self.classes:
            raise ConfigError(
                f"data: {self.path}: {name} has values from {int(labels.min())} to "
                f"{int(labels.max())}, not classes from 0 to {self.classes - 1}. Correct data.classes."
            )
        return labels

    def _finite(self, values: Tensor, name: str) -> Tensor:
        bad = (~values.isfinite()).nonzero()
        if len(bad):
            raise ConfigError(
                f"data: {self.path}: {name} is not finite in row {int(bad[0][0])}. Correct the file."
            )
        return values


def read_arrays(path: str) -> dict[str, np.ndarray[Any, Any]]:
    """Read the arrays of numbers in a `.npz` file, by their names.

    Raises:
        ConfigError: If the file cannot be read, is not a `.npz` file, or has other values.
    """
    try:
        with Path(path).open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ConfigError(f"data: {path} is a single array. Write it with numpy.savez.")
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise ConfigError(
            f"data: {Path(path).absolute()}: {error.strerror or error}. Correct data.path."
        ) from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"data: {path} is not a .npz file of numbers: {error}. Write it with numpy.savez."
        ) from None
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ConfigError(
                f"data: {path}: the type of {name} is {array.dtype}, not a number. Correct it."
            )
    return arrays


def _ones_removed(array: np.ndarray[Any, Any]) -> list[int]:
    return [size for size in array.shape[1:] if size != 1]
