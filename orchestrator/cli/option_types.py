"""The types of options: what ``argparse`` calls to parse a value."""

from __future__ import annotations


def count(text: str) -> int:
    """Parse a number of 0 or more; argparse reports a ``ValueError`` as a usage error."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number
