"""A metric of a comparison that is probably misspelt, told before anything is executed for it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from orchestrator.grid.config_values import look_up

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.grid.identity import RunId
    from orchestrator.planning.executable_plan import Work

_LOOKED_AT: Final = 3  # runs
_ALIKE: Final = 0.8  # from here on, one is a misspelling of the other
_OF_CONFIG: Final = "checkpoint.metric"


def is_reported(metric: str, planned: Work) -> bool:
    """Return whether some of the runs that are there report a metric, or the config names it."""
    return metric in _known_metrics(planned)


def find_correct_name(metric: str, planned: Work) -> str:
    """Return the metric that is meant by a name that no run reports so far; empty if nothing tells.

    A metric that differs more from all known ones may still come, and so may any where none is known.
    """
    known = _known_metrics(planned)
    return "" if metric in known else next((it for it in known if _is_misspelt(metric, it)), "")


def describe_misspelt(setting: str, metric: str, meant: str) -> str:
    """Return a warning about a metric in a setting."""
    return f"{setting}: nothing reports the metric {metric!r} so far. Did you mean {meant!r}?"


def _known_metrics(planned: Work) -> dict[str, None]:
    """Return the metrics of some runs that are there, and the one that the config names."""
    experiment, decisions = planned.experiment, planned.plan.decisions
    own = [decisions.run_id(place) for place, _ in decisions.observed()][-_LOOKED_AT:]
    run_ids: Iterable[RunId] = own or experiment.run_ids()[-_LOOKED_AT:]
    outcomes = (experiment.run(run_id).outcome() for run_id in run_ids)
    known = {name: None for outcome in outcomes for name in outcome.training}
    if len(decisions):
        named = look_up(decisions.run(0).config, _OF_CONFIG)
        known |= {named: None} if isinstance(named, str) else {}
    return known


def _is_misspelt(metric: str, known: str) -> bool:
    """Return whether all parts of two names, such as those of ``validation/loss``, are alike."""
    parts = metric.lower().split("/"), known.lower().split("/")
    return len(parts[0]) == len(parts[1]) and all(
        difflib.SequenceMatcher(None, one, other).ratio() >= _ALIKE
        for one, other in zip(*parts, strict=True)
    )
