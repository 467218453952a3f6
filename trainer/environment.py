"""Owns what a training runs on: the device, the arithmetic, and what of it a reader must know."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import torch

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Environment = dict[str, str | int]


def choose_device(device: str) -> torch.device:
    """Return the device to train on; `auto` takes a GPU if there is one.

    Raises:
        ConfigError: If a GPU is asked for and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise ConfigError("device: there is no usable GPU here. Set device: auto, or cpu.")
    return torch.device("cuda" if device != "cpu" and has_gpu else "cpu")


def fix_arithmetic(device: torch.device, threads: int | None) -> None:
    """Make results repeatable: a fixed number of threads, and on a GPU deterministic kernels.

    An operation that has no deterministic kernel warns and goes on.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(mode=True, warn_only=True)


def describe_environment(device: torch.device) -> Environment:
    """Return what may change the bits of a result."""
    gpu = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "device": f"{device.type}{gpu}",
        "threads": torch.get_num_threads(),
    }


def compare(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Return what changed between two environments, as one phrase; empty if nothing did."""
    changed = [key for key in now if before.get(key) != now[key]]
    return ", ".join(f"{key} was {before.get(key)}, is {now[key]}" for key in changed)
