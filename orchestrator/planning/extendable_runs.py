"""Finds the runs that pending runs extend: those that differ only in the number of iterations."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.errors import OrchestratorError
from orchestrator.grid.axes import Point
from orchestrator.grid.extension import (
    TOTAL,
    Extension,
    find_dependent,
    find_siblings,
    total_of,
)
from orchestrator.grid.identity import identify
from orchestrator.rundir import code_record
from orchestrator.rundir.reusable_checkpoints import newest_saved
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.config.load import ExperimentConfig
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.planning.plan import Decisions
    from orchestrator.rundir.experiment import ExperimentDirectory

# Pending runs that a plan looks at, and configs that it composes for that, which takes 10 ms each. When
# they start, all are looked at.
_LOOKED_AT: Final = 1000
_COMPOSED: Final = 60


def known_totals(
    described: ExperimentConfig, experiment: ExperimentDirectory, former: Sequence[RunId]
) -> frozenset[int]:
    """Return the numbers of iterations of runs that others may extend; none if none may.

    Args:
        described: The config.
        experiment: The experiment's folder.
        former: The runs in it that the grid does not name.
    """
    settings = described.settings
    if not (settings.extend and settings.program.is_trainer):
        return frozenset()
    axes = (axis.values for axis in described.axes if axis.key == TOTAL)
    named = {value for values in axes for value in values if type(value) is int}
    seen = (experiment.run(run_id).read_progress() for run_id in former)
    return frozenset(named | {it.iterations for it in seen if it and it.total_read is not None})


class Extensions:
    """Finds what pending runs extend.

    Args:
        described: The config.
        experiment: The experiment's folder; its ``totals`` are the known numbers of iterations.
        existing: The runs in it.
    """

    def __init__(
        self,
        described: ExperimentConfig,
        experiment: ExperimentDirectory,
        existing: Collection[RunId],
    ) -> None:
        self._composer = described.composer
        self._exclude = described.settings.identity_exclude
        self._experiment = experiment
        self._existing = frozenset(existing)
        self._left = _COMPOSED

    def find(self, decisions: Decisions) -> dict[int, Extension]:
        """Return the extensions of the pending runs, the first few of them, by their indices."""
        if not (self._experiment.totals and self._existing):
            return {}
        found = {}
        for place in decisions.places({State.PENDING})[:_LOOKED_AT]:
            run = decisions.run(place)
            config = decisions.known_config(place)
            if config is None and not self._may_compose():
                continue
            extension = self._find(run, run.config if config is None else config)
            if extension:
                found[place] = extension
        return found

    def _find(self, run: Run, config: Mapping[str, Value]) -> Extension | None:
        own = total_of(config)
        if own is None or self._experiment.run(run.run_id).path.is_dir():
            return None
        siblings = find_siblings(run.run_id, config, self._experiment.totals, self._exclude)
        found = [
            extension
            for run_id in siblings
            if run_id in self._existing and (extension := self._look_at(run_id, own))
        ]
        if found:
            return max(found, key=lambda it: (it.is_possible, it.iteration))
        return self._find_dependent(run, own)

    def _may_compose(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def _look_at(self, run_id: RunId, own: int) -> Extension | None:
        directory = self._experiment.run(run_id)
        progress = directory.read_progress()
        if progress is None or progress.total_read is None:
            return None
        if progress.total_read:
            return Extension(run_id, is_read=True)
        iteration = newest_saved(directory.path, own)
        if iteration is None:
            return None
        attempts = code_record.read(directory.path)
        from orchestrator.planning.code_drift import changed_files  # noqa: PLC0415 # few runs extend others

        changed = next((name for it in attempts for name in changed_files(it)), "")
        return Extension(run_id, iteration, changed=changed)

    def _find_dependent(self, run: Run, own: int) -> Extension | None:
        """Return a run that would be extended if nothing else depended on the number of iterations."""
        from orchestrator.config.other_iteration_count import resolve_with_total  # noqa: PLC0415 # as above

        point = Point(dict(run.overrides))
        for total in sorted(self._experiment.totals - {own}, reverse=True):
            if not self._may_compose():
                break
            with suppress(OrchestratorError):
                other = resolve_with_total(self._composer, point, total)
                run_id = identify(other, {}, self._exclude).run_id
                if run_id in self._existing:
                    keys = find_dependent(run.config, other, self._exclude)
                    return Extension(run_id, keys=keys) if keys else None
        return None
