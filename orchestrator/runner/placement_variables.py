"""What a launcher tells a runner of the place of its attempt, in environment variables."""

from __future__ import annotations

import os


def own_slot() -> int | None:
    """Return the slot of this process."""
    told = os.environ.get("ORCH_SLOT", "")
    return int(told) if told.isdecimal() else None


def own_gpu() -> str | None:
    """Return the UUID of the GPU of this process, unless it is what the user has set."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return told if told.startswith(("GPU-", "MIG-")) else None
