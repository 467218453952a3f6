"""ResNet maps images of any size to logits."""

import pytest
import torch
from torch import nn

from trainer.models.resnet import Block, ResNet


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
