"""The ``orch run`` commands that repeat the runs of an experiment, which several commands may have created."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.cli.command_for_run import find_own_command, is_halving, is_rerun, settings_in
from orchestrator.cli.lookup import source_of
from orchestrator.cli.next_command import next_command, options_of_experiment
from orchestrator.cli.repeated_halving import halving_words
from orchestrator.cli.tables import count_of
from orchestrator.config.overrides import as_override
from orchestrator.errors import OrchestratorError
from orchestrator.grid.identity import RunId
from orchestrator.grid.lazy_runs import find_places
from orchestrator.planning.load import load_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.cli.report_contents import RunFacts
    from orchestrator.planning.run_results import RunResults

_UNKNOWN: Final = "null"
_MOST: Final = 8  # commands; each is verified by composing its grid


def find_repeat_commands(
    options: argparse.Namespace, runs: Sequence[RunResults], facts: Mapping[str, RunFacts]
) -> Iterator[tuple[str, str]]:
    """Yield what commands execute, and the commands, those of the most runs first.

    Each is verified: with the config of now, its grid has all of the runs that it is named for.
    """
    told = 0
    for group in sorted(_alike(runs, facts), key=len, reverse=True)[:_MOST]:
        repeated = _repeat(options, group, [facts[run.run_id] for run in group])
        if repeated is not None:
            line, others = repeated
            told += len(group)
            more = f", and {others} more of their grid," if others else ""
            yield f"execute {count_of(len(group), 'run')}{more} again in an empty results_dir", line
    if left := len(runs) - told:
        which = f"{'the other ' if told else ''}{count_of(left, 'run')}"
        show = next_command(options_of_experiment(options), "show", "RUN")
        yield f"one of {which}: its command, if the config still has it", show


def _alike(runs: Sequence[RunResults], facts: Mapping[str, RunFacts]) -> Iterator[list[RunResults]]:
    """Yield the runs that one command may have created: with values on the same axes, and the same settings.

    Which settings they were created with, those do not say that were executed again by their IDs.
    """
    found: dict[str, dict[str, list[RunResults]]] = {}
    for run in runs:
        if run.run_id in facts:
            shared = json.dumps([sorted(run.overrides), [*run.given.items()]], sort_keys=True)
            line = facts[run.run_id].code.get("typed")
            typed = sorted(text for text in settings_in(line) if not is_halving(text))
            settings = json.dumps(None if is_rerun(line) else typed)
            found.setdefault(shared, {}).setdefault(settings, []).append(run)
    for groups in found.values():
        again = groups.pop(_UNKNOWN, [])
        if groups:
            max(groups.values(), key=len).extend(again)
            yield from groups.values()
        else:
            yield again


def _repeat(
    options: argparse.Namespace, group: Sequence[RunResults], facts: Sequence[RunFacts]
) -> tuple[str, int] | None:
    """Return the command for runs with values on the same axes, and how many others it has; None: there is none."""
    first = facts[0]
    own = find_own_command(options, first.directory, first.report).overrides
    if own is None:
        return None
    axes = {key: _values_of(group, key) for key in group[0].overrides}
    words = []
    for word in own:
        start, equals, _ = word.partition("=")
        values = axes.get(start.lstrip("+"), ()) if equals else ()
        words.append(f"{start}={','.join(values)}" if len(values) > 1 else word)
    line = argparse.Namespace(**{**vars(options), "overrides": words})
    with suppress(OrchestratorError):
        planned = load_plan(source_of(line))
        is_halved = planned.described.settings.halving is not None
        line.overrides = [*words, *halving_words(facts, words, is_configured=is_halved)]
        made = planned.plan.selection.runs
        if len(find_places(made, {RunId(run.run_id) for run in group})) == len(group):
            return next_command(line, "run"), len(made) - len(group)
    return None


def _values_of(runs: Sequence[RunResults], key: str) -> Sequence[str]:
    """Return the values of runs on an axis in Hydra's grammar, each once; numbers are in order."""
    values = [run.overrides[key] for run in runs]
    numbers = [it for it in values if isinstance(it, int | float) and not isinstance(it, bool)]
    ordered = sorted(numbers) if len(numbers) == len(values) else values
    return [*dict.fromkeys(as_override("", value)[1:] for value in ordered)]
