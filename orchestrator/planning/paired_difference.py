"""The paired difference of a row of results to the best row, over their common seeds.

Runs with the same seed share what the seed decides, such as the first weights, so the difference is
taken seed by seed. Its confidence interval is that of Student's t distribution with n - 1 degrees of
freedom (Student, "The probable error of a mean", Biometrika 6, 1908).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.extras import STATISTICS
from orchestrator.planning.sample_statistics import mean_of, std_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.planning.results_table import ResultsTable, Row

LEVEL: Final = 0.95
_FEWEST: Final = 2


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean difference of a metric to the best row, over ``pairs`` of ``common`` seeds.

    Pairs in which a value is NaN or infinite do not count. ``half_width`` is half the width of the 95 %
    confidence interval of ``mean``; None for one pair. Without a pair, ``mean`` is NaN.
    """

    mean: float
    half_width: float | None
    pairs: int
    common: int


def paired_differences(compared: ResultsTable) -> list[PairedDifference | None]:
    """Return the difference of each row to the first, in the metric that the rows are sorted by.

    It is None for the first row, and where there is no common seed.

    Raises:
        UsageError: scipy is not installed.
    """
    if not STATISTICS.is_installed:
        raise UsageError(STATISTICS.request("--difference"))
    from scipy.special import stdtrit  # noqa: PLC0415 # an extra

    metric = compared.sorted_by
    if metric is None or not compared.rows:
        return [None] * len(compared.rows)
    first, *others = (_samples(row, metric) for row in compared.rows)
    return [None, *(_difference(first, other, stdtrit) for other in others)]


def _samples(row: Row, metric: str) -> Mapping[str, float]:
    """Return the values of a metric by the values on the keys averaged over."""
    found = {key: (run.metrics or {}).get(metric) for key, run in row.members}
    return {key: value for key, value in found.items() if value is not None}


def _difference(
    first: Mapping[str, float],
    other: Mapping[str, float],
    quantile: Callable[[float, float], float],
) -> PairedDifference | None:
    found = [other[key] - first[key] for key in first if key in other]
    pairs = [pair for pair in found if math.isfinite(pair)]
    if not found:
        return None
    mean = mean_of(pairs) if pairs else math.nan
    if len(pairs) < _FEWEST:
        return PairedDifference(mean, None, len(pairs), len(found))
    error = std_of(pairs) / math.sqrt(len(pairs))
    return PairedDifference(
        mean, error * float(quantile(len(pairs) - 1, (1 + LEVEL) / 2)), len(pairs), len(found)
    )
