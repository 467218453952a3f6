"""Identity: the canonical form of a resolved config, and the run ID that is its hash.

The canonical form is JSON in UTF-8 with sorted keys and no spaces, in which a number is written by
its value (``1`` and ``1.0`` are the same) and a key that is no text stands without quotes. It is
a contract: the IDs of existing results depend on every byte of it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NewType

from orchestrator.errors import IdentityError
from orchestrator.grid.config_template import put

if TYPE_CHECKING:
    from orchestrator.grid.config_template import Path
    from orchestrator.grid.config_values import Value


RunId = NewType("RunId", str)

RUN_ID_DIGITS: Final = 16
SHORT_ID_DIGITS: Final = 8
_GAP: Final = "\0"
NEVER_IDENTITY = ("results_dir", "experiment_id", "hydra", "_filters", "orch")


@dataclass(frozen=True, slots=True)
class Run:
    """A point that was kept: the unit of work.

    ``config`` is the resolved config it trains with, ``overrides`` the values of its axes,
    ``digest`` the full SHA-256 behind the run ID. ``written`` is the config as it is written down,
    without secrets, ``environment`` the variables that this refers to besides those of the user.
    """

    run_id: RunId
    digest: str
    overrides: Mapping[str, Value]
    config: Mapping[str, Value] = field(repr=False)
    written: Mapping[str, Value] = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def identify(
    config: Mapping[str, Value], overrides: Mapping[str, Value], exclude: Sequence[str] = ()
) -> Run:
    """Return the run of a resolved config.

    Args:
        config: The resolved config, as plain values.
        overrides: The values of the point's axes, for people; they are not part of the identity.
        exclude: Dotted keys that do not count, besides ``NEVER_IDENTITY``.

    Raises:
        IdentityError: A value has no stable form: NaN, infinity, an object.
    """
    digest = hashlib.sha256(canonical_form(config, exclude)).hexdigest()
    return Run(RunId(digest[:RUN_ID_DIGITS]), digest, overrides, config, config)


def short(run_id: str) -> str:
    """Return the beginning of a run ID that tables and messages show; every command takes it."""
    return run_id[:SHORT_ID_DIGITS]


def canonical_form(config: Mapping[str, Value], exclude: Sequence[str] = ()) -> bytes:
    """Return the bytes that are hashed: the same for the same config, however it was written."""
    left_out = frozenset((*NEVER_IDENTITY, *exclude))
    return encode_form(_mapping(config, "", left_out))


def encode_form(text: str) -> bytes:
    """Return a canonical form, or a piece of one, as the bytes that are hashed.

    Raises:
        IdentityError: It holds text that is not valid Unicode.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise IdentityError(
            f"the config holds text that is not valid Unicode ({error.reason}). Remove it."
        ) from None


@dataclass(frozen=True, slots=True)
class Gap:
    """Stands in a config for a value that differs between configs."""

    number: int


def canonical_pieces(config: Mapping[str, object], exclude: Sequence[str]) -> tuple[str | int, ...]:
    """Return the canonical form of a config with gaps, as text and the gaps' numbers in turn.

    Raises:
        IdentityError: A value has no stable form.
    """
    form = _mapping(config, "", frozenset((*NEVER_IDENTITY, *exclude)))
    # JSON escapes control characters, so these stand only where a gap is.
    pieces = form.split(_GAP)
    return tuple(int(piece) if at % 2 else piece for at, piece in enumerate(pieces))


def canonical_value(value: Value, path: str, exclude: Sequence[str]) -> str:
    """Return the canonical form of a value that stands under a dotted path.

    Raises:
        IdentityError: It has no stable form.
    """
    return _encode(value, path, frozenset((*NEVER_IDENTITY, *exclude)))


def _encode(value: object, path: str, left_out: frozenset[str]) -> str:
    match value:
        case None | bool() | int() | float() | str():
            return _scalar(value, path)
        case Gap(number):
            return f"{_GAP}{number}{_GAP}"
        case Mapping():
            return _mapping(value, path, left_out)
        case list() | tuple():
            items = (_encode(item, f"{path}[{i}]", left_out) for i, item in enumerate(value))
            return f"[{','.join(items)}]"
        case _:
            raise IdentityError(
                f"{path}: a value of type {type(value).__name__} has no stable form, so the run"
                " would have no stable ID. Use text, numbers, true, false, null, lists or mappings."
            )


def _mapping(value: Mapping[str, object], path: str, left_out: frozenset[str]) -> str:
    prefix = f"{path}." if path else ""
    members = sorted(
        (_encode(key, f"{prefix}{key}", left_out), _encode(item, f"{prefix}{key}", left_out))
        for key, item in value.items()
        if f"{prefix}{key}" not in left_out
    )
    return f"{{{','.join(f'{key}:{item}' for key, item in members)}}}"


def _scalar(value: object, path: str) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise IdentityError(
                f"{path}: {value} has no stable form, so the run would have no stable ID."
                " Use a finite number, or text."
            )
        value = int(value) if value.is_integer() else value
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Concealed:
    """A config, how it is written down, and the variables that this needs besides the user's.

    ``references`` are what counts for the run ID in place of credentials, by their paths.
    """

    resolved: Mapping[str, Value] = field(repr=False)
    written: Mapping[str, Value]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    references: Mapping[Path, Value] = field(default_factory=dict)


def check_digest(concealed: Concealed, digest: str, exclude: Sequence[str]) -> None:
    """Make sure that a config that was composed by itself is the one that was planned.

    Raises:
        IdentityError: It is another one, or has no stable form.
    """
    found = identify(put(concealed.resolved, concealed.references), {}, exclude)
    if found.digest != digest:
        raise IdentityError(
            f"run {digest[:RUN_ID_DIGITS]} was planned, but its config makes run {found.run_id}."
            " A resolver whose value changes from call to call, or a config edited in between,"
            " does that. Exclude the key (orch.identity.exclude), or repeat the command."
        )
