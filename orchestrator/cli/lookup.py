"""The lookup of the experiment that a command line names, and of single runs by their IDs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.planning.load import ConfigSource, open_experiment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.directory import RunDirectory

_MOST_CANDIDATES: Final = 5
_OF_EXPERIMENT: Final = ("results_dir", "experiment_id")


def source_of(options: argparse.Namespace) -> ConfigSource:
    """Return the config folder, config name, overrides and app of a command line."""
    folder = None if options.config_dir is None else Path(options.config_dir)
    return ConfigSource(folder, options.config_name, options.overrides, options.app or "")


def names_a_run(overrides: Sequence[str]) -> bool:
    """Return whether some override is of a run, and not only of the experiment or of ``orch``."""
    keys = (override.lstrip("+~").partition("=")[0] for override in overrides)
    return any(key not in _OF_EXPERIMENT and not key.startswith("orch.") for key in keys)


def open_runs(options: argparse.Namespace, names: Sequence[str]) -> list[RunDirectory]:
    """Return the run directories for names or prefixes of run IDs.

    Raises:
        UsageError: No run, or several runs, match a name.
        OrchestratorError: The config or an override is wrong.
    """
    _, experiment = open_experiment(source_of(options))
    run_ids = experiment.run_ids()
    if not run_ids:
        raise UsageError(
            f"no runs in {experiment.training} yet: nothing was started. Start them with orch run."
        )
    return [experiment.run(find_run(name, run_ids)) for name in names]


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
    near = difflib.get_close_matches(name, run_ids, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(f"no run ID starts with {name[:40]!r}.{hint} orch status lists the runs.")
