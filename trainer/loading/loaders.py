"""The loaders: each yields the batches of one part of the data, epoch after epoch."""

from __future__ import annotations

from operator import getitem
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch.utils.data import DataLoader

from trainer.build import playing
from trainer.errors import ConfigError
from trainer.hydra_targets import call_target
from trainer.loading.copies_ahead import copied_ahead
from trainer.loading.data_set_checks import check_samples
from trainer.loading.in_place_changes import mark_of
from trainer.loading.options import build_sampler, read_loading
from trainer.loading.order import EpochOrder
from trainer.loading.resident import brought_if_small
from trainer.loading.seeded_batches import SeededBatches, are_plain_tensors
from trainer.loading.worker_failures import HeedOnlyTheTrainer, killed_worker, with_workers
from trainer.seeding import derive, forget_half_drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Sized

    from torch import Tensor
    from torch.utils.data import Dataset, TensorDataset

    from trainer.loading.options import Loading
    from trainer.settings import Config, TrainingSettings

    Loader: TypeAlias = "LoadedBatches | TensorBatches"

CPU = torch.device("cpu")
PAIR = 2  # a sample and its target
_COLLATING = {"collate_fn", "_target_"}  # options that may collate otherwise
_NEVER = b""  # the mark of a data set before the first pass


def make_loader(
    samples: Dataset[Any],
    part: str,
    settings: TrainingSettings,
    *,
    device: torch.device = CPU,
    is_watched: bool = False,
) -> Loader:
    """Make the loader of one part of the data, with its own generators; only `train` is shuffled.

    Iterating over it does not change the global generators, so an evaluation never changes the
    training. Tensors are sliced in this process, which is faster than any worker, unless `dataloader`
    sets how samples are collated.

    Args:
        samples: The data set.
        part: Which of `trainer.build.PARTS` it is.
        settings: The trainer's settings.
        device: The device of the training: for a GPU, batches are made in pinned memory, and tensors
            that take little of its memory are moved to it once.
        is_watched: Whether callbacks may change the data set.

    Raises:
        ConfigError: If a key of `dataloader` is unknown or reserved for the trainer, or if there are
            too few samples for a batch.
    """
    loading, seed = read_loading(settings), derive(settings.seed, part)
    check_samples(samples, part)
    is_plain = are_plain_tensors(samples) and not loading.options.keys() & _COLLATING
    order = _make_order(cast("Sized", samples), part, settings, loading)
    order.with_place = not is_plain
    options = pinned(loading.options, device) if not is_plain else loading.options
    made = SeededBatches(samples, seed)

    def call() -> DataLoader[Any]:
        generator = torch.Generator().manual_seed(derive(seed, "loader"))
        handed = {"dataset": made, "batch_sampler": order, "generator": generator}
        loader = _call_loader(options, handed)
        loader.worker_init_fn = HeedOnlyTheTrainer.of(loader)
        made.collate, loader.collate_fn = loader.collate_fn, _as_it_is
        return loader

    loader = call()  # also for tensors, to check the keys
    if is_plain:
        there = CPU if is_watched else device  # callbacks change the tensors on the CPU
        return TensorBatches(cast("TensorDataset", samples), order, there)
    return LoadedBatches(loader, order, made, call if is_watched else None, device)


def pinned(options: Config, device: torch.device) -> Config:
    """Return a loader's options, with pinned memory for a GPU, unless they set it.

    Batches are copied from pinned memory while the GPU computes. The user's own loader decides for
    itself; batches that are made without workers may already be on the GPU, and cannot be pinned.
    """
    is_ours = "_target_" not in options and options.get("num_workers", 0)
    return {"pin_memory": True, **options} if is_ours and device.type == "cuda" else options


def _as_it_is(batch: Any) -> Any:  # noqa: ANN401 - a batch is the user's
    """Return a batch that is already collated."""
    return batch


