"""The multilayer perceptron."""

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn


class Mlp(nn.Module):
    """A classifier of flattened inputs with two hidden layers of ReLU units.

    Args:
        input_shape: The shape of one sample, without the batch.
        classes: The number of classes.
        hidden: The width of both hidden layers.
        dropout: The probability with which a hidden unit is dropped in training.

    Raises:
        ValueError: If there are no hidden units, and the outputs would be constants.
    """

    def __init__(
        self, input_shape: Sequence[int], classes: int, hidden: int = 128, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"Invalid hidden: {hidden}")
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(prod(input_shape), hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )

    def forward(self, samples: Tensor) -> Tensor:
        """Map samples (batch, *input_shape) to logits (batch, classes)."""
        logits: Tensor = self.layers(samples)
        return logits
