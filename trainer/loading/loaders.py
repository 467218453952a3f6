"""The loaders: each yields the batches of one part of the data, epoch after epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch.utils.data import DataLoader, IterableDataset

from trainer.build import playing
from trainer.errors import ConfigError
from trainer.hydra_targets import call_target
from trainer.loading.batch_order import BatchOrder
from trainer.loading.data_set_checks import check_samples
from trainer.loading.iterable_data_sets import SeededStream, StreamedBatches, StreamOrder
from trainer.loading.loaded_batches import CPU, LoadedBatches, TensorBatches
from trainer.loading.options import BATCH_SAMPLER, SAMPLER, build_sampler, read_loading
from trainer.loading.order import EpochOrder
from trainer.loading.seeded_batches import SeededBatches, are_plain_tensors
from trainer.loading.worker_failures import HeedOnlyTheTrainer
from trainer.ranks import count_ranks, own_rank
from trainer.seeding import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from torch.utils.data import Dataset, TensorDataset

    from trainer.loading.options import Loading
    from trainer.settings import Config, TrainingSettings

    Loader: TypeAlias = "LoadedBatches | StreamedBatches | TensorBatches"

_COLLATING = {"collate_fn", "_target_"}  # options that may collate otherwise


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
    if isinstance(samples, IterableDataset):
        stream, in_turn, for_one = _streamed(samples, part, settings, loading)
        call = _caller(pinned(for_one, device), stream, in_turn)
        return StreamedBatches(call(), stream, in_turn, call if is_watched else None, device)
    is_plain = are_plain_tensors(samples) and not loading.options.keys() & _COLLATING
    order = _make_order(cast("Sized", samples), part, settings, loading)
    order.with_place = not is_plain
    options = pinned(loading.options, device) if not is_plain else loading.options
    rank = own_rank() if part == "train" else 0
    seed = derive(seed, "rank", rank) if rank else seed
    may_be_plain = order.sampler is None and not is_watched
    made = SeededBatches(samples, seed, may_be_plain=may_be_plain)
    call = _caller(options, order, made)
    loader = call()  # also for tensors, to check the keys
    if is_plain:
        there = CPU if is_watched else device  # callbacks change the tensors on the CPU
        return TensorBatches(cast("TensorDataset", samples), order, there)
    return LoadedBatches(loader, order, made, call if is_watched else None, device)


def _caller(
    options: Config, order: EpochOrder, made: SeededBatches
) -> Callable[[], DataLoader[Any]]:
    """Return what makes a loader, whose workers have the data set as it is then."""

    def call() -> DataLoader[Any]:
        generator = torch.Generator().manual_seed(derive(made.seed, "loader"))
        handed = {"dataset": made, "batch_sampler": order, "generator": generator}
        loader = _call_loader(options, handed)
        loader.worker_init_fn = HeedOnlyTheTrainer.of(loader)
        made.collate, loader.collate_fn = loader.collate_fn, _as_it_is
        return loader

    return call


def _streamed(
    samples: IterableDataset[Any], part: str, settings: TrainingSettings, loading: Loading
) -> tuple[StreamOrder, SeededStream, Config]:
    """Return the order and the maker of the batches of a stream, and the options of its loader.

    One worker reads it, because each of several would read all of it.

    Raises:
        ConfigError: If a key selects or shuffles its samples.
    """
    is_train = part == "train"
    if is_train and count_ranks() > 1:
        raise ConfigError(
            f"world_size: train is a {type(samples).__name__}, a stream, whose samples cannot be dealt out"
            " to ranks. Give the samples indices, or set world_size: 1."
        )
    for key in (SAMPLER, BATCH_SAMPLER, "shuffle"):
        if is_train and settings.dataloader.get(key):
            raise ConfigError(
                f"dataloader.{key}: train is a {type(samples).__name__}, a stream, which decides the order"
                " itself. Remove the key, and shuffle in the stream."
            )
    size = settings.batch_size if is_train else loading.evaluation_batch_size
    order = StreamOrder(samples, size, drop_last=is_train and settings.drop_last)
    options = {**loading.options}
    options.pop("persistent_workers", None)  # they would read on, into the next pass
    options["num_workers"] = min(int(cast("int", options.get("num_workers", 0))), 1)
    return order, SeededStream(samples, derive(settings.seed, part), order), options


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
    is_train, seed = part == "train", derive(settings.seed, part)
    order: EpochOrder
    if is_train and loading.batch_sampler is not None:
        size = settings.batch_size
        batches = build_sampler(loading.batch_sampler, samples, BATCH_SAMPLER, batch_size=size)
        order = BatchOrder(samples, batches, seed)
    else:
        sampler = loading.sampler if is_train else None
        is_kept = not is_train or not (loading.shuffle or sampler)
        order = EpochOrder(
            samples,
            settings.batch_size if is_train else loading.evaluation_batch_size,
            None if is_kept else seed,
            sampler=None if sampler is None else build_sampler(sampler, samples),
            drop_last=is_train and settings.drop_last,
        )
    order.shard = (own_rank(), count_ranks()) if is_train else (0, 1)
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
