"""The placeholders of a command: ``{run_dir}``, ``{run_id}``, ``{overrides}`` and the config's keys.

Braces around anything else are left alone, for shells and JSON; ``{{name}}`` is the text ``{name}``.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.config.overrides import as_override
from orchestrator.config.secret_patterns import is_credential
from orchestrator.config.secret_references import HANDED_OVER
from orchestrator.errors import ConfigError
from orchestrator.grid.values import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from orchestrator.grid.identity import Run
    from orchestrator.grid.values import Value

# A name that is a key's, or looks like one: what else stands in braces is no business of ours.
_PLACE: Final = re.compile(r"\{\{([^{}\s]+)\}\}|(?<!\$)\{([^{}\s,:\"'$]+)\}")
_NAME: Final = re.compile(r"[A-Za-z_][\w.]*(\[\d+\])?")
_LITERAL: Final = re.compile(r"[\w.]+")
_VARIABLE: Final = re.compile(r"\$\{oc\.env:\s*(\w+)")
_OVERRIDES: Final = "overrides"


def fill_in(parts: Sequence[str], run: Run, run_dir: Path) -> tuple[str, ...]:
    """Return the arguments of a command with their placeholders filled in.

    An argument that is ``{overrides}`` and nothing else becomes one argument for each axis.

    Raises:
        ConfigError: A placeholder names no key of the run's config, or a secret, or holds a NUL.
    """
    overrides = [as_override(key, value) for key, value in run.overrides.items()]
    written = dict(_leaves(run.written))
    known: dict[str, Value] = {
        **dict(_leaves(run.config)),
        "run_dir": str(run_dir.resolve()),
        "run_id": run.run_id,
        _OVERRIDES: " ".join(overrides),
    }
    replace = partial(_replace, known=known, written=written)
    filled: list[str] = []
    for part in parts:
        whole = part == f"{{{_OVERRIDES}}}"
        arguments = overrides if whole else [_PLACE.sub(replace, part)]
        if any("\0" in argument for argument in arguments):
            raise ConfigError(
                f"orch.command: {part!r} becomes a text with a NUL in it, which no program can be"
                " given. Let it read the value in config.yaml in its run directory."
            )
        filled += arguments
    return tuple(filled)


def _replace(found: re.Match[str], known: Mapping[str, Value], written: Mapping[str, Value]) -> str:
    """Return what stands in a placeholder's place: the text itself where it is none."""
    literal, name = found.groups()
    if literal is not None:
        is_name = literal in known or _LITERAL.fullmatch(literal)
        return "{" + literal + "}" if is_name else found.group()
    if name in known:
        if _is_credential_hidden(name, written.get(name)):
            raise ConfigError(
                f"orch.command: {{{name}}} is a secret, which would show in the list of processes."
                " Let the program read it in config.yaml in its run directory."
            )
        return _text(known[name])
    if not _NAME.fullmatch(name):
        return found.group()
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {{{near[0]}}}?" if near else ""
    raise ConfigError(
        f"orch.command: the config has no key '{name}' for the placeholder {{{name}}}.{hint}"
        f" For this very text write {{{{{name}}}}}."
    )


def _is_credential_hidden(name: str, written: Value) -> bool:
    """Tell whether a value is written down by a reference, and as a credential."""
    text = str(written)
    if HANDED_OVER in text:
        return True
    names = _VARIABLE.findall(text)
    return bool(names) and any(map(is_credential, (*names, *name.split("."))))


def _leaves(config: Mapping[str, Value], above: str = "") -> Iterator[tuple[str, Value]]:
    for key, value in config.items():
        yield f"{above}{key}", value
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")


def _text(value: Value) -> str:
    """Write a value as a program expects it: text as it is, lists and mappings as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, list | dict) else show(value)
