"""Proposals: the next points of a search, chosen by Optuna from what earlier ones have given.

This is the only module that knows Optuna. A study is made for each proposal, from the runs.
"""

from __future__ import annotations

import hashlib
import logging
import math
import warnings
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import UsageError
from orchestrator.extras import SEARCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.config.search_settings import SearchSettings
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.search_space import Dimension, SearchSpace

_TRIES: Final = 100  # proposals of the sampler that are repeats or refused, before random ones
_RANDOM_TRIES: Final = 2_000
_LISTED: Final = 100_000  # points of a small space that are tried one by one


class PointOutcome(Enum):
    """What a run tells a search: a value, its value up to an iteration, nothing yet, or nothing."""

    MEASURED = "measured"
    PARTLY = "measured up to an iteration"
    OPEN = "open"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class TriedPoint:
    """A point that a search has tried; ``value`` is that of its metric, if it was measured.

    ``iteration``: where it was measured, if not at the end.
    """

    places: tuple[float, ...]
    outcome: PointOutcome
    value: float = math.nan
    iteration: int = 0


def propose(
    space: SearchSpace,
    settings: SearchSettings,
    trials: Sequence[TriedPoint],
    is_allowed: Callable[[Mapping[str, Value]], bool],
    *,
    is_maximized: bool,
) -> dict[str, Value] | None:
    """Return the next point; None if no other point is allowed.

    It depends on the arguments only. Points of runs that have no value yet are avoided.

    Args:
        space: The axes.
        settings: How the points are chosen.
        trials: What was tried, in a fixed order.
        is_allowed: Whether a point may be proposed: it is not yet a run, and no filter drops it.
        is_maximized: Whether greater values are better.

    Raises:
        UsageError: Optuna is not installed.
    """
    if not SEARCH.is_installed:
        raise UsageError(f"{SEARCH.request('orch.search')}.")
    if space.size <= _RANDOM_TRIES and _first_allowed(space, is_allowed) is None:
        return None  # without seconds of tries
    import optuna  # noqa: PLC0415 # slow, and only searches need it

    optuna.logging.set_verbosity(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        for name, tries in ((settings.sampler, _TRIES), ("random", _RANDOM_TRIES)):
            study = _study(optuna, space, settings, trials, name, is_maximized=is_maximized)
            distributions = {it.key: _distribution(optuna, it) for it in space.dimensions}
            for _ in range(tries):
                trial = study.ask(distributions)
                places = tuple(float(trial.params[it.key]) for it in space.dimensions)
                point = space.point_at(places)
                if is_allowed(point):
                    return point
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return _first_allowed(space, is_allowed)


def _study(  # noqa: PLR0913 # what a study depends on
    optuna: Any,  # noqa: ANN401 # a module
    space: SearchSpace,
    settings: SearchSettings,
    trials: Sequence[TriedPoint],
    sampler: str,
    *,
    is_maximized: bool,
) -> Any:  # noqa: ANN401 # Optuna need not be installed
    """Return a study in memory with these trials."""
    text = f"{settings.seed}-{len(trials)}-{sampler}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    samplers = {
        "tpe": lambda: optuna.samplers.TPESampler(
            seed=seed, constant_liar=any(it.outcome is PointOutcome.OPEN for it in trials)
        ),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
    }
    study = optuna.create_study(
        direction="maximize" if is_maximized else "minimize", sampler=samplers[sampler]()
    )
    states = {
        PointOutcome.MEASURED: optuna.trial.TrialState.COMPLETE,
        # Compared with those that have come as far; those that have come further count as better.
        PointOutcome.PARTLY: optuna.trial.TrialState.PRUNED,
        PointOutcome.OPEN: optuna.trial.TrialState.RUNNING,
        PointOutcome.NOTHING: optuna.trial.TrialState.FAIL,
    }
    distributions = {it.key: _distribution(optuna, it) for it in space.dimensions}
    for each in trials:
        is_measured = each.outcome is PointOutcome.MEASURED
        parameters = zip(space.dimensions, each.places, strict=True)
        study.add_trial(
            optuna.trial.create_trial(
                state=states[each.outcome],
                value=each.value if is_measured else None,
                intermediate_values={each.iteration: each.value} if each.iteration else None,
                params={it.key: _parameter(it, place) for it, place in parameters},
                distributions=distributions,
            )
        )
    return study


def _distribution(optuna: Any, dimension: Dimension) -> Any:  # noqa: ANN401 # as above
    count = len(dimension.values)
    if count and not dimension.is_ordered:
        return optuna.distributions.CategoricalDistribution(list(range(count)))
    if count:
        return optuna.distributions.IntDistribution(0, count - 1)
    if dimension.is_whole:
        low, high = int(dimension.low), int(dimension.high)
        return optuna.distributions.IntDistribution(low, high, log=dimension.is_log)
    return optuna.distributions.FloatDistribution(
        dimension.low, dimension.high, log=dimension.is_log
    )


def _parameter(dimension: Dimension, place: float) -> float:
    return int(place) if dimension.values or dimension.is_whole else place


def _first_allowed(
    space: SearchSpace, is_allowed: Callable[[Mapping[str, Value]], bool]
) -> dict[str, Value] | None:
    """Return the first allowed point of a small space, in the order of a grid."""
    if space.size > _LISTED:
        return None
    return next((point for point in space.points() if is_allowed(point)), None)
