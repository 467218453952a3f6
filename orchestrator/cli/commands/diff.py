"""``orch diff``: the keys in which the configs and the outcomes of two runs differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.json_text import write_json
from orchestrator.cli.lookup import open_runs
from orchestrator.cli.tables import print_differences
from orchestrator.grid.config_diff import find_differences
from orchestrator.rundir.state_words import word_of

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.grid.config_diff import Difference
    from orchestrator.grid.config_values import Value
    from orchestrator.rundir.directory import RunDirectory


def diff(options: argparse.Namespace, console: Console) -> int:
    """Print the keys in which two runs differ."""
    one, other = open_runs(options, [options.run, options.other])
    configs = find_differences(one.read_hashed_config(), other.read_hashed_config())
    outcomes = find_differences(
        _outcome(one, in_words=not options.json), _outcome(other, in_words=not options.json)
    )
    if options.json:
        content = {
            "schema": 1,
            "runs": [one.run_id, other.run_id],
            "config": [_as_json(item) for item in configs],
            "outcome": [_as_json(item) for item in outcomes],
        }
        write_json(console, content, indent=2)
        return 0
    print_differences(one.run_id, other.run_id, configs, outcomes, console)
    return 0


def _outcome(directory: RunDirectory, *, in_words: bool) -> dict[str, Value]:
    seen = directory.observe()
    state = word_of(seen) if in_words else seen.state.value
    return {"state": state, **directory.outcome(whole=True).metrics}


def _as_json(item: Difference) -> dict[str, str]:
    return {"key": item.key, "before": item.before, "now": item.now}
