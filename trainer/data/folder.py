"""Data sets that are folders of files, one folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from trainer.data.split import split
from trainer.errors import ConfigError
from trainer.hydra_targets import find_function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Loader = Callable[[str], Any]

PARTS = ("train", "validation", "test")


class Folder:
    """The files of class folders as pairs of a sample, float32 `input_shape`, and a label.

    The files are in train/<class>/, validation/<class>/ and test/<class>/; a missing part is split
    off the training files, which may also be in <class>/. Classes are numbered in the order of their
    names. Hidden files and other folders are ignored.

    Args:
        path: The folder, relative to the folder in which the program is started.
        loader: The dotted name of a function that takes the path of a file and returns its sample, as
            a tensor or array of shape `input_shape`: `numpy.load`, or your own. It may augment with
            random numbers from PyTorch, NumPy and Python.
        input_shape: The shape of a sample.
        classes: The number of classes, for other groups to refer to.
        validation: The number of files to validate with, or their share if below 1.
        held_out: The same for the test.
        split_seed: Shuffles the files before they are split; `None` keeps their order.
    """

    def __init__(  # noqa: PLR0913 - it describes any folder
        self,
        path: str,
        loader: str,
        input_shape: Sequence[int],
        classes: int,
        *,
        validation: float = 0.1,
        held_out: float = 0.2,
        split_seed: int | None = 0,
    ) -> None:
        folder = Path(path)
        load = find_function(loader, "data.loader")
        has_parts = (folder / PARTS[0]).is_dir()
        names = classes_in(folder / PARTS[0] if has_parts else folder, classes)
        there = [part for part in PARTS[1:] if has_parts and (folder / part).is_dir()]
        files = files_in(folder / PARTS[0] if has_parts else folder, names)
        rows = split(
            len(files),
            None if "validation" in there else validation,
            None if "test" in there else held_out,
            split_seed,
        )
        parts = {part: [files[row] for row in of] for part, of in zip(PARTS, rows, strict=True)}
        parts |= {part: files_in(folder / part, names) for part in there}
        shape = tuple(input_shape)
        self.train, self.validation, self.test = (
            LoadedSamples(parts[part], load, shape) for part in PARTS
        )
        # If no file can be loaded, raise now, and not in a loader worker.
        for samples in (self.train, self.validation, self.test):
            samples.load(samples.files[0][0])


class LoadedSamples(Dataset[tuple[Tensor, Tensor]]):
    """A data set that loads samples from files on access.

    Args:
        files: The files with the index of their class.
        load: Loads the sample of a path.
        shape: The shape of every sample.
    """

    def __init__(self, files: list[tuple[Path, int]], load: Loader, shape: tuple[int, ...]) -> None:
        self.files = files
        self.targets = torch.tensor([label for _, label in files])
        self.shape = shape
        self._load = load

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a sample, float32 of the shape, and its label, int64 ()."""
        return self.load(self.files[index][0]), self.targets[index]

    def load(self, path: Path) -> Tensor:
        """Load the sample of a file.

        Raises:
            ConfigError: If the loader raises an error, or the sample has another shape.
        """
        try:
            sample = torch.as_tensor(self._load(str(path)), dtype=torch.float32)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"data: {path} cannot be loaded: {type(error).__name__}: {reason}. "
                "Correct data.loader, or remove the file."
            ) from error
        if sample.shape != self.shape:
            raise ConfigError(
                f"data: {path} is loaded as a sample of shape {[*sample.shape]}, not input_shape "
                f"{[*self.shape]}. Correct one of them."
            )
        return sample


def classes_in(folder: Path, count: int) -> list[str]:
    """Return the names of the class folders in a folder, in alphabetical order.

    Raises:
        ConfigError: If the folder cannot be read, or their number is not `count`.
    """
    try:
        names = sorted(each.name for each in folder.iterdir() if each.is_dir())
    except OSError as error:
        raise ConfigError(
            f"data: {folder.absolute()}: {error.strerror}. Correct data.path."
        ) from None
    visible = [name for name in names if not name.startswith(".")]
    if len(visible) != count:
        listed = ", ".join(visible[:5]) + (" ..." if len(visible) > len(visible[:5]) else "")
        raise ConfigError(
            f"data: {folder} has {len(visible)} class folders ({listed or 'none'}), not classes: "
            f"{count}. Correct data.classes, or data.path."
        )
    return visible


def files_in(folder: Path, names: list[str]) -> list[tuple[Path, int]]:
    """Return the files of every class with the index of the class, in alphabetical order.

    Raises:
        ConfigError: If a class does not have a folder or a file.
    """
    files = []
    for label, name in enumerate(names):
        try:
            found = sorted(each for each in (folder / name).iterdir() if each.is_file())
        except OSError as error:
            raise ConfigError(
                f"data: {folder / name}: {error.strerror}. Give every part one folder per class."
            ) from None
        found = [path for path in found if not path.name.startswith(".")]
        if not found:
            raise ConfigError(
                f"data: {folder / name} has no files. Fill it, or remove it and lower data.classes."
            )
        files += [(path, label) for path in found]
    return files
