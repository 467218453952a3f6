"""Notices: what keeps a command waiting, told on stderr, where no reader of its output is disturbed."""

from __future__ import annotations

import sys


def tell_waiting(reason: str) -> None:
    """Say what a command waits for."""
    sys.stderr.write(f"orch: waiting: {reason}. Ctrl-C ends this.\n")
    sys.stderr.flush()
