"""Cnn10 maps images of any size to logits."""

import pytest
import torch

from trainer.models.cnn10 import Cnn10


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 1, 1), (3, 9, 17), (1, 101, 64)])
def test_cnn10_takes_images_of_any_size(shape: tuple[int, int, int]) -> None:
    """Pooling leaves dimensions alone that are already 1."""
    model = Cnn10(shape, classes=5, width=0.05).eval()
    assert model(torch.rand(2, *shape)).shape == (2, 5)


def test_cnn10_has_the_papers_size_at_width_one() -> None:
    """Eight convolutions of 64 to 512 filters and two linear layers are 4.95 million weights."""
    weights = sum(each.numel() for each in Cnn10((1, 64, 64), classes=527).parameters())
    convolutions = 9 * (64 + 64**2 + 64 * 128 + 128**2 + 128 * 256 + 256**2 + 256 * 512 + 512**2)
    normalisations = 2 * 2 * (64 + 128 + 256 + 512)
    assert weights == convolutions + normalisations + 512 * 513 + 527 * 513


def test_cnn10_drops_values_only_in_training() -> None:
    """Evaluation gives the same logits each time."""
    model, images = Cnn10((1, 8, 8), classes=3, width=0.1), torch.rand(4, 1, 8, 8)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


@pytest.mark.parametrize("width", [0, -4, float("nan")])
def test_cnn10_is_not_made_without_channels(width: float) -> None:
    """It would have one in each layer, as with the smallest width."""
    with pytest.raises(ValueError, match=r"^Invalid width"):
        Cnn10((1, 8, 8), classes=3, width=width)
