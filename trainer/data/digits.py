"""The handwritten digits that scikit-learn bundles: 1,797 grey images of 8 by 8 pixels."""

import gzip
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from trainer.errors import ConfigError

SHAPE = (1, 8, 8)
CLASSES = 10
BRIGHTEST = 16


class Digits:
    """The digits as (image, label) pairs: float32 (1, 8, 8) in [0, 1] and int64.

    The last `held_out` images are `test`, the last `validation` of the others are `validation`, the
    rest is `train`; so the choice of the best iteration never uses the test images.

    Args:
        held_out: The number of test images.
        validation: The number of validation images.
        classes: The number of classes, for other groups to refer to; there are 10.
        input_shape: The shape of an image, for other groups to refer to; it is (1, 8, 8).
    """

    def __init__(
        self,
        held_out: int = 397,
        validation: int = 200,
        classes: int = CLASSES,
        input_shape: Sequence[int] = SHAPE,
    ) -> None:
        if (classes, tuple(input_shape)) != (CLASSES, SHAPE):
            raise ConfigError(
                f"data: the digits have classes: {CLASSES}, input_shape: {[*SHAPE]}. Correct them."
            )
        images, labels = read_digits()
        end = len(labels) - held_out
        start = end - validation
        if not 0 < start < end < len(labels):
            raise ConfigError(
                f"data: held_out {held_out} and validation {validation} leave no images for one of "
                f"train, validation and test. There are {len(labels)}."
            )
        self.train = TensorDataset(images[:start], labels[:start])
        self.validation = TensorDataset(images[start:end], labels[start:end])
        self.test = TensorDataset(images[end:], labels[end:])


def read_digits() -> tuple[Tensor, Tensor]:
    """Read the images (1797, 1, 8, 8) and labels (1797,), in scikit-learn's order.

    The file is read from the installed package without importing it: `sklearn.datasets` takes ten
    times as long to import as the file to read. The images are those of Alpaydin and Kaynak 1998,
    "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository.
    """
    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise ConfigError("data: Digits needs scikit-learn. Install it: pip install scikit-learn.")
    path = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    with gzip.open(path, "rt") as file:
        # As integers: parsing floats takes five times as long.
        table = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.uint8))
    return table[:, :-1].reshape(-1, *SHAPE).float() / BRIGHTEST, table[:, -1].long()
