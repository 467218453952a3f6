"""The digits are scikit-learn's, split so that the test images stay unseen."""

import pytest
import torch
from sklearn.datasets import load_digits

from trainer.data.digits import Digits, read_digits
from trainer.errors import ConfigError


def test_digits_are_those_of_scikit_learn() -> None:
    """Reading the bundled file gives what `load_digits` gives, in its order."""
    theirs = load_digits()
    images, labels = read_digits()
    assert torch.equal(images, torch.from_numpy(theirs.images).float()[:, None] / 16)
    assert torch.equal(labels, torch.from_numpy(theirs.target))


def test_images_are_float_in_the_unit_interval() -> None:
    """A sample is an image (1, 8, 8) and a label."""
    image, label = Digits().train[0]
    assert (image.shape, image.dtype, label.dtype) == ((1, 8, 8), torch.float32, torch.int64)
    images, _ = read_digits()
    assert (images.min().item(), images.max().item()) == (0, 1)


def test_last_images_are_held_out() -> None:
    """Train, validation and test follow each other and leave nothing out."""
    data = Digits(held_out=397, validation=200)
    parts = [part.tensors[0] for part in (data.train, data.validation, data.test)]
    assert [len(part) for part in parts] == [1200, 200, 397]
    assert torch.equal(torch.cat(parts), read_digits()[0])


@pytest.mark.parametrize(
    "split", [{"held_out": 0}, {"validation": 0}, {"held_out": 1797}, {"validation": 1400}]
)
def test_split_that_leaves_a_part_empty_is_an_error(split: dict[str, int]) -> None:
    """The message names the numbers that do not fit."""
    with pytest.raises(ConfigError, match=r"^data: held_out .* leave no images"):
        Digits(**split)


def test_other_shape_is_an_error() -> None:
    """What other groups refer to is what the images have."""
    with pytest.raises(ConfigError, match=r"classes: 10"):
        Digits(classes=11)
