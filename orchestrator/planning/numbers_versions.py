"""The versions of the numbers behind finished runs: results of different versions do not compare.

A program whose upgrade changes its results records a version in ``results.json``; see the
trainer's ``numbers_version``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.planning.load import Planned

# The versions that contributed to a run's results; None: the program did not record one.
Versions: TypeAlias = "frozenset[int | None]"


def look_at_numbers(planned: Planned) -> Mapping[Versions, int]:
    """Count the finished runs of a plan by the versions of the numbers behind their results."""
    decisions = planned.plan.decisions
    done = (planned.experiment.run(decisions.run_id(at)) for at in decisions.places({State.DONE}))
    return count_versions(directory.versions() for directory in done)


def count_versions(found: Iterable[Versions]) -> Mapping[Versions, int]:
    """Count the runs by version, or by combination of several versions."""
    return Counter(versions for versions in found if versions)


def describe_mixture(counts: Mapping[Versions, int]) -> str:
    """Return one line that says that results of several versions are mixed; empty if they are not."""
    if len(frozenset().union(*counts)) < 2:  # noqa: PLR2004 # two make a mixture
        return ""
    parts = [f"{runs} by {_name(versions)}" for versions, runs in _in_order(counts)]
    return (
        f"results of several versions of the numbers: {', '.join(parts)}."
        " The same run may have different results in each. Do not compare them."
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
