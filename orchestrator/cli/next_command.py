"""The command to type next, written so that it can be typed as it stands."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def next_command(options: argparse.Namespace, *words: str) -> str:
    """Return another ``orch`` command about the experiment that the options are about."""
    line = ["orch", *words]
    if options.config_dir != "conf":
        line.append(f"--config-dir={options.config_dir}")
    if options.config_name != "config":
        line.append(f"--config-name={options.config_name}")
    return shlex.join([*line, *options.overrides])
