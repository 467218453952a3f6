"""Results of two versions of the numbers are told apart, and those of one are not talked about."""

import pytest

from orchestrator.planning.numbers_versions import (
    Versions,
    count_versions,
    describe_mixture,
    versions_as_json,
)

ONE, TWO, BOTH, UNKNOWN = map(frozenset, ([1], [2], [1, 2], [None]))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], ""),
        ([ONE, ONE], ""),
        ([UNKNOWN, UNKNOWN, frozenset()], ""),
        ([ONE, TWO, ONE], "2 by version 1, 1 by version 2."),
        ([ONE, UNKNOWN], "1 by an unknown one, 1 by version 1."),
        ([BOTH], "1 by version 1 and version 2."),
    ],
)
def test_mixture_is_told_in_one_line(found: list[Versions], told: str) -> None:
    """Also where a single run is one: it belongs to neither version."""
    line = describe_mixture(count_versions(found))
    assert bool(line) is bool(told)
    assert told in line
    assert line.isprintable() or not line


def test_json_counts_runs_by_version() -> None:
    """The most frequent first; what the program did not say is null."""
    assert versions_as_json(count_versions([ONE, BOTH, ONE, UNKNOWN])) == [
        {"versions": [1], "runs": 2},
        {"versions": [None], "runs": 1},
        {"versions": [1, 2], "runs": 1},
    ]
