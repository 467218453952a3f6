"""The user's own modules in the current folder: found after installed ones, which they never hide."""

from __future__ import annotations

import sys
from pathlib import Path


def find_modules_of_the_project() -> None:
    """Make modules of the current folder importable, after the installed ones."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)


def hidden_file(module: str) -> str:
    """Return which file of the current folder an installed module hides; an empty string if none."""
    package = module.partition(".")[0]
    meant = [
        path for path in (Path(f"{package}.py"), Path(package, "__init__.py")) if path.is_file()
    ]
    found = sys.modules.get(package)
    place = getattr(found, "__file__", None) or f"the module {package} that is built into Python"
    if not meant or found is None or Path(place).resolve() == meant[0].resolve():
        return ""
    return f"{place} was imported, which hides {meant[0].resolve()}. Rename that file"
