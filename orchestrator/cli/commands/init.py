"""``orch init``: makes a project that runs at once, to begin one's own from."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.json_text import write_json
from orchestrator.errors import UsageError
from orchestrator.extras import TRAINER

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

_TEMPLATES: Final = Path(__file__).parents[1] / "templates"
_SUFFIX: Final = ".txt"
_HIDDEN: Final = "gitignore"  # its dot would make it part of ours
_IMPOSSIBLE: Final = re.compile(r"[^A-Za-z0-9_-]+")


def init(options: argparse.Namespace, console: Console) -> int:
    """Write the files of a project into a new or empty folder, and return 0.

    Raises:
        UsageError: The folder is not empty, or cannot be written, or what the project needs is missing.
    """
    kind = "app" if options.plain else "trainer"
    if kind == "trainer" and not TRAINER.is_installed:
        raise UsageError(
            f"{TRAINER.request('a project for the trainer')}; or write one for a script of your own:"
            " orch init DIR --app"
        )
    folder = Path(options.folder)
    _check_empty(folder)
    try:
        files = _write(folder, _TEMPLATES / kind)
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder}: {error.strerror or error}. Choose another folder."
        ) from None
    if options.json:
        content = {"schema": 1, "directory": str(folder), "files": files}
        write_json(console, content, indent=2)
        return 0
    for name in files:
        console.print(Text(str(folder / name)), soft_wrap=True)
    enter = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    console.print(Text(f"Next: {enter}orch plan && orch run"), soft_wrap=True)
    return 0


def _check_empty(folder: Path) -> None:
    try:
        is_empty = not folder.is_symlink() and not any(folder.iterdir())
    except FileNotFoundError:
        is_empty = True
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}. Choose another folder.") from None
    if not is_empty:
        raise UsageError(f"{folder} is not empty. Choose another folder.")


def _write(folder: Path, template: Path) -> list[str]:
    """Write the files of a template and return their names."""
    name = name_for(folder)
    words = {"@NAME@": name, "@ID@": name}
    written = []
    for source in sorted(template.rglob(f"*{_SUFFIX}")):
        inside = str(source.relative_to(template)).removesuffix(_SUFFIX)
        inside = f".{inside}" if inside == _HIDDEN else inside
        text = source.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        path = folder / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(inside)
    return written


def name_for(folder: Path) -> str:
    """Return a name for the experiment that the name of a folder suggests."""
    name = _IMPOSSIBLE.sub("-", folder.resolve().name).strip("-")
    is_number = re.fullmatch(r"[\d_-]*|(?i:nan|inf|null|true|false|yes|no|on|off|mlflow.*)", name)
    return f"grid-{name}".rstrip("-") if is_number else name[:100]