def _make_order(
    samples: Sized, part: str, settings: TrainingSettings, loading: Loading
) -> EpochOrder:
    """Make the order of a part's samples, and check that it has a batch.

    Raises:
        ConfigError: If there are too few samples for a batch.
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
        instead = (
            ", lower batch_size, or set dataloader.drop_last: false" if order.drop_last else ""
        )
        raise ConfigError(
            f"data: {part} has {len(samples)} samples, too few for a batch. Give it more{instead}."
        )
    return order


def _call_loader(options: Any, handed: dict[str, Any]) -> DataLoader[Any]:  # noqa: ANN401 - keys
    """Make a loader of the class that `_target_` names; PyTorch's by default."""
    if any(isinstance(value, dict) for value in options.values()) or "_target_" in options:
        options = {"_target_": "torch.utils.data.DataLoader"} | options
        loader = call_target(options, "dataloader", **handed)
        return playing(loader, "dataloader", DataLoader)
    try:
        return DataLoader(**handed, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"dataloader: {error}. Correct or remove the key.") from error


class TensorBatches:
    """A loader that indexes tensors: the same batches as a `DataLoader`, ten times faster.

    Every batch is a copy, which a model may change. Its strides are those of a `DataLoader`'s batch,
    because kernels round differently for others.

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
        """Return the number of batches of a whole epoch."""
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
        """Yield the batches on the GPU; the tensors are moved at the first pass, if they fit."""
        if self._there is None:
            self._there = self._bring(self.dataset.tensors, self._device)
        is_here = self._device.type == "cuda" and any(each.is_cpu for each in self._there)
        made = self._made_of(self._there)
        yield from copied_ahead(map(_pinned, made), self._device) if is_here else made

    def _made_of(self, tensors: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        for indices in self.order.batches():
            places = {each.device: indices.to(each.device) for each in tensors}
            yield tuple([self._cut(values, places[values.device]) for values in tensors])

    def renew(self) -> bool:
        """Return False: no batch is made ahead, so changes by callbacks take effect at once."""
        return False


def _pinned(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple([each.pin_memory() if each.is_cpu else each for each in batch])


def _select(values: Tensor, indices: Tensor) -> Tensor:
    return values.index_select(0, indices)


def _is_selected_alike(values: Tensor) -> bool:
    """Return whether `index_select`, which is faster, gives the same strides as indexing."""
    first = torch.arange(min(len(values), PAIR))
    return _select(values, first).stride() == values[first].stride()


class LoadedBatches:
    """A loader whose workers make the batches of an order; without workers, this process does.

    Args:
        loader: The `DataLoader`.
        order: The order of the samples.
        made: Makes the batches.
        again: Recreates the loader, so that its workers get the changed data set; `None` if nothing
            changes the data set.
        device: Where the batches will be used.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        order: EpochOrder,
        made: SeededBatches,
        again: Callable[[], DataLoader[Any]] | None,
        device: torch.device = CPU,
    ) -> None:
        self.loader = loader
        self.order = order
        self.made = made
        self._again = again
        self._device = device
        self._is_made_here = type(loader) is DataLoader and not (
            loader.num_workers or loader.pin_memory
        )
        self._mark: bytes | None = _NEVER  # of the data set as the workers have it

    @property
    def dataset(self) -> Any:  # noqa: ANN401 - it is the user's
        """The data set."""
        return self.made.samples

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return len(self.order)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of the order."""
        if self._again is not None:
            self._begin_pass(self._again)
        if self._is_made_here:
            yield from map(self.made.__getitems__, self.order)
            return
        iterator = with_workers(self.loader)
        try:
            for batch in self._there(iterator):
                # The same state as if batches were made here: workers do not change it.
                forget_half_drawn()
                yield batch
        except (RuntimeError, OSError, EOFError) as error:
            if (killed := killed_worker(iterator)) is None:
                raise
            raise killed from error

    def _there(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Return batches, copied ahead if they are in pinned memory."""
        is_copied = self._device.type == "cuda" and self.loader.pin_memory
        return copied_ahead(batches, self._device) if is_copied else batches

    def _begin_pass(self, again: Callable[[], DataLoader[Any]]) -> None:
        """Use the data set as it is now; persistent workers have it as it was."""
        self.made.look_through()
        if self.loader.num_workers:
            mark = mark_of(self.made.samples)
            is_known = mark is not None and mark == self._mark
            if self.loader.persistent_workers and self._mark is not _NEVER and not is_known:
                self.loader = again()
            self._mark = mark

    def renew(self) -> bool:
        """Return whether the workers, which have the data set as it was, must get a changed one."""
        if self._again is None or not self.loader.num_workers:
            return False
        mark = mark_of(self.made.samples)
        return mark is None or mark != self._mark
