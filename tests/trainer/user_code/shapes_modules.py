"""Samples of many lengths, and a model for them."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset


class LongAndShort(Dataset[tuple[Tensor, int]]):
    """Offer a sample of each length."""

    def __init__(self, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.samples = [
            torch.randn(length, 6, generator=generator) for length in range(2, count + 2)
        ]

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return a sample (length, 6) and its class."""
        return self.samples[index], index % 2


class Lengths:
    """Offer samples of many lengths."""

    def __init__(self, count: int) -> None:
        self.train, self.validation, self.test = (LongAndShort(count, seed) for seed in range(3))


class Pooled(nn.Module):
    """Map samples (batch, length, 6) to logits (batch, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 2))

    def forward(self, samples: Tensor) -> Any:
        """Take the mean over the length."""
        return self.layers(samples).mean(dim=1)
