"""The command for a run: the one that yields exactly this run from the current config."""

from __future__ import annotations

import argparse
import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from orchestrator.cli.lookup import key_of, source_of
from orchestrator.cli.next_command import next_command, split_words
from orchestrator.config.axis_combination import GRIDS, SEARCH, WHEN, ZIP
from orchestrator.config.concealed_arguments import without_secret
from orchestrator.config.experiment_settings import SharedSettings
from orchestrator.config.grid_templates import make_templates
from orchestrator.config.load import load_experiment
from orchestrator.config.overrides import as_override
from orchestrator.errors import OrchestratorError, RunDirectoryError
from orchestrator.grid.config_diff import find_differences
from orchestrator.grid.config_values import DELETED, Missing, look_up
from orchestrator.grid.filters_per_point import FILTERS
from orchestrator.grid.identity import identify
from orchestrator.grid.point_selection import select_runs
from orchestrator.rundir import code_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.run_summary import Report

# A setting of orch on a command line; a credential was replaced when the line was recorded.
_SETTING: Final = re.compile(r"\+{0,2}orch(\.[\w.-]+)?=|~orch\.")
_WITHOUT: Final = (
    "{} was typed with what looks like a credential, which is not recorded: add it to the command"
)
_MOST: Final = 12  # added overrides; each costs composing the config again
_SHOWN: Final = 5
_OF_GRIDS: Final = (SEARCH, GRIDS, ZIP, WHEN)  # the settings that say which runs there are
# What may yield further runs, or exclude this one, and is turned off for a run's own command where it
# does.
_FORMS: Final = tuple(
    (*forms, *filters)
    for forms in ((), (SEARCH,), (GRIDS,), (GRIDS, ZIP), (GRIDS, WHEN), (GRIDS, ZIP, WHEN))
    for filters in ((), (FILTERS,))
)


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """The command that yields a run; None if there is none, and ``differs_in`` or ``unreadable`` says why."""

    command: str | None
    differs_in: tuple[str, ...] = ()
    overrides: tuple[str, ...] | None = None
    unreadable: str = ""

    @property
    def reason(self) -> str:
        """Why there is no command, as a message for the user."""
        if self.unreadable:
            return self.unreadable
        named = ", ".join(self.differs_in[:_SHOWN])
        more = len(self.differs_in) - _SHOWN
        named += f" and {more} more" if more > 0 else ""
        return f"it belongs to another config, which differs in {named or 'its structure'}"


def find_own_command(
    options: argparse.Namespace, directory: RunDirectory, report: Report
) -> OwnCommand:
    """Return the command that yields this run and no other; it is verified before it is returned.

    Of the original command line the values of the run are recorded, and the settings of ``orch``. If the
    current config yields another run, the keys that differ are overridden one by one.
    """
    try:
        directory.read_hashed_config()
    except RunDirectoryError as error:
        return OwnCommand(None, unreadable=str(error).removesuffix("."))
    given = {key_of(text): text for text in options.overrides}
    untyped = {
        key: value for key, value in report.given.items() if key.removeprefix(DELETED) not in given
    }
    deleted = [key for key in untyped if key.startswith(DELETED)]
    values = {**report.overrides, **untyped}
    values = {key: value for key, value in values.items() if key not in deleted}
    others = [*deleted, *(text for key, text in given.items() if key not in values)]
    attempts = code_record.read(directory.path)
    line = attempts[-1].get("typed") if attempts else None
    # A run that is continued alone is compared with no other.
    typed_alone = [text for text in settings_in(line) if not is_halving(text)]
    settings = [text for text in typed_alone if key_of(text) not in given]
    if hidden := [key_of(text) for text in settings if _had_credential(text)]:
        return OwnCommand(None, unreadable=_WITHOUT.format(", ".join(hidden)))
    signs = {key: text[: len(text) - len(text.lstrip("+"))] for key, text in given.items()}
    told: tuple[str, ...] = ()
    with_settings = (settings, []) if settings else ([],)
    for typed, forms, is_adding in product(with_settings, _FORMS, (False, True)):
        kept = [it for it in (*others, *typed) if key_of(it) not in forms]
        off = [f"{form}=null" for form in forms]
        signed = signs
        if is_adding:
            signed = dict.fromkeys(_find_added(options, kept + off, values), "+")
            if not signed:
                continue
        named = [as_override(f"{signed.get(key, '')}{key}", it) for key, it in values.items()]
        found, differences, is_one = _complete(options, directory, report, kept + named + off)
        if found is not None:
            own = argparse.Namespace(**{**vars(options), "overrides": found})
            return OwnCommand(next_command(own, "run"), overrides=tuple(found))
        told = told or differences
        if is_one:
            break
    return OwnCommand(None, told)


