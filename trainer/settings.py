"""The settings of the trainer: its configuration keys, their defaults and limits."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from trainer.early_stopping_settings import StoppingSettings, read_stopping
from trainer.ema_settings import EmaSettings, read_ema
from trainer.errors import ConfigError
from trainer.group_folders import advise_keys
from trainer.init_settings import InitSettings, read_init
from trainer.interval import Interval, parse_interval
from trainer.known_keys import check_keys
from trainer.metric_direction import MAX, MIN, direction_of
from trainer.numbers_version import CHOICES, OTHER_NUMBERS
from trainer.validation_split import SplitSettings, read_split

Config = Mapping[str, object]

REQUIRED = object()
LARGEST = 2**63 - 1
MANY_THREADS = 64  # that a run may have been started with on another machine
DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")

CHECKPOINT_KEYS = ("keep_last", "every", "within_iteration", "metric", "mode", "other_numbers")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """The keys that the trainer itself reads; the groups are for the modules.

    `training_type` defines an iteration: `epoch`, a pass over the training set, or `step`,
    `eval_every` optimizer steps. `metric`, with its `mode`, decides which iteration is the best; by
    default the accuracy of the validation, or its loss without an accuracy. A step takes `accumulate`
    batches, and gradients with a greater norm than `clip_norm` are scaled down to it. `threads` is
    the number of CPU threads, `None` for PyTorch's default; `deterministic` concerns GPU kernels. With
    `cuda_graph`, a GPU replays steps that it has recorded.
    """

    seed: int
    iterations: int
    training_type: str
    eval_every: int
    batch_size: int
    accumulate: int
    clip_norm: float | None
    precision: str
    compile: bool
    cuda_graph: str
    threads: int | None
    device: str
    deterministic: bool
    keep_last: int
    every: Interval
    within_iteration: Interval | None
    metric: str | None
    mode: str | None
    other_numbers: str
    test_with: str
    stopping: StoppingSettings
    ema: EmaSettings
    validation_split: SplitSettings
    init_from: InitSettings
    dataloader: Config
    drop_last: bool
    world_size: int


def read_settings(config: Config) -> TrainingSettings:
    """Read and check the trainer's own keys; what is absent gets its default.

    Raises:
        ConfigError: If `seed` or `iterations` is missing, or a value is out of its limits.
    """
    checkpoint = {**read_group(config, "checkpoint"), **_decided_now()}
    dataloader, stopping = read_group(config, "dataloader"), read_group(config, "stopping")
    if unknown := [key for key in checkpoint if key not in CHECKPOINT_KEYS]:
        raise ConfigError(
            f"checkpoint.{unknown[0]}: this key is unknown. Use one of {', '.join(CHECKPOINT_KEYS)}."
        )
    metric, mode = _metric(checkpoint, "checkpoint.")
    check_keys(config)
    return TrainingSettings(
        seed=_number(config, "seed", REQUIRED, least=0),
        iterations=_number(config, "iterations", REQUIRED, least=1),
        training_type=_choice(config, "training_type", ("epoch", "step")),
        eval_every=_number(config, "eval_every", 100, least=1),
        batch_size=_batch_size(config),
        accumulate=_number(config, "accumulate", 1, least=1),
        clip_norm=_clip_norm(config),
        precision=_choice(config, "precision", ("float32", "bfloat16", "float16")),
        compile=_switch(config, "compile", default=False),
        cuda_graph=_cuda_graph(config),
        threads=_threads(config),
        device=_device(config),
        deterministic=_switch(config, "deterministic", default=True),
        keep_last=_number(checkpoint, "keep_last", 2, least=1, within="checkpoint."),
        every=_interval(checkpoint),
        within_iteration=_within(checkpoint),
        metric=metric,
        mode=mode,
        other_numbers=_choice(checkpoint, "other_numbers", CHOICES, within="checkpoint."),
        test_with=_choice(config, "test_with", ("best", "last")),
        stopping=read_stopping(stopping, *_metric(stopping, "stopping.")),
        ema=read_ema(read_group(config, "ema")),
        validation_split=read_split(read_group(config, "validation_split")),
        init_from=read_init(config),
        dataloader={key: value for key, value in dataloader.items() if key != "drop_last"},
        drop_last=_switch(dataloader, "drop_last", default=False, within="dataloader."),
        world_size=read_world_size(config),
    )


def read_world_size(config: Config) -> int:
    """Return the number of ranks.

    Raises:
        ConfigError: If it is not a whole number above 0, or a key does not work with several ranks.
    """
    ranks = _number(config, "world_size", 1, least=1)
    if ranks > 1 and read_group(config, "checkpoint").get("within_iteration") is not None:
        raise ConfigError(
            "checkpoint.within_iteration: several ranks (world_size) save only whole iterations. Remove it,"
            " or set world_size: 1."
        )
    return ranks


def read_group(config: Config, group: str) -> Config:
    """Return a group's keys without `name`, its label in filters and displays.

    Raises:
        ConfigError: If the group is a single value.
    """
    found = config.get(group)
    if found is None:
        return {}
    if not isinstance(found, dict):
        advice = advise_keys(group)
        raise ConfigError(f"{group}: expected keys with values, not {found!r}. {advice}")
    return {str(key): value for key, value in found.items() if key != "name"}


def _interval(checkpoint: Config) -> Interval:
    value = checkpoint.get("every", 1)
    interval = parse_interval(value)
    if interval is None:
        raise ConfigError(
            f"checkpoint.every: {value!r} is neither a number of iterations nor a time. Set, for"
            " example, 5, 30s or 10m."
        )
    return interval


def _within(checkpoint: Config) -> Interval | None:
    value = checkpoint.get("within_iteration")
    if value is None:
        return None
    interval = parse_interval(value)
    if interval is None:
        raise ConfigError(
            f"checkpoint.within_iteration: {value!r} is neither a number of steps nor a time. Set, for"
            " example, 500, 30s or 10m."
        )
    if _interval(checkpoint) != Interval():
        raise ConfigError(
            "checkpoint.within_iteration: a state within an iteration continues the checkpoint of the one"
            " before. Set checkpoint.every to 1, or remove one of the keys."
        )
    return interval


def _decided_now() -> Config:
    """Return the keys that the environment overrides when a run is executed."""
    other_numbers = os.environ.get(OTHER_NUMBERS)
    return {"other_numbers": other_numbers} if other_numbers else {}


def label_of(config: Config, group: str) -> object:
    """Return a group's `name`, or None."""
    found = config.get(group)
    return found.get("name") if isinstance(found, dict) else None


