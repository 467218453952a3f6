"""The deciding keys: those of a configuration that decide the results of a run.

With others, a checkpoint belongs to another run. A later key counts only if it is set, so that checkpoints
from before it was known stay usable.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from trainer.early_stopping_settings import StoppingSettings
from trainer.ema_settings import EmaSettings
from trainer.settings import read_group
from trainer.validation_split import SplitSettings

if TYPE_CHECKING:
    from trainer.settings import Config, TrainingSettings

DECIDING_GROUPS: Final = (
    *("data", "model", "optimizer", "scheduler", "criterion", "curriculum", "metrics"),
)
DECIDING_KEYS: Final = (
    *("seed", "batch_size", "training_type", "eval_every", "accumulate", "clip_norm"),
    *("precision", "compile"),
)
# Keys of `dataloader` that decide which samples are in a batch, and how they are collated.
LOADING: Final = ("sampler", "batch_sampler", "collate_fn")


def deciding_keys(config: Config, settings: TrainingSettings) -> Config:
    """Return the part of a configuration that decides the results of a run."""
    groups = {group: read_group(config, group) for group in DECIDING_GROUPS}
    return groups | {key: getattr(settings, key) for key in DECIDING_KEYS} | _later(settings)


def _later(settings: TrainingSettings) -> dict[str, object]:
    later: dict[str, object] = {"drop_last": True} if settings.drop_last else {}
    unset = {
        "stopping": StoppingSettings(),
        "ema": EmaSettings(),
        "validation_split": SplitSettings(),
    }
    for key, default in unset.items():
        if (section := getattr(settings, key)) != default:
            later[key] = asdict(section)
    if settings.world_size > 1:
        later["world_size"] = settings.world_size
    if settings.init_from.decides is not None:
        later["init_from"] = settings.init_from.decides
    loading: dict[str, object] = {
        key: each for key in LOADING if isinstance(each := settings.dataloader.get(key), dict)
    }
    if settings.dataloader.get("shuffle") is False:
        loading["shuffle"] = False
    return later | ({"dataloader": loading} if loading else {})
