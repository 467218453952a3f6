"""Orphans: child processes that would go on, and keep a run locked, when the trainer was killed."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>; Python does not define it


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, even if that has already happened.

    PyTorch's workers poll their parent instead, and never end if it was killed before their first look.
    For the kernel the parent is the thread that started the process: the one that trains.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
