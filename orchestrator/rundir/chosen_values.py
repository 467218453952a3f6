"""What a run was created with, as ``run.json`` records it: what tells it from others by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.rundir import records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.grid.config_values import Value


@dataclass(frozen=True, slots=True)
class ChosenValues:
    """The values that a run was created with.

    ``overrides`` are those on the axes, ``given`` those that its command gave to all of its runs, and
    ``choices`` the configs that it was composed of, by group; None: an earlier version created it, and
    did not record them, nor what was given. ``identity_exclude`` were not part of its run ID.
    """

    overrides: Mapping[str, Value]
    given: Mapping[str, Value] = field(default_factory=dict)
    choices: Mapping[str, Value] | None = None
    identity_exclude: Sequence[str] = ()

    @property
    def named(self) -> dict[str, Value]:
        """The values that name the run: those on the axes, and those given."""
        return {**self.overrides, **self.given}

    @property
    def known_choices(self) -> dict[str, str]:
        """The choices by which conditions may name configs, by group, also with dots."""
        return name_choices(self.overrides if self.choices is None else self.choices)


def name_choices(choices: Mapping[str, object]) -> dict[str, str]:
    """Return the choices that are names of configs, by group, also with dots."""
    texts = {group: name for group, name in choices.items() if isinstance(name, str)}
    return {group.replace("/", "."): name for group, name in texts.items()} | texts


def parse_chosen(identity: Mapping[str, Any]) -> ChosenValues:
    """Return what a ``run.json`` says; what is malformed counts as not recorded."""
    read = records.parse_values
    choices = read(identity, "choices") if "choices" in identity else None
    found = identity.get("identity_exclude")
    exclude = [*map(str, found)] if found and isinstance(found, list) else ()
    return ChosenValues(read(identity, "overrides"), read(identity, "given"), choices, exclude)
