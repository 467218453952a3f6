"""Samples are plain only if their code can do nothing but compute them from tensors and an index."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset, default_collate

from trainer.loading.plain_samples import are_plain

TENSORS = TensorDataset(torch.arange(8), torch.arange(8))
OFFSET = torch.ones(1)


class Plain(Dataset[Any]):
    """Samples that are rows of tensors."""

    def __init__(self, **changes: object) -> None:
        self.images, self.labels, self.transform = torch.arange(8), [*range(8)], None
        self.array = np.arange(8)
        self.count = 0
        vars(self).update(changes)

    def __len__(self) -> int:
        """Count the samples."""
        return 8

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        return self.images[index], self.labels[index]


class Converted(Plain):
    """Samples that are rows, converted, with an idiom that many data sets have."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        image = self.images[index].float() / 255 - 1
        if self.transform is not None:
            image = self.transform(image)
        return {"x": image, "label": torch.tensor(int(self.array[index]), dtype=torch.long)}


class Counts(Plain):
    """Samples that count."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        self.count += 1
        return self.images[index]


class Stores(Plain):
    """Samples that write where they read."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        self.images[index] = 0
        return self.images[index]


class InPlace(Plain):
    """Samples that change what they return."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        image = self.images[index]
        image += 1
        return image


class ByMethod(Plain):
    """Samples that change what they return by a method."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        return self.images[index].add_(1)


class Draws(Plain):
    """Samples with a random part."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        return self.images[index] + torch.rand(1)


class DrawsElsewhere(Plain):
    """Samples with a random part of Python's."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        return self.images[index] + random.random()  # noqa: S311 - it is what is tested


class Global(Plain):
    """Samples that depend on a global."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        return self.images[index] + OFFSET


class Escapes(Plain):
    """Samples that hand out their data set."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        return self if index else self.images


class Chooses(Plain):
    """Samples of which an attribute belongs to one of two objects."""

    def __init__(self) -> None:
        super().__init__(add_=torch.zeros(1))

    def __getitem__(self, index: Any) -> Any:
        """Return a sample."""
        return (index or self).add_


class Property(Plain):
    """Samples with an attribute that is computed."""

    @property
    def computed(self) -> Tensor:
        """Draw."""
        return torch.rand(8)

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        return self.computed[index]


class Many(Plain):
    """Samples that are made together."""

    def __getitems__(self, indices: list[int]) -> Any:
        """Return samples."""
        return [torch.rand(1) for _ in indices]


class Strange(Plain):
    """Samples with attributes that nobody has set."""

    def __getattr__(self, name: str) -> Any:
        """Draw."""
        return torch.rand(8)


class WithDefault(Plain):
    """Samples with a hidden place."""

    def __getitem__(self, index: int, seen: Any = []) -> Any:  # noqa: B006 - it is what is tested
        """Return a sample."""
        return self.images[index]


class Loops(Plain):
    """Samples that are computed in a loop."""

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        while index:
            index = self.labels[index]
        return index


class Own(Tensor):
    """A tensor of the user's own."""


def collated(samples: list[Any]) -> Any:
    """Collate as PyTorch does."""
    return default_collate(samples)


def shadowed(index: int) -> int:
    """Stand for a function that hides one of Python's."""
    return index


class TensorsOfAnother(TensorDataset):
    """Tensors with a method of their own."""

    def __getitem__(self, index: int) -> Any:
        """Draw."""
        return torch.rand(1)


@pytest.mark.parametrize(
    "samples",
    [
        Plain(),
        Converted(),
        TENSORS,
        Subset(TENSORS, [1, 2]),
        Subset(Plain(), [1, 2]),
        ConcatDataset([Subset(Plain(), [1]), TENSORS]),
        Plain(labels=np.arange(8)),
        Plain(labels=["a"] * 8),
    ],
)
def test_rows_of_tensors_are_plain(samples: Any) -> None:
    assert are_plain(samples, default_collate, None)


@pytest.mark.parametrize(
    "samples",
    [
        *(
            Counts(),
            Stores(),
            InPlace(),
            ByMethod(),
            Draws(),
            DrawsElsewhere(),
            Global(),
            Escapes(),
        ),
        *(Chooses(), Property(), Many(), Strange(), WithDefault(), Loops()),
        Converted(transform=torch.nn.Dropout()),
        Plain(images=Own()),
        Plain(labels=[SimpleNamespace()]),
        Plain(labels=np.array([SimpleNamespace()])),
        Plain(labels={0: 1}),
        Plain(__getitems__=lambda indices: indices),
        Subset(Counts(), [1, 2]),
        Subset(Plain(), [SimpleNamespace()]),  # type: ignore[list-item]  # as users may
        ConcatDataset([Plain(), Draws()]),
        TensorsOfAnother(torch.arange(3)),
        [1, 2, 3],
    ],
)
def test_anything_else_is_not(samples: Any) -> None:
    assert not are_plain(samples, default_collate, None)


def test_a_collate_function_or_a_sampler_of_the_users_is_not_plain() -> None:
    assert not are_plain(Plain(), default_collate, [1, 2])
    assert not are_plain(Plain(), collated, None)


def test_a_function_of_the_users_that_pytorch_collates_with_is_not_plain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = default_collate.__globals__["default_collate_fn_map"]
    monkeypatch.setitem(known, Tensor, collated)
    assert not are_plain(Plain(), default_collate, None)


def test_a_function_that_hides_one_of_pythons_is_not_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "int", shadowed)
    assert not are_plain(Converted(), default_collate, None)
