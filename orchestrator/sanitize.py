"""Text that comes from outside, made fit for terminals and records."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text on one line, without what could harm a terminal or cannot be encoded."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def harmless(text: str) -> str:
    """Return a text of many lines without what could steer a terminal.

    Line breaks and tabs stay; a carriage return, which would write over a line, begins a new one.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
    )
