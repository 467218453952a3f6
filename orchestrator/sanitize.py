"""Sanitizes text from configs, files and errors for terminals and records."""

from __future__ import annotations

from typing import IO, Any


def printable(text: str) -> str:
    """Return a string with each unprintable character replaced by a question mark."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def harmless(text: str) -> str:
    """Return a string of several lines without terminal control characters.

    Line breaks and tabs stay; a carriage return, which would overwrite a line, becomes a line break.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
    )


def one_line(text: str) -> str:
    """Return a string of several lines as one line without unprintable characters."""
    return printable(" ".join(text.split("\n")) if "\n" in text else text)


class HarmlessStream:
    """Writes to a terminal without control characters, for output that does not go through rich."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a string, control characters replaced by question marks."""
        self._stream.write(harmless(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # any attribute of the stream
        """Return the attribute of the wrapped stream."""
        return getattr(self._stream, name)
