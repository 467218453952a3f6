"""The note of a run: a text and tags that people give it, in a file of its run directory."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.rundir import durable, records
from orchestrator.rundir.folder_lock import exclusive
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from orchestrator.grid.config_values import Value

NOTE: Final = "note.json"
PLAIN: Final = "true"  # the value of a tag that has none
_NAME: Final = re.compile(r"[^\W\d][\w-]{0,99}")
_LONGEST: Final = 4000  # characters: MLflow takes 5000 bytes
_LONGEST_VALUE: Final = 500
_MOST: Final = 50  # tags
_OF_MLFLOW: Final = ("mlflow", "orch")


@dataclass(frozen=True, slots=True)
class Note:
    """What people have noted of a run; a tag without a value has the value ``true``."""

    text: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Return whether anything is noted."""
        return bool(self.text or self.tags)

    def __str__(self) -> str:
        """Return it on one line: the tags, then the text."""
        tags = f"[{self.labels}]" if self.tags else ""
        return printable(" ".join(filter(None, (tags, self.text))))

    @property
    def labels(self) -> str:
        """The tags on one line."""
        named = (name if it == PLAIN else f"{name}={it}" for name, it in self.tags.items())
        return ", ".join(named)

    def as_config(self) -> Mapping[str, Value]:
        """Return it as keys that conditions can compare: ``note``, and ``tags.NAME``."""
        return {"note": self.text, "tags": {name: _typed(it) for name, it in self.tags.items()}}


NO_NOTE: Final = Note()


def read_note(run_dir: Path | str) -> Note:
    """Return the note of a run; a file that is missing, damaged or of another form is none."""
    with contextlib.suppress(OSError):
        match records.parse(durable.read_file(f"{run_dir}/{NOTE}")):
            case {"text": str(text), "tags": dict(tags)}:
                known = {
                    name: value
                    for name, value in tags.items()
                    if _is_name(name) and isinstance(value, str)
                }
                return Note(text[:_LONGEST], known)
    return NO_NOTE


def change_note(
    run_dir: Path,
    *,
    text: str | None = None,
    tags: Mapping[str, str] | None = None,
    untag: Collection[str] = (),
) -> Note:
    """Change the note of a run, and return it; without content, its file is removed.

    Args:
        run_dir: The run directory.
        text: The new text; None: as it was.
        tags: The tags to add, or to give other values.
        untag: The names of tags to remove.

    Raises:
        UsageError: A text is too long, or a tag is not a tag that MLflow accepts.
        OSError: It cannot be written.
    """
    _check(text or "", tags or {})
    with exclusive(run_dir):
        before = read_note(run_dir)
        kept = {name: it for name, it in before.tags.items() if name not in untag}
        after = Note(before.text if text is None else text.strip(), kept | dict(tags or {}))
        if len(after.tags) > _MOST:
            raise UsageError(f"more than {_MOST} tags. Remove some with --untag.")
        if after:
            content = {"schema": records.SCHEMA, "text": after.text, "tags": dict(after.tags)}
            durable.write_file(run_dir / NOTE, records.dump(content))
        elif (run_dir / NOTE).is_symlink() or (run_dir / NOTE).exists():
            (run_dir / NOTE).unlink()
            durable.sync_directory(run_dir)
    return after


def parse_tag(text: str) -> tuple[str, str]:
    """Return the name and the value of a tag, ``NAME`` or ``NAME=VALUE``."""
    name, _, value = text.partition("=")
    return name, value or PLAIN


def _check(text: str, tags: Mapping[str, str]) -> None:
    if len(text.encode()) > _LONGEST:
        raise UsageError(f"the note has more than {_LONGEST} bytes. Shorten it.")
    for name, value in tags.items():
        if not _is_name(name):
            raise UsageError(
                f"{name[:80]!r} cannot be a tag. Use letters, digits, '-' and '_', beginning with a"
                " letter, and not mlflow or orch."
            )
        if len(value) > _LONGEST_VALUE or not value.isprintable():
            raise UsageError(f"the value of the tag {name} is not a short line. Shorten it.")


def _is_name(name: object) -> bool:
    is_word = isinstance(name, str) and _NAME.fullmatch(name) is not None
    return is_word and name not in _OF_MLFLOW


def _typed(value: str) -> Value:
    if value in ("true", "false"):
        return value == "true"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            number = kind(value)
            if abs(number) < 1e300:  # noqa: PLR2004 # neither NaN nor infinity, which have no order
                return number
    return value
