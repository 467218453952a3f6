"""Cnn10, the ten-layer convolutional network of PANNs."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from trainer.models.shapes import channels_of


class Cnn10(nn.Module):
    """A classifier of spectrograms, or images as (time, frequency): four blocks of two convolutions.

    The architecture is that of Kong et al. 2020, "PANNs: Large-Scale Pretrained Audio Neural
    Networks for Audio Pattern Recognition", table I; the spectrogram is the input.

    Args:
        input_shape: The shape of one sample: (channels, time, frequency).
        classes: The number of classes.
        width: Multiplies the paper's 64, 128, 256 and 512 channels.
        block_dropout: The probability of dropping a value after each block; the paper's is 0.2.
        hidden_dropout: The same before and after the hidden layer; the paper's is 0.5.

    Raises:
        ValueError: If `width` is not above 0.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        width: float = 1.0,
        block_dropout: float = 0.2,
        hidden_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if not width > 0:
            raise ValueError(f"Invalid width: {width}")
        filters = [max(1, round(width * count)) for count in (64, 128, 256, 512)]
        pairs = pairwise([channels_of(input_shape, "Cnn10"), *filters])
        self.blocks = nn.Sequential(*(ConvBlock(*pair, block_dropout) for pair in pairs))
        self.hidden = nn.Linear(filters[-1], filters[-1])
        self.classifier = nn.Linear(filters[-1], classes)
        self.dropout = nn.Dropout(hidden_dropout)
        for layer in (self.hidden, self.classifier):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, samples: Tensor) -> Tensor:
        """Map samples (batch, channels, time, frequency) to logits (batch, classes)."""
        over_time = self.blocks(samples).mean(dim=3)
        features = over_time.amax(dim=2) + over_time.mean(dim=2)
        hidden = functional.relu(self.hidden(self.dropout(features)))
        logits: Tensor = self.classifier(self.dropout(hidden))
        return logits


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with batch normalisation and ReLU, and pooling by two."""

    def __init__(self, channels: int, filters: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
        )
        self.dropout = nn.Dropout(dropout)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, channels, time, frequency) to (batch, filters, time / 2, frequency / 2)."""
        maps = self.layers(images)
        # The paper's inputs are large; a dimension of size 1 cannot be pooled.
        window = [min(2, size) for size in maps.shape[2:]]
        pooled: Tensor = self.dropout(functional.avg_pool2d(maps, window))
        return pooled
