"""Runs that were made by different code: their results may differ although nothing else does.

Runs with the same digest in ``status.json`` were made by the same code and command, so one of them is
read for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.planning.code_drift import without_incidentals
from orchestrator.rundir import code_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.planning.run_results import RunResults

_SHOWN: Final = 3


def describe_mixed_code(runs: Iterable[RunResults]) -> str:
    """Return one clause on the files and commands in which runs with metrics differ; empty if in none.

    A file that only some runs have loaded, such as that of a model, is not a difference.
    """
    made = {run.code: run.path for run in runs if run.code and run.metrics is not None}
    files: dict[str, set[str | None]] = {}
    commands = set()
    for path in made.values():
        for attempt in code_record.read(path):
            for name, digest in attempt["files"].items():
                files.setdefault(name, set()).add(digest)
            if isinstance(program := attempt.get("program"), list):
                commands.add(tuple(without_incidentals(program)))
    # None: it was edited while an attempt ran.
    changed = sorted(name for name, digests in files.items() if len(digests) > 1 or None in digests)
    parts = []
    if changed:
        more = len(changed) - _SHOWN
        named = ", ".join(changed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        parts.append(f"different code: {named}")
    if len(commands) > 1:
        parts.append("different commands")
    return " and by ".join(parts)
