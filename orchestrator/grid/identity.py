"""The identity of a run: the canonical form of its resolved config, and its hash, the run ID.

The canonical form is JSON in UTF-8 with sorted keys and no spaces, in which equal numbers are written
the same (``1`` and ``1.0``) and a key that is not a string has no quotes. It is a contract: the IDs
of existing results depend on every byte of it.
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
from orchestrator.grid.config_values import NEVER_IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from orchestrator.grid.config_template import Path
    from orchestrator.grid.config_values import Value


RunId = NewType("RunId", str)

RUN_ID_DIGITS: Final = 16
SHORT_ID_DIGITS: Final = 8
_GAP: Final = "\0"


@dataclass(frozen=True, slots=True)
class Run:
    """A point that was kept: the unit of work.

    ``config`` is the resolved config it trains with, ``overrides`` are the values of its axes, and
    ``digest`` is the full SHA-256 digest, of which the run ID is the beginning. ``written`` is the
    config for ``config.yaml``, without secrets, ``environment`` holds the variables it refers to,
    besides those of the user. ``hydra_overrides`` are the overrides, in Hydra's grammar and without
    secrets, from which a program with the same config folder composes this config. ``stand_ins`` were
    hashed in place of what only this run has, such as its directory, by their paths. ``given`` are the
    values that were given for all points, ``choices`` the configs that it was composed of, by group.
    """

    run_id: RunId
    digest: str
    overrides: Mapping[str, Value]
    config: Mapping[str, Value] = field(repr=False)
    written: Mapping[str, Value] = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    hydra_overrides: Sequence[str] = field(default=(), repr=False, compare=False)
    stand_ins: Mapping[Path, Value] = field(default_factory=dict, repr=False)
    given: Mapping[str, Value] = field(default_factory=dict, repr=False, compare=False)
    choices: Mapping[str, Value] = field(default_factory=dict, repr=False, compare=False)

    @property
    def naming(self) -> Mapping[str, Value]:
        """The values that name it for the user: those on the axes, or those given if there is no axis."""
        return self.overrides or self.given


def identify(
    config: Mapping[str, Value], overrides: Mapping[str, Value], exclude: Sequence[str] = ()
) -> Run:
    """Return the run with this resolved config.

    Args:
        config: The resolved config, as plain values.
        overrides: The values of the point's axes, for display; not part of the identity.
        exclude: Dotted keys that are not part of the identity, besides ``NEVER_IDENTITY``.

    Raises:
        IdentityError: A value has no stable form: NaN, infinity, or an object.
    """
    digest = hashlib.sha256(canonical_form(config, exclude)).hexdigest()
    return Run(RunId(digest[:RUN_ID_DIGITS]), digest, overrides, config, config)


def short(run_id: str) -> str:
    """Return the beginning of a run ID that tables and messages show; every command takes it."""
    return run_id[:SHORT_ID_DIGITS]


def canonical_form(config: Mapping[str, Value], exclude: Sequence[str] = ()) -> bytes:
    """Return the bytes that are hashed; equal for equal configs, however they were written."""
    left_out = frozenset((*NEVER_IDENTITY, *exclude))
    return encode_form(_mapping(config, "", left_out))


def run_ids_with(
    config: Mapping[str, Value], key: str, values: Iterable[Value], exclude: Sequence[str] = ()
) -> Iterator[RunId]:
    """Yield the IDs of the runs whose configs have one of these values at a top-level key, and nothing else changed.

    Raises:
        IdentityError: As for ``identify``.
    """
    left_out = frozenset((*NEVER_IDENTITY, *exclude))
    members = _members({**config, key: None}, "", left_out)
    at = [name for name, _ in members].index(_scalar(key, key))
    for value in values:
        members[at] = members[at][0], _encode(value, key, left_out)
        digest = hashlib.sha256(encode_form(_joined(members))).hexdigest()
        yield RunId(digest[:RUN_ID_DIGITS])


def encode_form(text: str) -> bytes:
    """Return a canonical form, or a piece of one, as UTF-8.

    Raises:
        IdentityError: It is not valid Unicode.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise IdentityError(
            f"a string in the config is not valid Unicode: {error.reason}. Remove it."
        ) from None


@dataclass(frozen=True, slots=True)
class Gap:
    """A placeholder in a config for a value that differs between configs."""

    number: int


def canonical_pieces(config: Mapping[str, object], exclude: Sequence[str]) -> tuple[str | int, ...]:
    """Return the canonical form of a config with gaps, as strings and the gaps' numbers in turn.

    Raises:
        IdentityError: A value has no stable form.
    """
    form = _mapping(config, "", frozenset((*NEVER_IDENTITY, *exclude)))
    # JSON escapes control characters, so they occur only at gaps.
    pieces = form.split(_GAP)
    return tuple(int(piece) if at % 2 else piece for at, piece in enumerate(pieces))


def canonical_value(value: Value, path: str, exclude: Sequence[str]) -> str:
    """Return the canonical form of the value at a dotted path.

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
                " would have no stable ID. Use strings, numbers, true, false, null, lists or mappings."
            )


def _mapping(value: Mapping[str, object], path: str, left_out: frozenset[str]) -> str:
    return _joined(_members(value, path, left_out))


def _members(
    value: Mapping[str, object], path: str, left_out: frozenset[str]
) -> list[tuple[str, str]]:
    prefix = f"{path}." if path else ""
    return sorted(
        (_encode(key, f"{prefix}{key}", left_out), _encode(item, f"{prefix}{key}", left_out))
        for key, item in value.items()
        if f"{prefix}{key}" not in left_out
    )


def _joined(members: Iterable[tuple[str, str]]) -> str:
    return f"{{{','.join(f'{key}:{item}' for key, item in members)}}}"


def _scalar(value: object, path: str) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise IdentityError(
                f"{path}: {value} has no stable form, so the run would have no stable ID."
                " Use a finite number, or a string."
            )
        value = int(value) if value.is_integer() else value
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Concealed:
    """A config as it is used and as it is written to disk, without its secrets.

    ``environment`` holds the variables that the written config refers to, besides those of the user.
    ``references`` replace credentials in the run ID, by their paths. ``hydra_overrides``, ``given`` and
    ``choices`` are those of the run. If each run has some values for
    itself, ``give_own`` returns the config with those of a run, which is that of the point with a
    number; here stand-ins take their places, which are listed in ``stand_ins``.
    """

    resolved: Mapping[str, Value] = field(repr=False)
    written: Mapping[str, Value]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    references: Mapping[Path, Value] = field(default_factory=dict)
    hydra_overrides: Sequence[str] = ()
    stand_ins: Mapping[Path, Value] = field(default_factory=dict)
    give_own: Callable[[RunId, int], Concealed] | None = None
    given: Mapping[str, Value] = field(default_factory=dict)
    choices: Mapping[str, Value] = field(default_factory=dict)


def check_digest(concealed: Concealed, digest: str, exclude: Sequence[str]) -> None:
    """Make sure that a config composed for one point equals the planned one.

    Raises:
        IdentityError: It differs, or has no stable form.
    """
    found = identify(put(concealed.resolved, concealed.references), {}, exclude)
    if found.digest != digest:
        raise IdentityError(
            f"run {digest[:RUN_ID_DIGITS]} was planned, but its config now yields run {found.run_id}:"
            " a resolver returned another value, or the config was edited in between."
            " Exclude the key (orch.identity.exclude), or repeat the command."
        )
