"""The placeholders of a command: ``{run_dir}``, ``{run_id}``, ``{config}``, ``{gpus}``, ``{overrides}``, keys.

An argument that is exactly ``{--flag?key}`` becomes ``--flag`` if the key has a value that is neither
false nor empty, and is dropped otherwise; ``{key*}`` becomes one argument per item of a list. Other
braces are left unchanged, for shells and JSON; ``{{name}}`` is the literal ``{name}``.
A key that is not part of the run ID has the value that is recorded in the run directory, if it exists.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from orchestrator.config.credential_check import (
    is_credential,
    is_secret,
    looks_like_credential,
)
from orchestrator.config.kept_excluded_values import spell_kept_values, with_kept_values
from orchestrator.config.overrides import as_override
from orchestrator.config.secret_references import HANDED_OVER
from orchestrator.errors import ConfigError
from orchestrator.grid.config_values import show
from orchestrator.rundir.directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run

# A key, or what looks like one; anything else in braces is not a placeholder.
_PLACE: Final = re.compile(r"\{\{([^{}\s]+)\}\}|(?<!\$)\{([^{}\s,:\"'$]+)\}")
_NAME: Final = re.compile(r"[A-Za-z_][\w.]*(\[\d+\])?")
_LITERAL: Final = re.compile(r"[\w.]+")
_VARIABLE: Final = re.compile(r"\$\{oc\.env:\s*(\w+)")
# An argument that is exactly one of these: {--flag?key}, {key*}.
_FLAG: Final = re.compile(r"\{([^{}\s?]+)\?([A-Za-z_][\w.-]*)\}")
_EACH: Final = re.compile(r"\{([A-Za-z_][\w.-]*)\*\}")
# An override of Hydra's own settings whose value its grammar would not read as the path that it is.
_OF_HYDRA: Final = re.compile(
    r"(\+{0,2}hydra\.[\w.]+)=(?![\w./-]*$)([^'\"].*)", re.ASCII | re.DOTALL
)
_OVERRIDES: Final = "overrides"
COMMAND: Final = "command"
ARGUMENTS: Final = "arguments"


def fill_in(
    parts: Sequence[str], run: Run, run_dir: Path, setting: str = COMMAND
) -> tuple[str, ...]:
    """Return the arguments of a run's program with their placeholders replaced.

    An argument that is exactly ``{overrides}`` becomes one argument per override.

    Args:
        parts: The arguments, if the run's config has none of its own.
        run: The run; its own arguments under ``orch`` take precedence.
        run_dir: The run directory.
        setting: The setting under ``orch`` that holds the arguments, ``command`` or ``arguments``.

    Raises:
        ConfigError: A placeholder names an unknown key or a secret, or its value contains a NUL.
    """
    places = _Places(run, run_dir, f"orch.{setting}")
    return tuple(
        argument for part in own_parts(run, setting, parts) for argument in places.arguments(part)
    )


def own_parts(run: Run, setting: str, parts: Sequence[str]) -> Sequence[str]:
    """Return the arguments under ``orch`` in a run's config, which may refer to axes."""
    settings = run.config.get("orch")
    if not isinstance(settings, Mapping) or (
        setting == ARGUMENTS and settings.get("entry_point") is None
    ):
        return parts  # of this project's trainer
    own = settings.get(setting)
    return [_text(item) for item in own] if isinstance(own, list) else parts


class _Places:
    """The values of the placeholders of one run; ``where`` names their setting in errors."""

    def __init__(self, run: Run, run_dir: Path, where: str) -> None:
        self._where = where
        directory = RunDirectory(run_dir.resolve())
        config = with_kept_values(run, directory)
        self._overrides = [*run.hydra_overrides, *spell_kept_values(run.config, config)]
        self._written = dict(_leaves(run.written))
        self._known: dict[str, Value] = {
            # Keys of the user's config take precedence.
            "config": str(directory.config),
            "gpus": _gpus_per_run(run),
            **dict(_leaves(config)),
            "run_dir": str(directory.path),
            "run_id": run.run_id,
            _OVERRIDES: " ".join(self._overrides),
        }

    def arguments(self, part: str) -> list[str]:
        """Return the arguments that replace one argument: one, several or none."""
        found = self._expand(part)
        if any("\0" in argument for argument in found):
            raise ConfigError(
                f"{self._where}: {part!r} becomes an argument that contains a NUL, which cannot be"
                " passed to a program. Let it read the value from config.yaml in its run directory."
            )
        return found

    def _expand(self, part: str) -> list[str]:
        if part == f"{{{_OVERRIDES}}}":
            return self._overrides
        if flag := _FLAG.fullmatch(part):
            return [flag[1]] if self._is_set(self._value(flag[2])) else []
        if each := _EACH.fullmatch(part):
            value = self._value(each[1])
            values = value if isinstance(value, list) else [value] if self._is_set(value) else []
            return [_text(item) for item in values]
        text = _PLACE.sub(self._replace, part)
        found = _OF_HYDRA.fullmatch(text) if "{run_dir}" in part else None
        return [as_override(found[1], found[2]) if found else text]

    @staticmethod
    def _is_set(value: Value) -> bool:
        return not (value is None or value is False or value in ("", [], {}))

    def _replace(self, found: re.Match[str]) -> str:
        """Return the replacement of a placeholder; the string itself if it is not one."""
        literal, name = found.groups()
        if literal is not None:
            is_name = literal in self._known or _LITERAL.fullmatch(literal)
            return "{" + literal + "}" if is_name else found.group()
        if name not in self._known and not _NAME.fullmatch(name):
            return found.group()
        return _text(self._value(name))

    def _value(self, name: str) -> Value:
        if name not in self._known:
            near = difflib.get_close_matches(name, self._known, n=1)
            hint = f" Did you mean {{{near[0]}}}?" if near else ""
            raise ConfigError(
                f"{self._where}: the config has no key '{name}' for the placeholder {{{name}}}."
                f"{hint} For the literal string write {{{{{name}}}}}."
            )
        if self._is_hidden(name):
            raise ConfigError(
                f"{self._where}: {{{name}}} is a secret, which the list of processes would expose."
                " Let the program read it from config.yaml in its run directory."
            )
        return self._known[name]

    def _is_hidden(self, name: str) -> bool:
        """Return whether a value is written as a reference because it is a credential."""
        text = str(self._written.get(name))
        if HANDED_OVER in text:
            return not self._is_a_word(name)
        names = _VARIABLE.findall(text)
        return bool(names) and any(map(is_credential, (*names, *name.split("."))))

    def _is_a_word(self, name: str) -> bool:
        """Return whether a concealed value is only a word under a key such as ``token``."""
        path, value = name.split("."), self._known[name]
        if not is_secret(path, value) or looks_like_credential(path, value):
            return False
        others = (key for key, text in self._written.items() if HANDED_OVER in str(text))
        return not any(
            str(self._known[key]) in str(value)
            for key in others
            if looks_like_credential(key.split("."), self._known[key])
        )


def _gpus_per_run(run: Run) -> Value:
    settings = run.config.get("orch")
    found = settings.get("gpus_per_run") if isinstance(settings, Mapping) else None
    return 1 if found is None else found


def _leaves(config: Mapping[str, Value], above: str = "") -> Iterator[tuple[str, Value]]:
    for key, value in config.items():
        yield f"{above}{key}", value
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")


def _text(value: Value) -> str:
    """Return a value as an argument: a string unchanged, lists and mappings as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, list | dict) else show(value)
