"""The types of options: what ``argparse`` calls to parse a value."""

from __future__ import annotations

from typing import Final

_PORTS: Final = 1 << 16


def count(text: str) -> int:
    """Parse a number of 0 or more; argparse reports a ``ValueError`` as a usage error."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def positive(text: str) -> int:
    """Parse a number of 1 or more."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def port(text: str) -> int:
    """Parse the number of a TCP port."""
    number = int(text)
    if not 0 < number < _PORTS:
        raise ValueError(text)
    return number
