"""The known top-level keys of a configuration, and the note or error about others."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Keys with a value, and keys of groups; those in the last line are the orchestrator's.
VALUES: Final = (
    *("seed", "iterations", "training_type", "eval_every", "batch_size", "accumulate", "clip_norm"),
    *("precision", "compile", "cuda_graph", "device", "deterministic", "threads", "test_with"),
    *(
        "init_from",
        "init_from_digest",
        "init_from_prefix",
        "world_size",
        "results_dir",
        "experiment_id",
    ),
)
GROUPS: Final = (
    *("data", "model", "optimizer", "scheduler", "criterion", "curriculum", "metrics"),
    *("dataloader", "checkpoint", "stopping", "ema", "validation_split"),
    *("orch", "hydra", "training"),
)
# The similarity from which on a name counts as a misspelling: one wrong letter in eight.
NEAR: Final = 0.85


def check_keys(config: Mapping[str, object]) -> None:
    """Check that no key is a misspelling of a known one.

    A key of a mapping is compared with groups, another one with values. A known name with a suffix,
    such as `seed_2` or `model2`, is the user's own key.

    Raises:
        ConfigError: If a key is a misspelling, whether or not the known key exists, too.
    """
    for key in unread_keys(config):
        known = GROUPS if isinstance(config[key], dict) else VALUES
        if nearest := _nearest(key, known):
            raise ConfigError(
                f"{key}: this key is not read. Did you mean {nearest}? Rename it, or remove it."
            )


def unread_keys(config: Mapping[str, object]) -> list[str]:
    """Return the top-level keys that the trainer does not read, except those that begin with `_`."""
    return [
        str(key)
        for key in config
        if str(key)[:1] != "_" and key not in VALUES and key not in GROUPS
    ]


def describe_unread(config: Mapping[str, object]) -> str:
    """Return a note on the keys that the trainer does not read; an empty string if it reads all."""
    keys = unread_keys(config)
    if not keys:
        return ""
    these = "this key" if len(keys) == 1 else "these keys"
    return (
        f"the trainer does not read {these}: {', '.join(keys)}. Ignore this if other keys refer"
        " to it, or your modules read trainer.cfg."
    )


def _nearest(key: str, known: Sequence[str]) -> str | None:
    """Return the known name that a key was probably meant to be, or None."""
    found = max(known, key=lambda name: _likeness(key, name))
    return found if _likeness(key, found) >= NEAR else None


def _likeness(key: str, name: str) -> float:
    if re.match(rf"{re.escape(name)}[_\d]", key):
        return 0
    if sorted(key) == sorted(name):
        return 1
    letters = key.lower().replace("_", ""), name.replace("_", "")
    return SequenceMatcher(None, *letters, autojunk=False).ratio()
