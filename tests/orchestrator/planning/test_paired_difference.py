"""The difference to the best row is paired by seed, with the interval of Student's t."""

import math
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.extras import Extra
from orchestrator.planning import paired_difference
from orchestrator.planning.paired_difference import PairedDifference, paired_differences
from orchestrator.planning.results_table import ResultsTable, compare
from orchestrator.planning.run_results import RunResults


def _table(*rows: dict[int, float | None]) -> ResultsTable:
    runs = [
        RunResults({"lr": lr, "seed": seed}, None if loss is None else {"loss": loss})
        for lr, losses in enumerate(rows)
        for seed, loss in losses.items()
    ]
    return compare(runs)


def test_difference_and_its_interval_equal_those_of_scipys_paired_test() -> None:
    """The oracle is ``scipy.stats.ttest_rel``, which computes both by itself."""
    stats: Any = pytest.importorskip("scipy.stats")
    best, worse = [0.31, 0.28, 0.35, 0.30], [0.36, 0.31, 0.37, 0.41]
    _, found = paired_differences(_table(dict(enumerate(best)), dict(enumerate(worse))))
    interval = stats.ttest_rel(worse, best).confidence_interval(0.95)
    assert found is not None
    assert found.half_width is not None
    assert found.pairs == 4
    assert found.mean - found.half_width == pytest.approx(interval.low)
    assert found.mean + found.half_width == pytest.approx(interval.high)


def test_only_common_seeds_are_paired() -> None:
    """A seed that one of the two rows lacks, or whose run has no number, does not count."""
    first = {0: 1.0, 1: 2.0, 2: 3.0, 3: 1.0}
    found = paired_differences(_table(first, {1: 5.0, 4: 9.0}, {5: 7.0}, {0: None}))
    assert found == [None, PairedDifference(3.0, None, 1, 1), None, None]


def test_pairs_with_a_number_that_is_none_are_counted() -> None:
    """A run that diverged does not disappear."""
    found = paired_differences(
        _table({0: 1.0, 1: 2.0, 2: 3.0}, {0: 5.0, 1: math.inf, 2: math.nan}, {1: math.nan})
    )
    (nothing,) = [each for each in found if each and not each.pairs]
    assert PairedDifference(4.0, None, 1, 3) in found
    assert (math.isnan(nothing.mean), nothing.common) == (True, 1)


def test_without_scipy_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra: nothing else of the table needs it."""
    monkeypatch.setattr(paired_difference, "STATISTICS", Extra("stats", "no_such_package"))
    with pytest.raises(UsageError, match=r"pip install 'orch\[stats\]'"):
        paired_differences(_table({0: 1.0}))


def test_table_without_a_metric_has_no_differences() -> None:
    """Nothing was sorted, so there is no best row."""
    assert paired_differences(compare([RunResults({"lr": 1}, {"test/loss": 1.0})])) == [None]
    assert paired_differences(compare([])) == []
