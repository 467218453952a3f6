"""Owns the loaders: what makes the batches of one part of the data, pass after pass."""

from __future__ import annotations

from operator import getitem
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch.utils.data import DataLoader, IterableDataset

from trainer.build import playing
from trainer.errors import ConfigError
from trainer.hydra_targets import call_target
from trainer.loading.changes import mark_of
from trainer.loading.options import build_sampler, read_loading
from trainer.loading.order import EpochOrder
from trainer.loading.resident import brought_if_small
from trainer.loading.seeded_batches import SeededBatches, are_plain_tensors
from trainer.loading.worker_failures import HeedOnlyTheTrainer, asked_later, killed_worker
from trainer.seeding import derive, forget_half_drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Sized

    from torch import Tensor
    from torch.utils.data import Dataset, TensorDataset

    from trainer.loading.options import Loading
    from trainer.settings import Config, Settings

    Loader: TypeAlias = "LoadedBatches | TensorBatches"

CPU = torch.device("cpu")
PAIR = 2  # a sample and its target
_NEVER = b""  # the mark of a data set before the first pass


def make_loader(
    samples: Dataset[Any],
    part: str,
    settings: Settings,
    *,
    device: torch.device = CPU,
    is_watched: bool = False,
) -> Loader:
    """Make the loader of one part of the data, with generators of its own; only `train` is shuffled.

    Iterating over it takes nothing from the global generators, so evaluating never changes training.
    Tensors are cut into batches right here, which is quicker than any worker, unless `dataloader`
    has a way of its own to collate samples.

    Args:
        samples: The data set.
        part: Which of `trainer.build.PARTS` it is.
        settings: The trainer's settings.
        device: Where the batches will be used: for a GPU they are made in pinned memory, and tensors
            that take little of its memory are brought there once.
        is_watched: Whether callbacks may change the data set.

    Raises:
        ConfigError: If a key of `dataloader` is none of the loader's, or the trainer's to decide, or
            if the samples make no batch.
    """
    loading, seed = read_loading(settings), derive(settings.seed, part)
    check_samples(samples, part)
    is_plain = are_plain_tensors(samples) and not loading.options.keys() & {
        "collate_fn",
        "_target_",
    }
    order = _make_order(cast("Sized", samples), part, settings, loading)
    order.with_place = not is_plain
    options = pinned(loading.options, device) if not is_plain else loading.options
    made = SeededBatches(samples, seed)

    def call() -> DataLoader[Any]:
        generator = torch.Generator().manual_seed(derive(seed, "loader"))
        handed = {"dataset": made, "batch_sampler": order, "generator": generator}
        loader = _call_loader(options, handed)
        loader.worker_init_fn = HeedOnlyTheTrainer(loader.worker_init_fn)
        made.collate, loader.collate_fn = loader.collate_fn, _as_it_is
        return loader

    loader = call()  # also for tensors: it checks its keys
    if is_plain:
        there = CPU if is_watched else device  # what callbacks change is seen where it is
        return TensorBatches(cast("TensorDataset", samples), order, there)
    return LoadedBatches(loader, order, made, call if is_watched else None)


def pinned(options: Config, device: torch.device) -> Config:
    """Return a loader's options, with batches in pinned memory for a GPU, unless they say otherwise.

    From there they are copied while the GPU computes. A loader of the user's own decides that itself;
    and what is made without workers may be on the GPU already, which cannot be pinned.
    """
    is_ours = "_target_" not in options and options.get("num_workers", 0)
    return {"pin_memory": True, **options} if is_ours and device.type == "cuda" else options


def _as_it_is(batch: Any) -> Any:  # noqa: ANN401 - a batch is the user's
    """Return a batch that is collated already."""
    return batch


def _make_order(samples: Sized, part: str, settings: Settings, loading: Loading) -> EpochOrder:
    """Make the order of a part's samples, and make sure that it has a batch.

    Raises:
        ConfigError: If not.
    """
    is_train = part == "train"
    sampler = loading.sampler if is_train else None
    is_kept = not is_train or not (loading.shuffle or sampler)
    order = EpochOrder(
        samples,
        settings.batch_size if is_train else loading.evaluation_batch_size,
        None if is_kept else derive(settings.seed, part),
        sampler=None if sampler is None else build_sampler(sampler, samples),
        drop_last=is_train and settings.drop_last,
    )
    order.check()
    if len(order) == 0:
        mend = ", lower batch_size, or set dataloader.drop_last: false" if order.drop_last else ""
        raise ConfigError(f"data: {part} has {len(samples)} samples, no batch. Give it more{mend}.")
    return order


def _call_loader(options: Any, handed: dict[str, Any]) -> DataLoader[Any]:  # noqa: ANN401 - keys
    """Make a loader of the class that `_target_` names: PyTorch's, if it names none."""
    if any(isinstance(value, dict) for value in options.values()) or "_target_" in options:
        options = {"_target_": "torch.utils.data.DataLoader"} | options
        loader = call_target(options, "dataloader", **handed)
        return playing(loader, "dataloader", DataLoader)
    try:
        return DataLoader(**handed, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"dataloader: {error}. Correct or remove the key.") from error


