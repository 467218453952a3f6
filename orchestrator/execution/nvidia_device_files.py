"""The device files of NVIDIA's driver: whether this machine may have GPUs, without loading anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# Made by NVIDIA's driver, also for Windows and for boards whose GPU is part of the processor.
_DEVICES: Final = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl-gpu")
_DEVICE: Final = "/dev/nvidia{}"


def has_driver() -> bool:
    """Return whether there is a driver."""
    return any(map(os.path.exists, _DEVICES))


def has_device(number: int) -> bool:
    """Return whether there is the file of a GPU; it stays if the driver has lost the GPU."""
    return Path(_DEVICE.format(number)).exists()
