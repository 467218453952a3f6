"""Models map batches of samples to logits, whatever the samples' size."""

import pytest
import torch
from torch import nn

from trainer.errors import ConfigError
from trainer.models.cnn10 import Cnn10
from trainer.models.mlp import Mlp
from trainer.models.resnet import Block, ResNet


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


def test_mlp_flattens_its_samples() -> None:
    """Any shape of sample gives one row of logits each."""
    assert Mlp((1, 8, 8), classes=10, hidden=4)(torch.rand(3, 1, 8, 8)).shape == (3, 10)


def test_resnet_20_has_the_papers_size() -> None:
    """Table 6 of the paper: 0.27 million parameters, none in the shortcuts."""
    stages = [9 * (6 * 16**2), 9 * (16 * 32 + 5 * 32**2), 9 * (32 * 64 + 5 * 64**2)]
    normalisations = 2 * (7 * 16 + 6 * 32 + 6 * 64)
    weights = sum(each.numel() for each in ResNet((3, 32, 32), classes=10).parameters())
    assert weights == 9 * 3 * 16 + sum(stages) + normalisations + 64 * 10 + 10 == 269_722


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 5), (2, 1, 1)])
def test_resnet_takes_images_of_any_size(shape: tuple[int, int, int]) -> None:
    """Stages halve what can be halved."""
    model = ResNet(shape, classes=5, blocks=2, width=4).eval()
    assert model(torch.rand(2, *shape)).shape == (2, 5)


def test_shortcut_carries_the_image() -> None:
    """A block whose layers give nothing passes on what it gets, at every other place."""
    block = Block(2, 4, stride=2).eval()
    last = block.layers[-1]
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)
    images = torch.rand(1, 2, 6, 6)
    maps = block(images)
    assert torch.equal(maps[:, :2], images[:, :, ::2, ::2])
    assert not maps[:, 2:].any()


@pytest.mark.parametrize("model", [Cnn10, ResNet])
def test_model_of_images_refuses_other_samples(model: type[Cnn10 | ResNet]) -> None:
    """The line says what the model takes."""
    with pytest.raises(ConfigError, match=r"^model: .* takes images .* of shape \[6\]"):
        model([6], classes=2)
