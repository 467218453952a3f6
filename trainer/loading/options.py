"""The options of `dataloader`: those of the trainer, those of the loader, and those that are errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from trainer.errors import ConfigError
from trainer.hydra_targets import call_target
from trainer.refused_arguments import check_arguments
from trainer.settings import LARGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.settings import Config, TrainingSettings

# Options that the trainer sets, and what the user can set instead.
DECIDED = {
    "dataset": "The group data has the data sets. Remove it",
    "batch_size": "Set batch_size beside dataloader, or dataloader.evaluation_batch_size",
    "generator": "The seed decides the order. Remove it",
}
SAMPLER, BATCH_SAMPLER = "sampler", "batch_sampler"
EXAMPLES = {SAMPLER: "WeightedRandomSampler", BATCH_SAMPLER: "BatchSampler"}
# The parameters with which samplers get the training set.
SAMPLES = ("data_source", "dataset", "samples")


@dataclass(frozen=True, slots=True)
class Loading:
    """The content of `dataloader`.

    `options` are those of the loader: of PyTorch's, or of the class that `_target_` names. The
    training set is shuffled unless `shuffle` is false; `sampler` names a class that yields its
    indices instead, `batch_sampler` one that yields lists of them.
    """

    options: Config
    shuffle: bool
    sampler: Config | None
    batch_sampler: Config | None
    evaluation_batch_size: int


def read_loading(settings: TrainingSettings) -> Loading:
    """Read and check the keys of `dataloader`.

    Raises:
        ConfigError: If one is invalid, or would have no effect.
    """
    options = {**settings.dataloader}
    check_arguments(options, "dataloader")
    for key, instead in DECIDED.items():
        if key in options:
            raise ConfigError(f"dataloader.{key}: the trainer sets this option. {instead}.")
    if options.get("in_order", True) is not True:
        raise ConfigError(
            "dataloader.in_order: with false, the order of batches, and with it the results, would"
            " depend on the speed of the workers. Remove it."
        )
    options.pop("in_order", None)
    shuffle = options.pop("shuffle", True)
    sampler, batch_sampler = options.pop(SAMPLER, None), options.pop(BATCH_SAMPLER, None)
    size = options.pop("evaluation_batch_size", None)
    if not isinstance(shuffle, bool):
        raise ConfigError(f"dataloader.shuffle: {shuffle!r} is neither true nor false. Set one.")
    _check_samplers(settings, {SAMPLER: sampler, BATCH_SAMPLER: batch_sampler})
    if size is not None and (type(size) is not int or not 1 <= size <= LARGEST):
        raise ConfigError(
            f"dataloader.evaluation_batch_size: {size!r} is not a whole number from 1 to 2**63 - 1."
            " Correct it, or remove it to use batch_size."
        )
    _check_kinds(options)
    if options.get("num_workers"):
        # A process of a fork server would start its workers from another one, which takes seconds.
        options = {"multiprocessing_context": "fork"} | options
    return Loading(
        options,
        shuffle,
        cast("Config | None", sampler),
        cast("Config | None", batch_sampler),
        size or settings.batch_size,
    )


def _check_samplers(settings: TrainingSettings, samplers: Mapping[str, object]) -> None:
    """Check that there is at most one sampler, which is named, and no key that it makes useless.

    Raises:
        ConfigError: If there is.
    """
    given = [key for key, sampler in samplers.items() if sampler is not None]
    for key in given:
        sampler = samplers[key]
        if not isinstance(sampler, dict) or "_target_" not in sampler:
            raise ConfigError(
                f"dataloader.{key}: {sampler!r:.60} does not name a sampler. Give it a _target_, for"
                f" example torch.utils.data.{EXAMPLES[key]}."
            )
    if len(given) > 1:
        raise ConfigError(
            f"dataloader.{SAMPLER}: the batch sampler decides the order. Remove one of both; some batch"
            " samplers, such as torch.utils.data.BatchSampler, take a sampler as an argument."
        )
    useless = {"shuffle": "shuffle" in settings.dataloader, "drop_last": settings.drop_last}
    decided = {SAMPLER: ("the order", ["shuffle"]), BATCH_SAMPLER: ("the batches", [*useless])}
    for key in given:
        what, keys = decided[key]
        for each in keys:
            if useless[each]:
                raise ConfigError(
                    f"dataloader.{each}: the {key.replace('_', ' ')} decides {what}. Remove {each}, or"
                    f" {key}."
                )


def _check_kinds(options: Config) -> None:
    """Check the types that PyTorch checks only with the first batch, or never.

    Raises:
        ConfigError: If `num_workers` is not a number, `collate_fn` or `worker_init_fn` not a function, or
            `pin_memory` not a boolean.
    """
    workers = options.get("num_workers", 0)
    if type(workers) is not int or workers < 0:
        raise ConfigError(
            f"dataloader.num_workers: {workers!r} is not a whole number of at least 0. Correct it."
        )
    for key in ("collate_fn", "worker_init_fn"):
        value = options.get(key)
        if not (value is None or callable(value) or isinstance(value, dict)):
            raise ConfigError(
                f"dataloader.{key}: {value!r:.60} is not a function. Write {{_target_: its name,"
                " _partial_: true}."
            )
    if not isinstance(pinned := options.get("pin_memory", False), bool):
        raise ConfigError(
            f"dataloader.pin_memory: {pinned!r:.60} is neither true nor false. Set one."
        )


def build_sampler(settings: Config, samples: object, key: str = SAMPLER, **offered: object) -> Any:  # noqa: ANN401 - the user's
    """Build the sampler that a key of `dataloader` names, with the training set if it takes one.

    Args:
        settings: The content of the key.
        samples: The training set.
        key: The key.
        **offered: More arguments that it gets if it has parameters but no values for them.

    Raises:
        ConfigError: If it does not exist, has the wrong arguments, or cannot be iterated over.
    """
    name = f"dataloader.{key}"
    sampler = call_target(settings, name, offered=dict.fromkeys(SAMPLES, samples) | offered)
    if not hasattr(sampler, "__iter__"):
        raise ConfigError(
            f"{name}._target_: it returns a {type(sampler).__name__}, which cannot be iterated over."
            " Name a sampler."
        )
    return sampler
