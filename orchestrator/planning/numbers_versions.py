"""The versions of the arithmetic behind finished runs: figures of two of them are not comparable.

A program that computes otherwise after an upgrade says so in ``results.json``; see the trainer's
``numbers``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The versions that had a part in a run's results; None: the program did not say which.
Versions: TypeAlias = "frozenset[int | None]"


def count_versions(found: Iterable[Versions]) -> Mapping[Versions, int]:
    """Count the runs that each version computed, or each mixture of several."""
    return Counter(versions for versions in found if versions)


def describe_mixture(counts: Mapping[Versions, int]) -> str:
    """Say in one line that results of several versions stand side by side; empty if they do not."""
    if len(frozenset().union(*counts)) < 2:  # noqa: PLR2004 # two make a mixture
        return ""
    parts = [f"{runs} by {_name(versions)}" for versions, runs in _in_order(counts)]
    return (
        f"results of several versions of the numbers: {', '.join(parts)}."
        " The same run may give other results in each: do not compare them."
    )


def versions_as_json(counts: Mapping[Versions, int]) -> list[dict[str, object]]:
    """Return the counts as ``--json`` prints them."""
    return [{"versions": _sorted(versions), "runs": runs} for versions, runs in _in_order(counts)]


def _in_order(counts: Mapping[Versions, int]) -> list[tuple[Versions, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], list(map(_rank, _sorted(item[0])))))


def _sorted(versions: Versions) -> list[int | None]:
    return sorted(versions, key=_rank)


def _rank(version: int | None) -> tuple[bool, int]:
    return version is not None, version or 0


def _name(versions: Versions) -> str:
    names = ["an unknown one" if each is None else f"version {each}" for each in _sorted(versions)]
    return " and ".join(names)
