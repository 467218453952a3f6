"""Durations, as Slurm reads and writes them."""

from __future__ import annotations

import re
from typing import Final

_TIME: Final = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")


def parse_time(text: str) -> float | None:
    """Return the seconds that Slurm writes as ``[[days-]hours:]minutes:seconds``; None for words."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def format_time(seconds: float) -> str:
    """Return a duration as Slurm's ``--time`` takes it, rounded up to a minute as Slurm does."""
    minutes = -int(-seconds // 60)
    return f"{minutes // 1440}-{minutes // 60 % 24:02d}:{minutes % 60:02d}:00"
