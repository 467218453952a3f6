"""The overrides of the grid in the config and of the command line, in Hydra's grammar.

Swept overrides span axes; for a point, each of them becomes an override with one value.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import TYPE_CHECKING, Final, cast

from hydra.core.override_parser.types import (
    ChoiceSweep,
    Override,
    OverrideType,
    Quote,
    QuotedString,
    Sweep,
    ValueType,
)

from orchestrator.config.concealed_arguments import without_secret
from orchestrator.config.credential_check import looks_like_credential
from orchestrator.config.hydra_errors import refusals_of_hydra
from orchestrator.config.secret_references import HANDED_OVER
from orchestrator.errors import GridError
from orchestrator.grid.axes import Axis, Point
from orchestrator.grid.config_values import look_up

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from orchestrator.config.hydra_composition import ConfigFolder
    from orchestrator.grid.config_values import Value

# Strings that Hydra's grammar reads literally; it knows the letters of ASCII only.
_PLAIN: Final = re.compile(
    r"(?!(?:true|false|null|nan|inf)$)[A-Za-z_][\w/-]*", re.IGNORECASE | re.ASCII
)
_MOST_VALUES: Final = 200_000  # which are all resolved once: seconds
_SHOWN: Final = 200
_SETTINGS: Final = "orch"
_FILTERS: Final = "_filters"
_PLACES: Final = ("experiment_id", "results_dir")
_NEVER_SWEPT: Final = (*_PLACES, _FILTERS, _SETTINGS)
_OF_EACH_RUN: Final = ("orch.command", "orch.arguments")  # may refer to what varies
# What Hydra needs for a grid, and a single run does not.
_FOR_GRIDS: Final = (
    *("hydra.launcher", "hydra/launcher", "hydra.sweeper", "hydra/sweeper"),
    *("hydra.sweep", "hydra.mode"),
)


def merge(declared: Sequence[Override], given: Sequence[Override]) -> tuple[Override, ...]:
    """Merge overrides: the command line takes precedence over the file, keys keep their order."""
    merged = list(declared)
    for override in given:
        places = [at for at, before in enumerate(merged) if name_of(before) == name_of(override)]
        if not places or not _replaces(override, merged[places[-1]], declared):
            merged.append(override)
            continue
        before = merged[places[-1]]
        if override.type is OverrideType.CHANGE and before.type is not OverrideType.DEL:
            # If the file adds the key (+key=...), the new value is added as well.
            text = f"{before.get_key_element()}={override.get_value_string()}"
            override = dataclasses.replace(override, type=before.type, input_line=text)  # noqa: PLW2901 # the same override, in the form of the other
        merged[places[-1]] = override
    return tuple(merged)


def with_open_settings(override: Override) -> Override:
    """Return the override such that it may set a setting of ``orch`` that the config does not name.

    Whether there is such a setting is known without the config, which may be that of another program.
    """
    is_setting = override.key_or_group.partition(".")[0] in _NEVER_SWEPT
    if not is_setting or override.is_delete() or override.is_sweep_override():
        return override
    line = f"+{override.input_line}" if override.is_add() else override.input_line
    return dataclasses.replace(override, type=OverrideType.FORCE_ADD, input_line=line)


def _replaces(override: Override, before: Override, declared: Sequence[Override]) -> bool:
    """Return whether an override replaces an earlier one, rather than being applied after it."""
    if any(before is item for item in declared) or before.is_sweep_override():
        return True
    return override.is_sweep_override() and override.type is OverrideType.CHANGE


def name_of(override: Override) -> str:
    """Return the key or group of an override, without a sign."""
    return override.get_key_element().lstrip("+~")


def make_axis(override: Override, folder: ConfigFolder) -> Axis:
    """Return the axis that an override spans; it has one value unless that is swept.

    Raises:
        GridError: It has no values, or none that can be enumerated.
        ConfigError: A value cannot be read.
    """
    name = name_of(override)
    if name.partition(".")[0] in _NEVER_SWEPT:
        raise GridError(f"{_typed(override)}: {_why_never_swept(override, name)}")
    if not override.is_sweep_override():
        return Axis(name, (_single_value(override, name),))
    if not override.is_discrete_sweep():
        raise GridError(
            f"{_typed(override)}: a continuous range cannot be enumerated."
            " Use choice(...), range(...), glob(...) or a list of values with commas."
        )
    if isinstance(override.value(), ChoiceSweep) and any(
        isinstance(item, Sweep) for item in cast("ChoiceSweep", override.value()).list
    ):
        raise GridError(
            f"{_typed(override)}: choice(...), range(...) and other sweeps"
            " cannot be combined with other values. Write one choice(...) of all values."
        )
    with refusals_of_hydra():
        elements = list(itertools.islice(override.sweep_iterator(), _MOST_VALUES + 1))
        if len(elements) > _MOST_VALUES:
            raise GridError(
                f"{_typed(override)}: it has more than {_MOST_VALUES:,} values. Give it fewer."
            )
        values = [_reread(element, folder) for element in elements]
    if any(looks_like_credential(name.split("."), value) for value in values):
        raise GridError(
            f"{name} cannot be an axis: it looks like a credential, and axis values are displayed."
            " Give it a single value, or values from the environment:"
            " '${oc.env:FIRST}','${oc.env:SECOND}'."
        )
    return Axis(name, tuple(values))


def _why_never_swept(override: Override, name: str) -> str:
    if name in _OF_EACH_RUN:
        return (
            f"{name} cannot be an axis, since it is not part of the run ID. Add a key that varies,"
            f" such as +given=[a],[b], and refer to it: '{name}=${{given}}'."
        )
    advice = (
        "Give it a single value" if override.is_sweep_override() else "Set it outside of the grids"
    )
    return f"{name} cannot be an axis, since it must be equal for all runs. {advice}."


def _single_value(override: Override, name: str) -> Value:
    if override.is_delete() or override.is_hydra_override():
        raise GridError(f"{_typed(override)}: it is not an axis. Remove it from the grid.")
    value = cast("Value", override.value())
    if looks_like_credential(name.split("."), value):
        raise GridError(
            f"{name} cannot be in a grid: it looks like a credential, and values of grids are"
            " displayed. Set it outside of the grids."
        )
    return value


def _typed(override: Override) -> str:
    text = without_secret(str(override.input_line))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _reread(element: object, folder: ConfigFolder) -> Value:
    """Return a swept value as Hydra's sweeper passes it on: formatted, and parsed again."""
    is_plain = isinstance(element, str) and _PLAIN.fullmatch(element)
    if is_plain or element is None or isinstance(element, bool | int | float | QuotedString):
        return cast("Value", Override._convert_value(cast("str", element)))
    text = Override._get_value_element_as_str(cast("str", element))
    return cast("Value", folder.parse([f"key={text}"])[0].value())


