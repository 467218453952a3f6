"""Owns which top-level keys of a configuration are read, and what is said of the others."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Those with a value, and those with keys of their own; the last line is the orchestrator's.
VALUES: Final = (
    *("seed", "iterations", "training_type", "eval_every", "batch_size", "accumulate", "clip_norm"),
    *("precision", "compile", "device", "deterministic", "threads", "test_with"),
    *("results_dir", "experiment_id"),
)
GROUPS: Final = (
    *("data", "model", "optimizer", "scheduler", "criterion", "curriculum", "metrics"),
    *("dataloader", "checkpoint"),
    *("orch", "hydra", "training"),
)
# How much of two names must agree: one letter in eight may be missing, wrong or elsewhere.
NEAR: Final = 0.85


def check_keys(config: Mapping[str, object]) -> None:
    """Make sure that no key is a misspelling of one that is read.

    A key with keys of its own is compared with groups, another one with values. One that only adds
    to a known name, as `seed_2` or `model2`, is the user's own.

    Raises:
        ConfigError: If one is, whether or not the right key is there as well.
    """
    for key in unread_keys(config):
        known = GROUPS if isinstance(config[key], dict) else VALUES
        if nearest := _nearest(key, known):
            raise ConfigError(
                f"{key}: nothing reads this key. Did you mean {nearest}? Rename it, or remove it."
            )


def unread_keys(config: Mapping[str, object]) -> list[str]:
    """Return the top-level keys that the trainer does not read; what begins with `_` is apart."""
    return [
        str(key)
        for key in config
        if str(key)[:1] != "_" and key not in VALUES and key not in GROUPS
    ]


def describe_unread(config: Mapping[str, object]) -> str:
    """Return what to say of the keys that the trainer does not read; empty if it reads all."""
    keys = unread_keys(config)
    if not keys:
        return ""
    these = "this key" if len(keys) == 1 else "these keys"
    return (
        f"note: the trainer does not read {these}: {', '.join(keys)}. That is right if other keys refer"
        " to it, or your modules read trainer.cfg."
    )


def _nearest(key: str, known: Sequence[str]) -> str | None:
    """Return the name that a key was probably meant to be; none if it is near to none."""
    found = max(known, key=lambda name: _likeness(key, name))
    return found if _likeness(key, found) >= NEAR else None


def _likeness(key: str, name: str) -> float:
    if re.match(rf"{re.escape(name)}[_\d]", key):
        return 0
    if sorted(key) == sorted(name):
        return 1
    letters = key.lower().replace("_", ""), name.replace("_", "")
    return SequenceMatcher(None, *letters, autojunk=False).ratio()
