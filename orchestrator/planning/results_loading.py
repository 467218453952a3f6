"""Reads the results of runs from their directories, for comparison."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.config_diff import leaves
from orchestrator.grid.config_template import put
from orchestrator.planning.grouping import RunConfig
from orchestrator.planning.run_results import GPU_MEMORY, RunResults, is_of_test
from orchestrator.rundir import config_yaml, durable
from orchestrator.rundir.chosen_values import ChosenValues
from orchestrator.rundir.identity_file import RefusedError
from orchestrator.rundir.note_file import read_note
from orchestrator.rundir.run_metrics import read_last_iteration, read_metrics_at
from orchestrator.rundir.state import State, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run
    from orchestrator.rundir.directory import RunDirectory

_GIB: Final = 1 << 30


def read_results(
    directory: RunDirectory,
    *,
    axes: Mapping[str, Value] | None = None,
    exclude: Sequence[str] = (),
    step: int | None = None,
) -> RunResults:
    """Read the results of a run.

    Args:
        directory: The run directory.
        axes: The values on the axes of the grid, if these suffice to tell its runs apart; None: what
            the run was created with, and its config, are read.
        exclude: The keys that are not part of the run ID.
        step: Read the metrics of this iteration, of unfinished runs as well; None: those at the end.
    """
    config, chosen = None, ChosenValues(axes or {})
    try:
        if axes is None:
            chosen, config = directory.read_chosen(), config_of(directory, exclude)
    except (RunDirectoryError, OSError) as error:  # orch status reports the damage
        refused = (directory.identity.name,) if isinstance(error, RefusedError) else ()
        seen = directory.observe()
        told = RunResults({}, None, run_id=directory.run_id, state=seen.state, refused=refused)
        return replace(told, is_paused=seen.is_paused)
    seen = directory.observe()
    state = seen.state
    metrics, versions, tested = None, frozenset[int | None](), frozenset[str]()
    has_config = config is None or os.access(directory.config, os.R_OK, effective_ids=True)
    refused = () if has_config else (directory.config.name,)
    if step is not None:
        found = read_metrics_at(directory.metrics, step)
        metrics = {key: value for key, value in found.items() if not is_of_test(key)} or None
        versions = directory.versions()
    elif state is State.DONE:
        outcome = directory.outcome(whole=True)
        metrics, versions = {**outcome.figures_of_best, **outcome.figures}, outcome.versions
        tested = frozenset(outcome.named_results).difference(outcome.training)
        refused = (*refused, *outcome.refused)
        if metrics and isinstance(seen.status, Status) and seen.status.gpu_memory:
            metrics.setdefault(GPU_MEMORY, round(seen.status.gpu_memory / _GIB, 3))
    path, note = str(directory.path), read_note(directory.path)
    code = seen.status.code if isinstance(seen.status, Status) else None
    own = (directory.run_id, path, state, note, chosen.given, chosen.choices, tested, refused, code)
    return RunResults(chosen.overrides, metrics, config, versions, *own, is_paused=seen.is_paused)


def pending_results(run: Run, exclude: Sequence[str], *, axes_suffice: bool) -> RunResults:
    """Return the results of a run without a directory.

    Args:
        run: The run.
        exclude: The keys that are not part of the run ID.
        axes_suffice: Whether its axes suffice to tell it from the other runs.
    """
    told = RunResults(run.overrides, None, run_id=run.run_id, state=State.PENDING)
    if axes_suffice:
        return told
    config = planned_config(run, exclude)
    return replace(told, config=config, given=run.given, choices=run.choices)


def planned_config(run: Run, exclude: Sequence[str]) -> RunConfig:
    """Return the config of a run without a directory, which is composed on access."""
    return RunConfig(
        lambda: config_yaml.text_of(run).decode(),
        lambda: leaves(put(run.written, run.stand_ins), exclude),
    )


def last_common_step(directories: Sequence[RunDirectory]) -> int | None:
    """Return the last iteration that all runs with metrics have reached; None if no run has any."""
    steps = (read_last_iteration(directory.metrics) for directory in directories)
    return min((step for step in steps if step is not None), default=None)


def config_of(directory: RunDirectory, exclude: Sequence[str] | None) -> RunConfig:
    """Return the config in a run directory, which is read on access; empty if it cannot be read.

    ``exclude`` are the keys that are not part of the run ID; None: those that it records.
    """

    def read() -> Mapping[str, Value]:
        with contextlib.suppress(RunDirectoryError, OSError):
            left_out = directory.read_chosen().identity_exclude if exclude is None else exclude
            return leaves(directory.read_hashed_config(), left_out)
        return {}

    def read_text() -> str:
        with contextlib.suppress(OSError):
            return durable.read_file(directory.config).decode(errors="replace")
        return ""

    return RunConfig(read_text, read)