def choose_all(
    overrides: Sequence[Override], point: Point, conditional: Container[str] = ()
) -> list[Override]:
    """Return the overrides of a point: without those of axes that are unset there, as ``choose``.

    ``conditional`` are the axes that may be unset.
    """
    names = map(name_of, overrides)
    return [
        choose(override, point)
        for override, name in zip(overrides, names, strict=True)
        if name in point.values or name not in conditional
    ]


def choose(override: Override, point: Point) -> Override:
    """Return the override that sets an axis to the point's value; others are returned unchanged."""
    if not override.is_sweep_override():
        return override
    value = point.values[name_of(override)]
    return dataclasses.replace(
        override,
        value_type=ValueType.ELEMENT,
        _value=value,
        input_line=as_override(override.get_key_element(), value),
    )


def is_for_program(override: Override, own_keys: Container[str]) -> bool:
    """Return whether a program that composes its config itself needs an override.

    It does not need the settings of ``orch``, and those of Hydra's for a grid. ``own_keys`` are the
    keys of its own config: without it, ``results_dir`` and ``experiment_id`` are not the program's.
    """
    key = override.key_or_group
    if is_ignored_by_programs(key):
        return False
    top = re.split("[./]", key)[0]
    if override.package is not None and override.package.partition(".")[0] == _SETTINGS:
        return False
    return top not in (_SETTINGS, _FILTERS) and (top not in _PLACES or top in own_keys)


def is_ignored_by_programs(key: str) -> bool:
    """Return whether a setting of Hydra's is one for a grid, which a single run does not need."""
    return any(key == name or key.startswith((f"{name}.", f"{name}/")) for name in _FOR_GRIDS)


def without_secret_value(override: Override, written: Mapping[str, Value]) -> str:
    """Return an override as it was typed, but with references in place of a secret.

    ``written`` is the config as it is written to disk, with these references.
    """
    text, value = str(override.input_line), override.value()
    found = look_up(written, override.key_or_group)
    if HANDED_OVER not in str(found) or (isinstance(value, str) and "${" in value):
        return text
    return as_override(override.get_key_element(), cast("Value", found))


def as_override(key: str, value: Value) -> str:
    """Return the override that sets a key to a value, for any program that uses Hydra's grammar."""
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value)
    return f"{key}={value if is_plain else _write(value)}"


def _write(value: Value) -> str:
    """Return a value in the form that Hydra's grammar parses to exactly this value."""
    match value:
        case str():
            return QuotedString(value, Quote.single).with_quotes()
        case list():
            return f"[{','.join(map(_write, value))}]"
        case dict():
            # Keys cannot be quoted; special characters in them are escaped.
            keys = map(Override._get_value_element_as_str, value)
            members = (
                f"{key}:{_write(item)}" for key, item in zip(keys, value.values(), strict=True)
            )
            return f"{{{','.join(members)}}}"
        case _:
            return Override._get_value_element_as_str(value)