def check_samples(samples: Dataset[Any], part: str) -> None:
    """Make sure that a data set has numbered samples, and that its tensors make samples and targets.

    Raises:
        ConfigError: If not.
    """
    if isinstance(samples, IterableDataset) or not hasattr(samples, "__len__"):
        raise ConfigError(
            f"data: {part} is a {type(samples).__name__}, whose samples have no numbers. Give it"
            " __len__ and __getitem__: the order of samples is the trainer's to decide."
        )
    if are_plain_tensors(samples) and len(cast("TensorDataset", samples).tensors) < PAIR:
        raise ConfigError(
            f"data: a sample of {part} has one part. Make it a sample and a target: for a model that"
            " is to give its sample back, twice the same."
        )


class TensorBatches:
    """Cut the batches of an order out of tensors: the same ones as a `DataLoader`, ten times faster.

    Every batch is a copy, which a model may change. It lies in memory as a `DataLoader`'s does, for
    kernels round otherwise in another order: what was permuted stays so.

    Args:
        dataset: The tensors.
        order: The order.
        device: Where the batches will be used.
        bring: Brings tensors there, if they are small.
    """

    def __init__(
        self,
        dataset: TensorDataset,
        order: EpochOrder,
        device: torch.device = CPU,
        bring: Callable[[Sequence[Tensor], torch.device], list[Tensor]] = brought_if_small,
    ) -> None:
        self.dataset = dataset
        self.order = order
        self._device = device
        self._bring = bring
        self._there: list[Tensor] | None = None
        alike = all(map(_is_selected_alike, dataset.tensors))
        self._cut: Callable[[Tensor, Tensor], Tensor] = _select if alike else getitem

    def __len__(self) -> int:
        """Count the batches of a whole pass."""
        return len(self.order)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of the order."""
        cut, tensors = self._cut, self.dataset.tensors
        if self._device.type != "cpu":
            yield from self._batches_there()
            return
        for indices in self.order.batches():
            yield tuple([cut(values, indices) for values in tensors])

    def _batches_there(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches, on the GPU where the tensors have room there; brought at the first pass."""
        if self._there is None:
            self._there = self._bring(self.dataset.tensors, self._device)
        for indices in self.order.batches():
            places = {each.device: indices.to(each.device) for each in self._there}
            yield tuple([self._cut(values, places[values.device]) for values in self._there])

    def renew(self) -> bool:
        """Notice what callbacks changed: there is nothing to do, for nothing is made ahead."""
        return False


def _select(values: Tensor, indices: Tensor) -> Tensor:
    return values.index_select(0, indices)


def _is_selected_alike(values: Tensor) -> bool:
    """Tell whether `index_select`, which is quicker, lays out what it takes as indexing does."""
    first = torch.arange(min(len(values), PAIR))
    return _select(values, first).stride() == values[first].stride()


class LoadedBatches:
    """Let a loader's workers make the batches of an order; without workers they are made right here.

    Args:
        loader: The loader.
        order: The order.
        made: What makes the batches.
        again: Makes the loader again, for workers that know the data set as it is then; `None` if
            nobody changes the data set.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        order: EpochOrder,
        made: SeededBatches,
        again: Callable[[], DataLoader[Any]] | None,
    ) -> None:
        self.loader = loader
        self.order = order
        self.made = made
        self._again = again
        self._is_made_here = type(loader) is DataLoader and not (
            loader.num_workers or loader.pin_memory
        )
        self._mark: bytes | None = _NEVER  # of the data set as the workers have it

    @property
    def dataset(self) -> Any:  # noqa: ANN401 - it is the user's
        """Return the data set."""
        return self.made.samples

    def __len__(self) -> int:
        """Count the batches of a whole pass."""
        return len(self.order)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of the order."""
        if self._again is not None:
            self._begin_pass(self._again)
        if self._is_made_here:
            yield from map(self.made.__getitems__, self.order)
            return
        with asked_later():
            iterator = iter(self.loader)
        try:
            for batch in iterator:
                # As it is where batches are made here; what workers draw leaves no trace.
                forget_half_drawn()
                yield batch
        except (RuntimeError, OSError, EOFError) as error:
            if (killed := killed_worker(iterator)) is None:
                raise
            raise killed from error

    def _begin_pass(self, again: Callable[[], DataLoader[Any]]) -> None:
        """Take the data set as it is now; workers that live on know it as it was."""
        self.made.look_through()
        if self.loader.num_workers:
            mark = mark_of(self.made.samples)
            is_known = mark is not None and mark == self._mark
            if self.loader.persistent_workers and self._mark is not _NEVER and not is_known:
                self.loader = again()
            self._mark = mark

    def renew(self) -> bool:
        """Return whether workers that are at a pass have to be started again, to see a change.

        They have the data set as it was when they were started. They are kept where nothing in it
        changed.
        """
        if self._again is None or not self.loader.num_workers:
            return False
        mark = mark_of(self.made.samples)
        return mark is None or mark != self._mark
