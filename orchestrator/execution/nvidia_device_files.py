"""The device files of NVIDIA's driver: whether this machine may have GPUs, without loading anything."""

from __future__ import annotations

import os
from typing import Final

# Made by NVIDIA's driver, also for Windows and for boards whose GPU is part of the processor.
_DEVICES: Final = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl-gpu")


def has_driver() -> bool:
    """Return whether there is a driver."""
    return any(map(os.path.exists, _DEVICES))
