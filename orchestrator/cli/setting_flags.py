"""The settings that have a flag on the command line, which overrides the config."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.config.orch_settings import parse_settings
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from orchestrator.config.orch_settings import Settings
    from orchestrator.grid.config_values import Value

# The settings that have a flag of the same name.
FLAGS: Final = (
    "workers",
    "gpus",
    "threads",
    "timeout",
    "no_progress",
    "retries",
    "max_failures",
    "order",
    "halving",
)


def parse_flags(options: argparse.Namespace) -> dict[str, Value]:
    """Return the settings given as flags, in the form that they have under ``orch:``.

    A command need not have all flags.

    Raises:
        ConfigError: A value is wrong; the message names the flag.
    """
    given: dict[str, Any] = {name: getattr(options, name, None) for name in FLAGS}
    for name in ("timeout", "no_progress"):
        with contextlib.suppress(TypeError, ValueError):  # "600" as well as "10m"
            given[name] = float(given[name])
    if getattr(options, "fail_fast", False):
        given["max_failures"] = 1
    flags = {name: value for name, value in given.items() if value is not None}
    try:
        parse_settings(flags)
    except ConfigError as error:
        name = str(error).partition(" ")[0].removeprefix("orch.")
        flag = "--" + name.replace("_", "-")
        raise ConfigError(str(error).replace(f"orch.{name}", flag, 1)) from None
    return flags


def with_flags(settings: Settings, flags: dict[str, Value]) -> Settings:
    """Return settings in which the flags override the config."""
    given = parse_settings(flags)
    share, limits, policy = settings.share, settings.limits, settings.policy
    share = replace(share, **{n: getattr(given.share, n) for n in flags if hasattr(share, n)})
    limits = replace(limits, **{n: getattr(given.limits, n) for n in flags if hasattr(limits, n)})
    limits = replace(limits, stretched=share.is_packed)
    if "retries" in flags:
        policy = replace(policy, retries=given.policy.retries)
    if "max_failures" in flags:
        policy = replace(policy, most_failures=given.policy.most_failures)
    order = given.order if "order" in flags else settings.order
    halving = given.halving if "halving" in flags else settings.halving
    return replace(
        settings, share=share, limits=limits, policy=policy, order=order, halving=halving
    )
