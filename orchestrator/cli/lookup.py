"""The lookup of the experiment that a command line names, and of single runs by their IDs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.cli.absent_runs import no_runs_in
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.planning.load import ConfigSource, describe, open_experiment, plan_runs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.directory import RunDirectory

_MOST_CANDIDATES: Final = 5
_SIMILAR: Final = 0.7
_DIGITS: Final = frozenset("0123456789abcdef")
_OF_EXPERIMENT: Final = ("results_dir", "experiment_id")


def source_of(options: argparse.Namespace) -> ConfigSource:
    """Return the config folder, config name, overrides and app of a command line."""
    folder = None if options.config_dir is None else Path(options.config_dir)
    return ConfigSource(folder, options.config_name, options.overrides, options.app or "")


def names_a_run(overrides: Sequence[str]) -> bool:
    """Return whether some override is of a run, and not only of the experiment or of ``orch``."""
    keys = map(key_of, overrides)
    return any(key not in _OF_EXPERIMENT and not key.startswith("orch.") for key in keys)


def names_experiment(override: str) -> bool:
    """Return whether an override names the experiment, and nothing else."""
    return key_of(override) in _OF_EXPERIMENT


def key_of(override: str) -> str:
    """Return the key of an override as it was typed, without a sign."""
    return override.lstrip("+~").partition("=")[0]


def open_runs(options: argparse.Namespace, names: Sequence[str]) -> list[RunDirectory]:
    """Return the run directories for names or prefixes of run IDs.

    Raises:
        UsageError: No run, or several runs, match a name.
        OrchestratorError: The config or an override is wrong.
    """
    _, experiment = open_experiment(source_of(options))
    run_ids = experiment.run_ids()
    if not run_ids:
        told = f"{no_runs_in(experiment)}: nothing was started. Start them with orch run."
        raise UsageError(told)
    return [experiment.run(find_started(name, run_ids, options)) for name in names]


def find_started(name: str, run_ids: Sequence[RunId], options: argparse.Namespace) -> RunId:
    """Return the run ID that starts with a name, as ``find_run``.

    Raises:
        UsageError: None does, or several do; a run of the grid that has not started yet is named.
    """
    is_there = any(run_id.startswith(name.lower()) for run_id in run_ids)
    pending = () if is_there else _find_pending(name.lower(), options)
    if len(pending) == 1:
        raise UsageError(
            f"run {pending[0]} has not started yet: it has no directory. Start it with orch run."
        )
    if pending:
        raise UsageError(
            f"{len(pending)} runs whose IDs start with {name!r} have not started yet: they have no"
            " directories. Start them with orch run."
        )
    return find_run(name, run_ids)


def _find_pending(name: str, options: argparse.Namespace) -> Sequence[RunId]:
    """Return the IDs that start with a name in the grid of a command line, which may have errors."""
    if not name or not set(name) <= _DIGITS:
        return ()
    try:
        decisions = plan_runs(*describe(source_of(options))).plan.decisions
    except OrchestratorError:
        return ()
    return [
        run_id for run_id in map(decisions.run_id, range(len(decisions))) if run_id.startswith(name)
    ]


def find_run(name: str, run_ids: Sequence[RunId]) -> RunId:
    """Return the run ID that starts with a name.

    Raises:
        UsageError: None does, or several do.
    """
    found = [run_id for run_id in run_ids if run_id.startswith(name.lower())] if name else []
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:_MOST_CANDIDATES])
        more = f" and {len(found) - _MOST_CANDIDATES} more" if len(found) > _MOST_CANDIDATES else ""
        raise UsageError(
            f"{len(found)} run IDs start with {name!r}: {shown}{more}. Give more characters."
        )
    # Of IDs, which are random, only those are similar that begin nearly alike.
    starts = {run_id[: len(name)]: run_id for run_id in run_ids}
    near = difflib.get_close_matches(name.lower(), starts, n=1, cutoff=_SIMILAR)
    hint = f" Did you mean {starts[near[0]]}?" if near else ""
    raise UsageError(f"no run ID starts with {name[:40]!r}.{hint} orch status lists the runs.")
