"""Reports on runs with all the values that tell these from each other, for tables of single runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.grid.config_values import Missing
from orchestrator.grid.lazy_runs import LazyMapping
from orchestrator.planning.results_loading import config_of, planned_config
from orchestrator.planning.run_labels import RunLabels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run
    from orchestrator.planning.grouping import RunConfig
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.run_summary import Report


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A report with the config of its run, and what this was created with."""

    report: Report
    config: RunConfig | None
    choices: Mapping[str, Value] | None

    @property
    def overrides(self) -> Mapping[str, Value]:
        return self.report.overrides

    @property
    def given(self) -> Mapping[str, Value]:
        return self.report.given


def name_reports(
    reports: Sequence[Report],
    experiment: ExperimentDirectory,
    pending: Sequence[Run] = (),
) -> Sequence[Report]:
    """Return reports whose ``overrides`` tell the runs apart: each has its value on every key.

    Configs are read only where what the runs were created with does not suffice.

    Args:
        reports: The reports.
        experiment: The experiment.
        pending: The runs without a directory.
    """
    if len(reports) == 1:
        return [replace(it, overrides=it.overrides or it.given) for it in reports]
    if _are_named(reports):
        return reports
    planned = {run.run_id: run for run in pending}
    exclude = experiment.identity_exclude
    labelled = [
        _Labelled(
            it,
            planned_config(run, exclude or ())
            if (run := planned.get(it.run_id))
            else config_of(experiment.run(it.run_id), exclude),
            LazyMapping(_choices_of(run)) if run else it.choices,
        )
        for it in reports
    ]
    labels = RunLabels(labelled)
    named = []
    for each in labelled:
        found = {key: labels.value(each, key) for key in labels.keys}
        values = {key: value for key, value in found.items() if not isinstance(value, Missing)}
        named.append(replace(each.report, overrides=values))
    return named


def _choices_of(run: Run) -> Callable[[], Mapping[str, Value]]:
    return lambda: run.choices


def _are_named(reports: Sequence[Report]) -> bool:
    """Return whether all runs have values on the same axes, no two the same, and were given the same."""
    if not reports:
        return True
    keys, given, names = [*reports[0].overrides], reports[0].given, set()
    for it in reports:
        if [*it.overrides] != keys or (it.given != given and it.created_at):
            return False
        names.add(repr(it.overrides))
    return len(names) == len(reports)
