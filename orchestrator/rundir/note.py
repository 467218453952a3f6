"""The note of a run: a text and tags that people give it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value

PLAIN: Final = "true"  # the value of a tag that has none


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


def parse_tag(text: str) -> tuple[str, str]:
    """Return the name and the value of a tag, ``NAME`` or ``NAME=VALUE``."""
    name, _, value = text.partition("=")
    return name, value or PLAIN


def _typed(value: str) -> Value:
    if value in ("true", "false"):
        return value == "true"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            number = kind(value)
            if abs(number) < 1e300:  # noqa: PLR2004 # neither NaN nor infinity, which have no order
                return number
    return value
