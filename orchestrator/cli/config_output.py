"""What ``--cfg`` prints: the one config that a command line without a grid composes, as in Hydra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.lookup import source_of
from orchestrator.config.cfg_option import show_config
from orchestrator.errors import UsageError
from orchestrator.planning.load import describe

if TYPE_CHECKING:
    import argparse

    from rich.console import Console


def print_config(options: argparse.Namespace, console: Console) -> int:
    """Print the config that ``--cfg`` asks for, and return the exit code.

    Raises:
        UsageError: An override has several values, or the config has no such key.
        OrchestratorError: The config is wrong.
    """
    if getattr(options, "json", False):
        raise UsageError("--cfg prints YAML, and --json asks for JSON. Remove one.")
    described, experiment = describe(source_of(options))
    kind, package = options.cfg, options.package
    text = show_config(described, experiment.training, kind, package, is_resolved=options.resolve)
    console.file.write(text)
    return 0
