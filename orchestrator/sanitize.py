"""Sanitizes text from configs, files and errors for terminals and records."""

from __future__ import annotations

import re
from typing import IO, Any, Final

_OF_THE_SYSTEM: Final = re.compile(
    r"\[Errno \d+\] (?P<why>[^:'\"]+)(?:: '(?P<path>[^']+)')?(?: -> '(?P<target>[^']+)')?"
)

# A word with what stands before it; what is in quotes, which an apostrophe does not open, is one.
_GAP_AND_WORD: Final = re.compile(r"""(\s*)((?:(?<!\w)'[^']*'(?!\w)|(?<!\w)"[^"]*"(?!\w)|\S)+)""")
_LONGEST: Final = 3000
_BEGINNING, _END = 1500, 500


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


def break_between_words(line: str, width: int, indent: int) -> str:
    """Return a line that does not fit in a width as several, of which all but the first are indented.

    A word that is longer, such as a path, stays whole, and so does what stands in quotes: it may be copied.
    """
    if len(line) <= width or width <= 2 * indent:
        return line
    lines = [""]
    for gap, word in _GAP_AND_WORD.findall(line):
        longer = f"{lines[-1]}{gap}{word}"
        if len(longer) <= width or not lines[-1].strip():
            lines[-1] = longer
        else:
            lines.append(f"{' ' * indent}{word}")
    return "\n".join(lines)


def without_the_middle(text: str) -> str:
    """Return a string that fits on a screen: of a long one, the beginning and the end."""
    if len(text) <= _LONGEST:
        return text
    left_out = len(text) - _BEGINNING - _END
    return f"{text[:_BEGINNING]} [... {left_out} characters ...] {text[-_END:]}"


def path_first(message: str) -> str:
    """Return the message of an ``OSError``, ``[Errno 2] No such file: 'a'``, as ``a: No such file``.

    Of two paths, of a rename, the second is named. Any other message is returned as it is.
    """
    found = _OF_THE_SYSTEM.fullmatch(message)
    if found is None:
        return message
    path = found["target"] or found["path"]
    return f"{path}: {found['why']}" if path else found["why"]


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
