"""Notices on stderr that say what a command waits for, apart from its output."""

from __future__ import annotations

import sys


def tell_waiting(reason: str) -> None:
    """Print what a command waits for."""
    sys.stderr.write(f"orch: waiting: {reason}. Ctrl-C stops waiting.\n")
    sys.stderr.flush()