def _metric(group: Config, within: str) -> tuple[str | None, str | None]:
    """Return the metric that a group names, and its mode."""
    metric, mode = group.get("metric"), group.get("mode")
    if mode is not None:
        mode = _choice(group, "mode", (MAX, MIN), within=within)
    if metric is None and mode is not None:
        raise ConfigError(
            f"{within}mode: {mode} needs a metric. Set {within}metric as well, or neither."
        )
    if metric is None:
        return None, None
    if not isinstance(metric, str):
        raise ConfigError(f"{within}metric: {metric!r} is not the name of a metric. Correct it.")
    mode = mode or direction_of(metric)
    if mode is None:
        raise ConfigError(
            f"{within}metric: {metric!r} does not tell whether greater is better. Set"
            f" {within}mode to min or max."
        )
    return metric, mode


def _threads(config: Config) -> int | None:
    if config.get("threads", 1) is None:
        return None
    threads = _number(config, "threads", 1, least=1)
    most = max(MANY_THREADS, os.cpu_count() or 1)
    if threads > most:
        raise ConfigError(
            f"threads: {threads} is more than this machine can use. Set {most} or fewer."
        )
    return threads


def _clip_norm(config: Config) -> float | None:
    value = config.get("clip_norm")
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > 0:
        raise ConfigError(
            f"clip_norm: {value!r} is not a number above 0. Set one, or null to disable it."
        )
    return float(value)


def _device(config: Config) -> str:
    device = config.get("device", "auto")
    if not isinstance(device, str) or not DEVICE.fullmatch(device):
        raise ConfigError(
            f"device: {device!r} is not a device. Set auto, cpu, cuda, or cuda:0, cuda:1 ..."
        )
    return device


def _cuda_graph(config: Config) -> str:
    """Return `off`, which YAML reads as false, or `auto`."""
    value = config.get("cuda_graph")
    return "off" if value is False else _choice(config, "cuda_graph", ("off", "auto"))


def _switch(config: Config, key: str, *, default: bool, within: str = "") -> bool:
    value = config.get(key, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{within}{key}: {value!r} is neither true nor false. Set one.")
    return value


def _batch_size(config: Config) -> int:
    size = _number(config, "batch_size", 32, least=1)
    if size > LARGEST:
        raise ConfigError(f"batch_size: {size} is more than PyTorch can count. Lower it.")
    return size


def _number(config: Config, key: str, default: object, *, least: int, within: str = "") -> int:
    value = config.get(key, default)
    if value is REQUIRED:
        raise ConfigError(f"{within}{key}: missing. Set it, for example {key}: {max(least, 1)}.")
    if type(value) is not int or value < least:
        raise ConfigError(
            f"{within}{key}: {value!r} is not a whole number of at least {least}. Correct it."
        )
    return value


def _choice(config: Config, key: str, choices: tuple[str, ...], *, within: str = "") -> str:
    value = config.get(key, choices[0])
    if value not in choices:
        raise ConfigError(
            f"{within}{key}: {value!r} is not one of {', '.join(choices)}. Correct it."
        )
    return str(value)
