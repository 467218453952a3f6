"""Text that comes from outside, made fit for terminals and records."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text on one line, without what could harm a terminal or cannot be encoded."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
