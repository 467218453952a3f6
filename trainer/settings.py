"""Owns the trainer's own configuration keys: their names, defaults and limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainer.errors import ConfigError

Config = Mapping[str, object]

REQUIRED = object()

# What decides the bits of a run; a checkpoint that was made with anything else is another run's.
DECIDING_GROUPS = ("data", "model", "optimizer", "scheduler", "criterion", "curriculum")
DECIDING_KEYS = ("seed", "batch_size", "training_type", "eval_every")


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold what the trainer itself reads of a configuration; the groups belong to the modules.

    `training_type` says what an iteration is: `epoch`, a pass over the training set, or `step`,
    `eval_every` optimizer steps. `threads` is the number of CPU threads, `None` leaves PyTorch's.
    """

    seed: int
    iterations: int
    training_type: str
    eval_every: int
    batch_size: int
    threads: int | None
    device: str
    keep_last: int
    metric: str
    mode: str
    test_with: str
    dataloader: Config


def plain_config(cfg: DictConfig) -> Config:
    """Resolve every interpolation and return plain dictionaries, lists and values.

    Raises:
        ConfigError: If an interpolation leads nowhere or a mandatory value is missing.
    """
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"{error.full_key or 'config'}: {reason}. Give the key a value."
        ) from None
    if not isinstance(plain, dict):
        raise ConfigError("config: expected keys with values, not a list. See conf/config.yaml.")
    return cast("Config", plain)


def read_settings(config: Config) -> Settings:
    """Read and check the trainer's own keys; what is absent gets its default.

    Raises:
        ConfigError: If `seed` or `iterations` is absent, or a value is out of its limits.
    """
    checkpoint = read_group(config, "checkpoint")
    return Settings(
        seed=_number(config, "seed", REQUIRED, least=0),
        iterations=_number(config, "iterations", REQUIRED, least=1),
        training_type=_choice(config, "training_type", ("epoch", "step")),
        eval_every=_number(config, "eval_every", 100, least=1),
        batch_size=_number(config, "batch_size", 32, least=1),
        threads=_threads(config),
        device=_choice(config, "device", ("auto", "cpu", "cuda")),
        keep_last=_number(checkpoint, "keep_last", 2, least=1, within="checkpoint."),
        metric=str(checkpoint.get("metric", "validation/accuracy")),
        mode=_choice(checkpoint, "mode", ("max", "min"), within="checkpoint."),
        test_with=_choice(config, "test_with", ("best", "last")),
        dataloader=read_group(config, "dataloader"),
    )


def deciding_keys(config: Config, settings: Settings) -> Config:
    """Return the part of a configuration that decides the bits of a run."""
    groups = {group: read_group(config, group) for group in DECIDING_GROUPS}
    return groups | {key: getattr(settings, key) for key in DECIDING_KEYS}


def read_group(config: Config, group: str) -> Config:
    """Return a group's keys without `name`, the label by which filters and displays know it.

    Raises:
        ConfigError: If the group is a single value.
    """
    found = config.get(group)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"{group}: expected keys with values, not {found!r}. See conf/{group}/.")
    return {str(key): value for key, value in found.items() if key != "name"}


def _threads(config: Config) -> int | None:
    if config.get("threads", 1) is None:
        return None
    return _number(config, "threads", 1, least=1)


def _number(config: Config, key: str, default: object, *, least: int, within: str = "") -> int:
    value = config.get(key, default)
    if value is REQUIRED:
        raise ConfigError(f"{within}{key}: missing. Set it, for example {key}: {max(least, 1)}.")
    if type(value) is not int or value < least:
        raise ConfigError(f"{within}{key}: {value!r} is not a whole number of at least {least}.")
    return value


def _choice(config: Config, key: str, choices: tuple[str, ...], *, within: str = "") -> str:
    value = config.get(key, choices[0])
    if value not in choices:
        raise ConfigError(f"{within}{key}: {value!r} is none of {', '.join(choices)}.")
    return str(value)
