"""New imports: the modules that a program imported beyond those that were loaded before its fork.

Only installed modules count: those of the project are the user's code, which may be edited while the
grid is executed, and are loaded before a fork only if ``orch.preload`` names them.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.runner import project_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

_INSTALLED: Final = ("/site-packages/", "/dist-packages/")
_STANDARD: Final = f"{os.path.dirname(os.__file__)}/"  # noqa: PTH120 # once per process
_OURS: Final = ("trainer.", "orch.")  # also where this project is installed as editable
_WITHOUT_FILE: Final = ("built-in", "frozen")


@dataclass(frozen=True, slots=True)
class NewImports:
    """The names of the modules in the order in which their imports ended, and the environment that they saw.

    The environment is that at the end of the program, which may have changed it before an import.
    """

    names: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


NOTHING_NEW: Final = NewImports()


def find_new_imports() -> NewImports:
    """Return what this process has imported since it was forked."""
    names = [name for name in project_files.new_modules() if _is_installed(name)]
    return NewImports(tuple(reversed(names)), dict(os.environ)) if names else NOTHING_NEW


def _is_installed(name: str) -> bool:
    """Return whether an import of this name in another process finds the same installed module."""
    module: ModuleType | None = sys.modules.get(name)
    # Not by attribute: a lazy module would import what it stands for.
    spec = getattr(module, "__dict__", {}).get("__spec__")
    origin = getattr(spec, "origin", None)
    if getattr(spec, "name", None) != name or not isinstance(origin, str):
        return False
    is_standard = origin in _WITHOUT_FILE or origin.startswith(_STANDARD)
    return is_standard or name.startswith(_OURS) or any(part in origin for part in _INSTALLED)


def dump_new_imports(found: NewImports) -> bytes:
    """Return them as bytes; none if there are none."""
    if not found.names:
        return b""
    return json.dumps([found.names, found.environment]).encode(errors="replace")


def parse_new_imports(told: bytes) -> NewImports:
    """Parse what ``dump_new_imports`` returned; anything else means nothing."""
    with suppress(ValueError, TypeError):
        names, environment = json.loads(told)
        return NewImports(tuple(map(str, names)), dict(environment))
    return NOTHING_NEW
