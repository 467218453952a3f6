"""The user's own modules in the current folder: found after installed ones, which they never hide."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


class MissingModuleError(ModuleNotFoundError):
    """There is no module of the name that the user gave; the message is for the user."""


def find_modules_of_the_project() -> None:
    """Make modules of the current folder importable, after the installed ones."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)


def import_named(module: str) -> ModuleType:
    """Import a module that the user named.

    Raises:
        MissingModuleError: There is none of this name.
        ImportError: What it imports itself cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        hidden = hidden_file(module)
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            file = Path.cwd() / f"{module.replace('.', '/')}.py"
            why = hidden or f"Neither the file {file} nor an installed module has this name"
            raise MissingModuleError(f"there is no module {module}. {why}.") from error
        if hidden:
            raise type(error)(f"{error}: {hidden}") from error
        raise


def hidden_file(module: str) -> str:
    """Say which file or folder of the current folder an installed module hides; empty if none."""
    package = module.partition(".")[0]
    file, folder = Path(f"{package}.py"), Path(package)
    inside = Path(*module.split("."))
    is_meant = any(
        _is_file(path)
        for path in (folder / "__init__.py", inside.with_suffix(".py"), inside / "__init__.py")
    )
    meant = [path for path, is_there in ((file, _is_file(file)), (folder, is_meant)) if is_there]
    found = sys.modules.get(package)
    place = getattr(found, "__file__", None) or f"the module {package} that is built into Python"
    if not meant or found is None or _is_within(place, meant[0]):
        return ""
    what = "folder" if meant[0] is folder else "file"
    return f"{place} was imported, which hides {meant[0].resolve()}. Rename that {what}"


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 # False for a name that the system refuses


def _is_within(place: str, meant: Path) -> bool:
    return Path(place).resolve().is_relative_to(meant.resolve())
