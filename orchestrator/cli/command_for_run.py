"""The command for a run: the one that yields exactly this run from the current config."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.cli.lookup import source_of
from orchestrator.cli.next_command import next_command
from orchestrator.config.load import load_experiment
from orchestrator.config.overrides import as_override
from orchestrator.errors import OrchestratorError
from orchestrator.grid.config_diff import find_differences
from orchestrator.grid.config_values import Missing, look_up
from orchestrator.grid.identity import identify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.run_status_report import Report

_MOST: Final = 12  # added overrides; each costs composing the config again
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """The command that yields a run; None if there is none, and ``differs_in`` says why."""

    command: str | None
    differs_in: tuple[str, ...] = ()
    overrides: tuple[str, ...] | None = None

    @property
    def reason(self) -> str:
        """Why there is no command, as a message for the user."""
        named = ", ".join(self.differs_in[:_SHOWN])
        more = len(self.differs_in) - _SHOWN
        named += f" and {more} more keys" if more > 0 else ""
        return f"it belongs to another config, which differs in {named or 'its structure'}"


def find_own_command(
    options: argparse.Namespace, directory: RunDirectory, report: Report
) -> OwnCommand:
    """Return the command that yields this run and no other; it is verified before it is returned.

    The original command line is not recorded, apart from the axes. If the current config yields
    another run, the keys that differ are overridden one by one.
    """
    given = {text.partition("=")[0].lstrip("+~"): text for text in options.overrides}
    others = [text for key, text in given.items() if key not in report.overrides]
    signs = {key: text[: len(text) - len(text.lstrip("+"))] for key, text in given.items()}
    overrides = others + [
        as_override(f"{signs.get(key, '')}{key}", value) for key, value in report.overrides.items()
    ]
    differences: tuple[str, ...] = ()
    try:
        config = directory.read_hashed_config()
        for _ in range(_MOST):
            run_id, now, exclude = _make(options, overrides)
            if run_id == report.run_id:
                line = argparse.Namespace(**{**vars(options), "overrides": overrides})
                return OwnCommand(next_command(line, "run"), overrides=tuple(overrides))
            differences = tuple(it.key for it in find_differences(config, now, exclude))
            if not differences or len(differences) > _MOST:
                break
            added = _override(differences[0], config, now)
            if added in overrides:
                break
            overrides = [*overrides, added]
    except OrchestratorError:
        pass  # an override that the config rejects yields no run either
    return OwnCommand(None, differences)


def _make(
    options: argparse.Namespace, overrides: Sequence[str]
) -> tuple[str, Mapping[str, Value], Sequence[str]]:
    """Return the ID of the run that overrides yield, its config, and the keys excluded from identity.

    The ID is empty if they yield several runs.
    """
    source = source_of(options)
    described = load_experiment(source.folder, source.name, overrides, source.app)
    exclude = described.settings.identity_exclude
    point = described.first_point()
    is_one = all(len(axis.values) == 1 for axis in described.axes)
    run = identify(described.composer.resolve_for_identity(point), {}, exclude)
    written = described.composer.conceal(point).written
    return run.run_id if is_one else "", written, exclude


def _override(key: str, config: Mapping[str, Value], now: Mapping[str, Value]) -> str:
    """Return the override that sets a key to its value in ``config``."""
    value = look_up(config, key)
    if isinstance(value, Missing):
        return f"~{key}"
    is_new = isinstance(look_up(now, key), Missing)
    return as_override(f"{'+' if is_new else ''}{key}", value)
