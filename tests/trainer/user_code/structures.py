"""Samples, targets and outputs of structures that users know, and models for them."""

from collections import UserDict, namedtuple
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.utils.data import Dataset, TensorDataset
from user_modules import labelled


class Pair(NamedTuple):
    """Be an input and a target."""

    image: Tensor
    label: Tensor


class Encoding(UserDict[str, Tensor]):
    """Be what a tokenizer of Hugging Face's gives: a dictionary that can be brought to a device."""

    def to(self, device: torch.device) -> "Encoding":
        """Bring all."""
        return Encoding({key: value.to(device) for key, value in self.data.items()})


class Graph:
    """Be a batch as PyTorch Geometric's: an object with inputs, targets and `to`."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def to(self, device: torch.device) -> "Graph":
        """Bring both."""
        return Graph(self.x.to(device), self.y.to(device))


@dataclass
class Output:
    """Be what a model of Hugging Face's gives."""

    logits: Tensor
    loss: Tensor | None = None


SHAPES = {
    "three": lambda x, y: (x[:3], x[3:], y),
    "dictionary": lambda x, y: {"input_ids": x, "attention_mask": torch.ones(6), "labels": y},
    "named": Pair,
    "two targets": lambda x, y: (x, (y, x.sum())),
    "targets by name": lambda x, y: (x, {"class": y, "sum": x.sum()}),
    "texts": lambda x, y: (x.expand(4, 6), y.expand(4)),
}


class Shaped(Dataset[Any]):
    """Give samples of a structure."""

    def __init__(self, samples: TensorDataset, structure: str) -> None:
        self.samples, self.structure = samples, structure

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        """Make a sample."""
        return SHAPES[self.structure](*self.samples[index])


class Data:
    """Offer three data sets of samples of a structure."""

    def __init__(self, structure: str) -> None:
        self.train, self.validation, self.test = (Shaped(labelled(n), structure) for n in range(3))


class ThreeTensors:
    """Offer three data sets of two inputs and a target in tensors."""

    def __init__(self) -> None:
        parts = (labelled(n).tensors for n in range(3))
        self.train, self.validation, self.test = (
            TensorDataset(x[:, :3], x[:, 3:], y) for x, y in parts
        )


class Plain:
    """Offer three data sets in tensors."""

    def __init__(self) -> None:
        self.train, self.validation, self.test = (labelled(n) for n in range(3))


def as_encoding(samples: list[Any]) -> Encoding:
    """Collate as a tokenizer of Hugging Face's does."""
    x, y = torch.utils.data.default_collate(samples)
    return Encoding({"input_ids": x, "attention_mask": torch.ones_like(x), "labels": y})


def as_graph(samples: list[Any]) -> Graph:
    """Collate as PyTorch Geometric does."""
    return Graph(*torch.utils.data.default_collate(samples))


def as_packed(samples: list[Any]) -> tuple[PackedSequence, Tensor]:
    """Collate sequences of several lengths."""
    parts = [x[: 2 + int(y)][:, None] for x, y in samples]
    return pack_sequence(parts, enforce_sorted=False), torch.stack([y for _, y in samples])


class Net(nn.Module):
    """Map numbers to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, samples: Tensor) -> Any:
        """Map samples (batch, ..., 6) to logits (batch, ..., 2)."""
        return self.layer(samples)


class TwoInputs(Net):
    """Take two inputs."""

    def forward(self, left: Tensor, right: Tensor) -> Any:  # type: ignore[override]
        """Map both to logits."""
        return super().forward(torch.cat([left, right], dim=-1))


class Hugging(Net):
    """Take names, and compute the loss where there are labels, as models of Hugging Face do."""

    def forward(  # type: ignore[override]
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> Any:
        """Map inputs to an output."""
        logits = self.layer(input_ids * attention_mask)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return Output(logits, loss)


class OfGraphs(Net):
    """Take a graph."""

    def forward(self, batch: Graph) -> Any:  # type: ignore[override]
        """Map it to logits."""
        return self.layer(batch.x)


class Recurrent(nn.Module):
    """Take packed sequences."""

    def __init__(self) -> None:
        super().__init__()
        self.cells, self.layer = nn.GRU(1, 6), nn.Linear(6, 2)

    def forward(self, samples: PackedSequence) -> Tensor:
        """Map sequences to logits."""
        logits: Tensor = self.layer(self.cells(samples)[1][0])
        return logits


class Sum(nn.Module):
    """Take two targets, by name or not."""

    def forward(self, outputs: Tensor, targets: Any) -> Tensor:
        """Return the mean loss."""
        labels = targets["class"] if isinstance(targets, dict) else targets[0]
        return nn.functional.cross_entropy(outputs, labels)


class LogitsLast(nn.Module):
    """Take the logits of each place of a text (batch, time, classes)."""

    classifies = True

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss."""
        return nn.functional.cross_entropy(outputs.transpose(1, 2), targets)


Fields = namedtuple("Fields", ["a", "b"])  # noqa: PYI024 - as old code has them