def settings_in(line: object) -> list[str]:
    """Return how a recorded command line said that runs are executed, such as their program.

    The run ID does not depend on these settings of ``orch``.
    """
    with suppress(ValueError):  # it is not a command line
        words = split_words(line) if isinstance(line, str) else []
        return [it for it in words if _SETTING.match(it) and key_of(it) not in _OF_GRIDS]
    return []


def is_rerun(line: object) -> bool:
    """Return whether a recorded command line executed runs again that other commands had created."""
    with suppress(ValueError):
        return isinstance(line, str) and "rerun" in split_words(line)
    return False


def is_halving(override: str) -> bool:
    """Return whether an override says how runs are compared while they are trained."""
    return key_of(override).startswith("orch.halving")


def _had_credential(setting: str) -> bool:
    """Return whether a setting had a credential, which was replaced when it was recorded, or has one."""
    return "***" in setting or without_secret(setting) != setting


def _find_added(
    options: argparse.Namespace, overrides: Sequence[str], keys: Iterable[str]
) -> list[str]:
    """Return those keys that the config does not have by itself, so that they have to be added."""
    try:
        config = _make(options, overrides)[1]
    except OrchestratorError:
        return []
    return [key for key in keys if isinstance(look_up(config, key), Missing)]


def _complete(
    options: argparse.Namespace, directory: RunDirectory, report: Report, overrides: list[str]
) -> tuple[list[str] | None, tuple[str, ...], bool]:
    """Return the overrides with those that are missing, or None; the keys that differ; whether it is one run."""
    differences: tuple[str, ...] = ()
    run_id = ""
    with suppress(OrchestratorError):  # an override that the config rejects yields no run either
        config = directory.read_hashed_config()
        for _ in range(_MOST):
            run_id, now, exclude = _make(options, overrides)
            if run_id == report.run_id:
                return overrides, (), True
            differences = tuple(it.key for it in find_differences(config, now, exclude))
            if not differences or len(differences) > _MOST:
                break
            added = _override(differences[0], config, now)
            if added in overrides:
                break
            overrides = [*overrides, added]
    return None, differences, bool(run_id)


def _make(
    options: argparse.Namespace, overrides: Sequence[str]
) -> tuple[str, Mapping[str, Value], Sequence[str]]:
    """Return the ID of the run that overrides yield, its config, and the keys excluded from identity.

    The ID is empty if they yield several runs, or if a filter excludes the only one.
    """
    source = source_of(options)
    described = load_experiment(source.folder, source.name, overrides, source.app)
    exclude = described.settings.identity_exclude
    span, composer = described.span, described.composer
    is_one = all(len(axis.values) == 1 for axis in described.axes) and not described.search
    if described.search is None and (is_one or span.are_conditional or len(span.grids) > 1):
        shared = SharedSettings(span, composer.resolve)
        templates = shared.templates(make_templates(composer))
        runs = select_runs(span, templates, shared.resolve, (), exclude=exclude).runs
        if len(runs) == 1 and not is_one:
            return runs[0].run_id, runs[0].written, exclude
        is_one = is_one and len(runs) == 1
    point = described.first_point()
    run = identify(composer.resolve_for_identity(point), {}, exclude)
    return run.run_id if is_one else "", composer.conceal(point).written, exclude


def _override(key: str, config: Mapping[str, Value], now: Mapping[str, Value]) -> str:
    """Return the override that sets a key to its value in ``config``."""
    value = look_up(config, key)
    if isinstance(value, Missing):
        return f"~{key}"
    is_new = isinstance(look_up(now, key), Missing)
    return as_override(f"{'+' if is_new else ''}{key}", value)
