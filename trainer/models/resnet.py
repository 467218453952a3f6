"""ResNet, the residual network for small images."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from trainer.models.shapes import channels_of

STRIDES = (1, 2, 2)


class ResNet(nn.Module):
    """A classifier of small images: three stages of residual blocks, 6 * `blocks` + 2 layers in all.

    The architecture is the one that He et al. 2016, "Deep Residual Learning for Image Recognition",
    section 4.2, use for CIFAR-10; its shortcuts have no parameters (option A).

    Args:
        input_shape: The shape of an image: (channels, height, width).
        classes: The number of classes.
        blocks: The number of blocks in a stage; 3 make the paper's ResNet-20.
        width: The number of channels of the first stage, doubled in each later one; the paper's is 16.
    """

    def __init__(
        self, input_shape: Sequence[int], classes: int, blocks: int = 3, width: int = 16
    ) -> None:
        super().__init__()
        channels = [width, width, 2 * width, 4 * width]
        self.stem = nn.Conv2d(channels_of(input_shape, "ResNet"), width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.stages = nn.Sequential(
            *(
                stage(*pair, blocks, stride)
                for pair, stride in zip(pairwise(channels), STRIDES, strict=True)
            )
        )
        self.classifier = nn.Linear(channels[-1], classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # He et al. 2015, as in the paper
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Map images (batch, channels, height, width) to logits (batch, classes)."""
        maps = self.stages(functional.relu(self.norm(self.stem(images))))
        logits: Tensor = self.classifier(maps.mean(dim=(2, 3)))
        return logits


def stage(channels: int, filters: int, blocks: int, stride: int) -> nn.Sequential:
    """Make the blocks of a stage; the first one downsamples the image by its stride."""
    first = Block(channels, filters, stride)
    return nn.Sequential(first, *(Block(filters, filters, 1) for _ in range(blocks - 1)))


class Block(nn.Module):
    """A residual block of two 3x3 convolutions, each with batch normalisation."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.new_channels = filters - channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, filters, height / stride, width / stride)."""
        shortcut = images[:, :, :: self.stride, :: self.stride]
        if self.new_channels:
            shortcut = functional.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))
        return functional.relu(shortcut + self.layers(images))
