"""Owns how samples become batches: the loaders, and the place a training has reached in them."""

from __future__ import annotations

from itertools import islice
from operator import getitem
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch.utils.data import DataLoader, IterableDataset

from trainer.build import playing
from trainer.errors import ConfigError
from trainer.seeding import EpochOrder, SeededSamples, are_plain_tensors, derive
from trainer.targets import call_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sized

    from torch import Tensor
    from torch.utils.data import Dataset, TensorDataset

    from trainer.settings import Settings

    Batch = tuple[Tensor, Tensor]
    Loader: TypeAlias = "DataLoader[Any] | TensorBatches"

# Batches of the training's size that make one where no gradients are kept: they have room enough.
EVALUATED_TOGETHER = 2
PAIR = 2  # a sample and its target


def make_loader(
    samples: Dataset[Any], part: str, settings: Settings, *, is_watched: bool = False
) -> Loader:
    """Make the loader of one part of the data, with generators of its own; only `train` is shuffled.

    Iterating over it takes nothing from the global generators, so evaluating never changes training.
    Tensors are cut into batches right here, unless `dataloader` asks for workers, pinned memory or
    a way of its own to collate samples.

    Args:
        samples: The data set.
        part: Which of `trainer.build.PARTS` it is.
        settings: The trainer's settings.
        is_watched: Whether callbacks may change the data set: workers live for one iteration then.

    Raises:
        ConfigError: If a key of `dataloader` is none of the loader's, or the trainer's to decide, or
            if the samples make no batch.
    """
    is_train = part == "train"
    seed = derive(settings.seed, part)
    options = {**settings.dataloader}
    if options.get("num_workers"):
        # A process from a forkserver would start its workers from another forkserver: seconds each.
        options = {"multiprocessing_context": "fork"} | options
    if is_watched:
        options.pop("persistent_workers", None)
    # Tensors are indexed a batch at a time; other samples are made one by one, then collated.
    is_plain = are_plain_tensors(samples) and not options.keys() & {"collate_fn", "_target_"}
    order = EpochOrder(
        cast("Sized", samples),
        settings.batch_size * (1 if is_train else EVALUATED_TOGETHER),
        seed if is_train else None,
        drop_last=is_train and settings.drop_last,
        with_epoch=not is_plain,
    )
    check_samples(samples, part, order)
    batching = {"sampler": order, "batch_size": None} if is_plain else {"batch_sampler": order}
    handed = {
        "dataset": samples if is_plain else SeededSamples(samples, seed),
        "generator": torch.Generator().manual_seed(derive(seed, "loader")),
        **batching,
    }
    loader = _call_loader(options, handed)
    if is_plain and not (loader.num_workers or loader.pin_memory):
        return TensorBatches(cast("TensorDataset", samples), order)
    return loader


def _call_loader(options: dict[str, object], handed: dict[str, Any]) -> DataLoader[Any]:
    """Make a loader of the class that `_target_` names: PyTorch's, if it names none."""
    if any(isinstance(value, dict) for value in options.values()) or "_target_" in options:
        options = {"_target_": "torch.utils.data.DataLoader"} | options
        loader = call_target(options, "dataloader", **handed)
        return playing(loader, "dataloader", DataLoader)
    try:
        return DataLoader(**handed, **cast("dict[str, Any]", options))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"dataloader: {error}. Correct or remove the key.") from error


def check_samples(samples: Dataset[Any], part: str, order: EpochOrder) -> None:
    """Make sure that a data set has a length, and makes at least one batch of pairs.

    Raises:
        ConfigError: If not.
    """
    if isinstance(samples, IterableDataset) or not hasattr(samples, "__len__"):
        raise ConfigError(
            f"data: {part} is a {type(samples).__name__}, whose samples have no numbers. Give it"
            " __len__ and __getitem__: the order of samples is the trainer's to decide."
        )
    count = len(samples)
    if len(order) == 0:
        mend = ", lower batch_size, or set dataloader.drop_last: false" if order.drop_last else ""
        raise ConfigError(f"data: {part} has {count} samples, no batch. Give it more{mend}.")
    if (
        are_plain_tensors(samples)
        and (found := len(cast("TensorDataset", samples).tensors)) != PAIR
    ):
        raise ConfigError(
            f"data: a sample of {part} has {found} parts, not two. Make it a sample and a target."
        )


class TensorBatches:
    """Cut the batches of an order out of tensors: the same ones as a `DataLoader`, ten times faster.

    Every batch is a copy, which a model may change. It lies in memory as a `DataLoader`'s does, for
    kernels round otherwise in another order: what was permuted stays so.
    """

    def __init__(self, dataset: TensorDataset, order: EpochOrder) -> None:
        self.dataset = dataset
        self.sampler = order
        alike = all(map(_is_selected_alike, dataset.tensors))
        self._cut: Callable[[Tensor, Tensor], Tensor] = _select if alike else getitem

    def __len__(self) -> int:
        """Count the batches of a whole pass."""
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the order."""
        samples, targets = self.dataset.tensors
        for indices in self.sampler.batches():
            yield self._cut(samples, indices), self._cut(targets, indices)


def _select(values: Tensor, indices: Tensor) -> Tensor:
    return values.index_select(0, indices)


def _is_selected_alike(values: Tensor) -> bool:
    """Tell whether `index_select`, which is quicker, lays out what it takes as indexing does."""
    first = torch.arange(min(len(values), PAIR))
    return _select(values, first).stride() == values[first].stride()


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
        self._has_begun = False

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
        if not (self.batch or self._has_begun):
            self._order.restrict(allowed)

    def begin_pass(self) -> int:
        """Begin a pass, if none has begun, and return how many batches are left of it."""
        self._has_begun = True
        return len(self) - self.batch

    def renew(self) -> None:
        """Let loader workers see how the data set is now; those that there are know it as it was."""
        if getattr(self._loader, "num_workers", 0):
            self._iterator = None

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
        self._has_begun = False
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
        self._has_begun = False
        self._order.restrict(state["allowed"])
        self._allowed_next = state["allowed_next"]
