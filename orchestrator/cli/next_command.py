"""The command to type next, written so that it can be typed as it stands."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from orchestrator.config.secret_patterns import without_secret

if TYPE_CHECKING:
    import argparse


def next_command(options: argparse.Namespace, *words: str) -> str:
    """Return another ``orch`` command about the experiment that the options are about.

    Values that look like credentials are left out: they do not say which experiment is meant.
    """
    line = ["orch", *words]
    if options.config_dir != "conf":
        line.append(f"--config-dir={options.config_dir}")
    if options.config_name != "config":
        line.append(f"--config-name={options.config_name}")
    return " ".join(map(_quote, [*line, *map(without_secret, options.overrides)]))


def _quote(word: str) -> str:
    """Quote a word for a shell; what cannot be typed is written as bash, zsh and ksh read it."""
    if word.isprintable():
        return shlex.quote(word)
    plain = (c if c.isprintable() and c not in "\\'" else _escape(c) for c in word)
    return f"$'{''.join(plain)}'"


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))
