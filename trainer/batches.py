"""Owns how samples become batches: the loaders, and the place a training has reached in them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch.utils.data import DataLoader, TensorDataset

from trainer.errors import ConfigError
from trainer.seeding import EpochOrder, SeededSamples, derive, draws_random_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

    from torch import Tensor
    from torch.utils.data import Dataset

    from trainer.settings import Settings

    Batch = tuple[Tensor, Tensor]
    Loader: TypeAlias = "DataLoader[Any] | TensorBatches"

# Batches of the training's size that make one where no gradients are kept: they have room enough.
EVALUATED_TOGETHER = 2


def make_loader(samples: Dataset[Any], part: str, settings: Settings) -> Loader:
    """Make the loader of one part of the data, with generators of its own; only `train` is shuffled.

    Iterating over it takes nothing from the global generators, so evaluating never changes training.
    Tensors are cut into batches right here, unless `dataloader` asks for workers or pinned memory.

    Raises:
        ConfigError: If a key of `dataloader` is none of `DataLoader`'s, or the trainer's to decide.
    """
    is_train = part == "train"
    seed = derive(settings.seed, part)
    is_random = draws_random_numbers(samples)
    order = EpochOrder(
        cast("Sized", samples),
        settings.batch_size * (1 if is_train else EVALUATED_TOGETHER),
        seed if is_train else None,
        drop_last=is_train and bool(settings.dataloader.get("drop_last", False)),
        with_epoch=is_random,
    )
    # Tensors are indexed a batch at a time; other samples are made one by one, then collated.
    batching = {"batch_sampler": order} if is_random else {"sampler": order, "batch_size": None}
    options = {key: value for key, value in settings.dataloader.items() if key != "drop_last"}
    if options.get("num_workers"):
        # A process from a forkserver would start its workers from another forkserver: seconds each.
        options = {"multiprocessing_context": "fork"} | options
    try:
        loader = DataLoader(
            SeededSamples(samples, seed) if is_random else samples,
            generator=torch.Generator().manual_seed(derive(seed, "loader")),
            **cast("dict[str, Any]", batching),
            **cast("dict[str, Any]", options),
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"dataloader: {error}. Correct or remove the key.") from error
    if isinstance(samples, TensorDataset) and not (loader.num_workers or loader.pin_memory):
        return TensorBatches(samples, order)
    return loader


class TensorBatches:
    """Cut the batches of an order out of tensors: the same ones as a `DataLoader`, ten times faster.

    Every batch is a copy, which a model may change.
    """

    def __init__(self, dataset: TensorDataset, order: EpochOrder) -> None:
        self.dataset = dataset
        self.sampler = order

    def __len__(self) -> int:
        """Count the batches of a whole pass."""
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the order."""
        samples, targets = self.dataset.tensors
        for indices in self.sampler.batches():
            yield samples.index_select(0, indices), targets.index_select(0, indices)


class TrainingBatches:
    """Walk through the training set pass after pass, from any place on.

    `epoch` counts the finished passes and `batch` the batches taken of this one: together with the
    samples that the passes are restricted to, they are the place from which another process can go on.
    """

    def __init__(self, loader: Loader) -> None:
        self.epoch = 0
        self.batch = 0
        self._loader = loader
        # Only a loader that collates single samples knows our order as its batch sampler.
        batch_sampler, sampler = (
            getattr(loader, name, None) for name in ("batch_sampler", "sampler")
        )
        self._order = cast("EpochOrder", batch_sampler or sampler)
        self._last = 0
        self._iterator: Iterator[Batch] | None = None
        self._allowed_next: Tensor | None = None

    def __len__(self) -> int:
        """Count the batches of a whole pass."""
        return len(self._order)

    def restrict(self, indices: Tensor | None) -> None:
        """Take only these samples of the training set, from the next pass on, until told otherwise.

        A pass that has begun keeps its samples. Callbacks may call this at any event: what the
        passes are restricted to is saved with the place.

        Args:
            indices: Integers (samples,), in any order, each at least once; `None` allows all.

        Raises:
            ConfigError: If an index is not in the training set, or they do not fill a batch.
        """
        allowed = None if indices is None else self._mask(indices)
        self._allowed_next = allowed
        if self.batch == 0:
            self._order.restrict(allowed)

    def _mask(self, indices: Tensor) -> Tensor:
        count = len(self._order.samples)
        strange = indices[(indices < 0) | (indices >= count)]
        if len(strange):
            raise ConfigError(
                f"dataloader: there are {count} training samples, and no index {int(strange[0])}. "
                "Correct the indices."
            )
        allowed = torch.zeros(count, dtype=torch.bool)
        allowed[indices] = True
        left = int(allowed.sum())
        if left < (self._order.batch_size if self._order.drop_last else 1):
            raise ConfigError(
                f"dataloader: {left} training samples make no batch. "
                "Allow more of them, lower batch_size, or set drop_last: false."
            )
        return allowed

    def take(self, count: int = 1) -> list[Batch]:
        """Return the next batches of this pass, fewer than `count` at its end.

        A batch is samples (batch, ...) and targets (batch, ...).
        """
        if self._iterator is None:
            self._order.epoch = self.epoch
            self._order.first_batch = self.batch
            self._last = len(self)
            self._iterator = iter(self._loader)
        taken = [*islice(self._iterator, count)]
        self.batch += len(taken)
        return taken

    def end_pass(self) -> bool:
        """Begin the next pass if this one is exhausted, and tell whether it was."""
        if self.batch < self._last:
            return False
        self.epoch, self.batch, self._iterator = self.epoch + 1, 0, None
        self._order.restrict(self._allowed_next)
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the place that is reached."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "allowed": self._order.allowed,
            "allowed_next": self._allowed_next,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a place that `state_dict` returned."""
        self.epoch, self.batch, self._iterator = state["epoch"], state["batch"], None
        self._order.restrict(state["allowed"])
        self._allowed_next = state["allowed_next"]
