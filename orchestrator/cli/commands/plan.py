"""``orch plan``: shows what ``orch run`` would do, and why, without writing anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.lookup import source_of
from orchestrator.cli.tables import (
    print_changes,
    print_drift,
    print_exclusions,
    print_reasons,
    print_runs,
    print_summary,
)
from orchestrator.planning.drift import drift_as_json, find_drift
from orchestrator.planning.grid_changes import changes_as_json
from orchestrator.planning.load import load_plan, look_at_numbers, look_back
from orchestrator.planning.numbers_versions import describe_mixture, versions_as_json
from orchestrator.planning.plan import plan_as_json
from orchestrator.rundir.state import State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    import argparse

    from rich.console import Console


def plan(options: argparse.Namespace, console: Console) -> int:
    """Print the plan."""
    states = {State(name) for name in options.state} or (set(State) if options.all else None)
    planned = load_plan(source_of(options), only=options.only)
    drift = find_drift(planned)
    changes, numbers = look_back(planned), look_at_numbers(planned)
    if options.json:
        content = plan_as_json(planned.plan) | {
            "changes": changes_as_json(changes),
            "numbers": versions_as_json(numbers),
            "notes": list(planned.notes),
            "drift": drift_as_json(drift),
        }
        console.file.write(json.dumps(content, indent=2) + "\n")
        return 0
    print_summary(planned.plan, console)
    for note in planned.notes:
        console.print(Text(printable(f"note: {note}"), style="dim"), soft_wrap=True)
    if changes.former:
        print_changes(changes, console)
    if mixture := describe_mixture(numbers):
        console.print(Text(mixture, style="yellow"), soft_wrap=True)
    print_drift(drift, console)
    if options.excluded:
        print_exclusions(planned.plan.selection, console)
    if options.reasons:
        print_reasons(planned.plan, console)
    if states or not (options.excluded or options.reasons):
        print_runs(planned.plan, console, states)
    return 0
