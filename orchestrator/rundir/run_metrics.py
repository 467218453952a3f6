"""The outcome of a run: its metrics, whichever of its files tells them, with one order of precedence."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.rundir.records import Metric

_TAIL: Final = 1 << 16  # bytes of metrics.jsonl: more than 500 of its lines


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, or has come to so far.

    ``training`` holds the last metrics, ``results`` what was tested at the end. ``numbers`` is the
    version of the arithmetic that computed them, where the program tells one; ``numbers_before``
    are those that computed earlier iterations they build on.
    """

    training: Mapping[str, Metric] = field(default_factory=dict)
    results: Mapping[str, Metric] = field(default_factory=dict)
    numbers: int | None = None
    numbers_before: tuple[int, ...] = ()

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """All metrics, test results first; they win over training metrics of the same name."""
        return {**self.results, **self.training, **self.results}

    @property
    def figures(self) -> Mapping[str, float]:
        """The metrics that are numbers, as numbers: NaN and infinity included."""
        read = ((key, records.as_number(value)) for key, value in self.metrics.items())
        return {key: number for key, number in read if number is not None}

    @property
    def versions(self) -> frozenset[int | None]:
        """The versions of the arithmetic that had a part in it."""
        return frozenset((self.numbers, *self.numbers_before))


NO_OUTCOME: Final = Outcome()


def read_outcome(progress: Path | str, metrics: Path | str, results: Path | str) -> Outcome:
    """Return what a run's files tell; one that is missing or damaged tells nothing.

    The end of ``metrics.jsonl`` counts where ``progress.json`` has no metrics.
    """
    reported, tested = _read(progress), _read(results)
    training = records.parse_metrics(reported)
    if not training:
        with contextlib.suppress(OSError):
            training = records.parse_points(durable.read_tail(metrics, _TAIL))
    told = tested if isinstance(tested, dict) else reported
    return Outcome(
        training,
        records.parse_metrics(tested, "test"),
        records.parse_version(told),
        records.parse_versions(told),
    )


def read_versions(results: str) -> frozenset[int | None]:
    """Return the versions of the arithmetic behind results; none where there are none."""
    tested = _read(results)
    if not isinstance(tested, dict):
        return frozenset()
    return frozenset((records.parse_version(tested), *records.parse_versions(tested)))


def _read(path: Path | str) -> object:
    with contextlib.suppress(OSError):
        found: object = records.parse(durable.read_file(path))
        return found
    return None
