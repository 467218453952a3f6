"""Text that comes from outside, made fit for terminals and records."""

from __future__ import annotations

from typing import IO, Any


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


def one_line(text: str) -> str:
    """Return a text of many lines on one, without what could harm a terminal or cannot be encoded."""
    return printable(" ".join(text.split("\n")) if "\n" in text else text)


class HarmlessStream:
    """Writes text to a terminal without what could steer it: for what does not go through rich."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, with question marks for what could do harm."""
        self._stream.write(harmless(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # whatever the stream has
        """Be the stream in everything else."""
        return getattr(self._stream, name)
