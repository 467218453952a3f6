"""The metrics of a run: reads them from its files, with one order of precedence."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, metric_points, records
from orchestrator.rundir.metric_names import BEST, TEST, name_of_result

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from orchestrator.rundir.records import Metric

_TAIL: Final = 1 << 16  # bytes of metrics.jsonl: more than 500 of its lines
_SHORT_TAIL: Final = 1 << 12  # where most metrics are known
_HEAD: Final = 1 << 20  # in which a metric occurs, unless it is logged first after 10,000 lines
_WHOLE: Final = 1 << 26  # more than half a million lines


@dataclass(frozen=True, slots=True)
class Outcome:
    """The metrics of a run so far.

    ``training`` holds the last metrics, ``results`` those of the test at the end as the program names
    them, and ``best`` the metric that chose the best iteration, with its value there, which is ``best_iteration``. ``numbers``
    is the numbers version that computed them, if the program reports one; ``numbers_before`` are those
    of the earlier iterations that they build on. ``last_step`` is the one that the logged points
    have come to (``parse_last_iteration``), where the program reports no progress. ``refused`` are the files that the system refused to
    read, so that what is in them is missing here.
    """

    training: Mapping[str, Metric] = field(default_factory=dict)
    results: Mapping[str, Metric] = field(default_factory=dict)
    best: Mapping[str, Metric] = field(default_factory=dict)
    numbers: int | None = None
    numbers_before: tuple[int, ...] = ()
    best_iteration: int | None = None
    last_step: int | None = None
    refused: tuple[str, ...] = ()

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """All metrics, test results first, each under a name of its own."""
        tested = self.named_results
        return {**tested, **self.training, **tested}

    @property
    def named_results(self) -> Mapping[str, Metric]:
        """The test results, with ``test/`` before a name that a metric of the training has.

        That a name begins so in both says that both are of the test set: then the result counts.
        """
        named = {}
        for key, value in self.results.items():
            name = name_of_result(key, self.training)
            if name == key or (name not in self.results and name not in self.training):
                named[name] = value
        return named

    @property
    def figures(self) -> Mapping[str, float]:
        """The metrics that are numbers, including NaN and the infinities."""
        return _numbers(self.metrics)

    @property
    def figures_of_best(self) -> Mapping[str, float]:
        """What is a number of the best iteration's, under names of its own."""
        return {f"{BEST}{key}": number for key, number in _numbers(self.best).items()}

    @property
    def versions(self) -> frozenset[int | None]:
        """All numbers versions that the metrics build on."""
        return frozenset((self.numbers, *self.numbers_before))


def _numbers(metrics: Mapping[str, Metric]) -> dict[str, float]:
    read = ((key, records.as_number(value)) for key, value in metrics.items())
    return {key: number for key, number in read if number is not None}


NO_OUTCOME: Final = Outcome()


def read_outcome(  # noqa: PLR0913 # all that metrics are read from
    reported: object,
    metrics: Path | str,
    results: Path | str,
    *,
    whole: bool = False,
    refused: Sequence[str] = (),
    known: Mapping[str, Metric] | None = None,
) -> Outcome:
    """Read the metrics from a run's files; ignore files that are missing or damaged.

    Metrics in ``progress.json`` win over those of the same name in ``metrics.jsonl``.

    Args:
        reported: The content of ``progress.json``.
        metrics: ``metrics.jsonl``.
        results: ``results.json``.
        whole: Read all of ``metrics.jsonl``, not only its end, which lacks metrics that are rarely logged.
            It is read as well where the name of a result depends on it, as far as its beginning tells.
        refused: The files that the system has refused to read already.
        known: The metrics of the progress, if they are parsed already.
    """
    unread = [*refused]
    tested = read_record(results, unread)
    ended, last_step = records.parse_metrics(tested, "test"), None
    training = dict(records.parse_metrics(reported) if known is None else known)
    if records.parse_version(reported) is None:  # the trainer's own progress has all metrics
        try:
            training, lines = _with_logged(training, metrics, ended, whole=whole)
            last_step = None if reported else metric_points.parse_last_iteration(lines)
        except OSError as error:
            _note_refusal(error, metrics, unread)
    told = tested if isinstance(tested, dict) else reported
    best = dict(records.parse_metrics(tested, "best"))
    iteration = best.pop("iteration", None)
    return Outcome(
        training,
        ended,
        best,
        records.parse_version(told),
        records.parse_versions(told),
        iteration if isinstance(iteration, int) else None,
        last_step,
        tuple(unread),
    )


def _with_logged(
    training: dict[str, Metric], metrics: Path | str, ended: Collection[str], *, whole: bool
) -> tuple[dict[str, Metric], bytes]:
    """Return the metrics with those of ``metrics.jsonl``, and the end of that file."""
    length = _WHOLE if whole else _SHORT_TAIL if training else _TAIL
    lines = durable.read_tail(metrics, length)
    training = _with_points(training, lines)
    if not whole:
        names = {it for it in ended if it not in training and not it.startswith(TEST)}
        # What was logged before the end of the file decides on the name of such a result.
        if names and _may_name(names, durable.read_head(metrics, _HEAD)):
            training = _with_points(training, durable.read_tail(metrics, _WHOLE))
    return training, lines


def _with_points(training: dict[str, Metric], lines: bytes) -> dict[str, Metric]:
    points = metric_points.parse_last_points(lines, training)
    return {**training, **points, **training}


def _may_name(metrics: Iterable[str], lines: bytes) -> bool:
    """Return whether lines of ``metrics.jsonl`` may be of one of these metrics."""
    return any(
        json.dumps(name, ensure_ascii=escapes).encode(errors="replace") in lines
        for name in metrics
        for escapes in (True, False)
    )


def read_figure(
    metric: str, progress: Path | str, metrics: Path | str, results: Path | str
) -> float | None:
    """Return one metric as ``read_outcome`` finds it, with as few files read as it takes.

    None: it is not a number, or rarely logged, or not reported at all.
    """
    if metric.startswith(TEST):
        tested = records.parse_metrics(read_record(results), "test")
        if metric in tested:
            return records.as_number(tested[metric])
    reported = read_record(progress)
    known = records.parse_metrics(reported)
    found = known if metric in known else read_outcome(reported, metrics, results).metrics
    return records.as_number(found.get(metric))


def read_versions(results: str) -> frozenset[int | None]:
    """Return the numbers versions behind the results; an empty set without results."""
    tested = read_record(results)
    if not isinstance(tested, dict):
        return frozenset()
    return frozenset((records.parse_version(tested), *records.parse_versions(tested)))


def read_metrics_at(metrics: Path | str, step: int) -> Mapping[str, float]:
    """Return the metrics that are numbers at one step of ``metrics.jsonl``; the last point counts."""
    with contextlib.suppress(OSError):
        found: dict[str, float] = {}
        for lines in durable.read_lines(metrics):
            found |= metric_points.parse_numbers_at(lines, step)
        return found
    return {}


def read_curves(metrics: Path | str) -> Mapping[str, Mapping[int, float]]:
    """Return the numbers in ``metrics.jsonl`` by metric and step; of one step, the last point counts.

    Steps are in order. A file that is missing or damaged has no points, or fewer.
    """
    found: dict[str, dict[int, float]] = {}
    with contextlib.suppress(OSError):
        for lines in durable.read_lines(metrics):
            for key, value, step in metric_points.parse_all_points(lines):
                number = records.as_number(value)
                if number is not None:
                    found.setdefault(key, {})[step] = number
    return {key: dict(sorted(points.items())) for key, points in found.items()}


def read_curve(metrics: Path | str, key: str) -> Mapping[int, float]:
    """Return the numbers of one metric in ``metrics.jsonl`` by step, as ``read_curves``."""
    # The lines of other metrics need not be parsed.
    marks = {json.dumps(key, ensure_ascii=ascii_only).encode() for ascii_only in (True, False)}
    found: dict[int, float] = {}
    with contextlib.suppress(OSError):
        for lines in durable.read_lines(metrics):
            own = (line for line in lines.splitlines() if any(mark in line for mark in marks))
            for name, value, step in metric_points.parse_all_points(b"\n".join(own)):
                number = records.as_number(value)
                if name == key and number is not None:
                    found[step] = number
    return dict(sorted(found.items())) if found else read_curves(metrics).get(key, {})


def read_times(metrics: Path | str) -> Mapping[int, float]:
    """Return when the last point of each step at the end of ``metrics.jsonl`` was logged, in ms."""
    with contextlib.suppress(OSError):
        return metric_points.parse_times(durable.read_tail(metrics, _TAIL))
    return {}


def read_contiguous_steps(metrics: Path | str) -> Sequence[int]:
    """Return the steps of ``metrics.jsonl``, if they are all that there are from 0 or 1 on; else none."""
    steps = sorted({step for curve in read_curves(metrics).values() for step in curve})
    return steps if are_contiguous(steps) else ()


def are_contiguous(steps: Sequence[int]) -> bool:
    """Return whether steps, in order, are all that there are from 0 or 1 on, which only iterations are."""
    return bool(steps) and steps[0] in (0, 1) and steps[-1] - steps[0] + 1 == len(steps)


def read_last_step(metrics: Path | str) -> int | None:
    """Return the step of the last point of ``metrics.jsonl``, or None without one."""
    with contextlib.suppress(OSError):
        return metric_points.parse_last_step(durable.read_tail(metrics, _TAIL))
    return None


def read_last_iteration(metrics: Path | str) -> int | None:
    """Return the iteration that ``metrics.jsonl`` has come to (``parse_last_iteration``), or None."""
    with contextlib.suppress(OSError):
        return metric_points.parse_last_iteration(durable.read_tail(metrics, _TAIL))
    return None


def read_furthest_step(metrics: Path | str, since: tuple[int, ...]) -> int | None:
    """Return the highest step of what was logged after a look at the file; None if that is nothing.

    Args:
        metrics: ``metrics.jsonl``.
        since: What ``stat_of`` returned then. In a file that has been replaced, all points are new.
    """
    with contextlib.suppress(OSError):
        found = os.lstat(metrics)
        inode, size = since[:2] if since else (found.st_ino, 0)
        is_same = found.st_ino == inode and found.st_size >= size
        grown = found.st_size - size if is_same else found.st_size
        # The byte before tells where the first line begins.
        lines = durable.read_tail(metrics, min(grown + 1, _WHOLE)) if grown else b""
        return max((step for _, _, step in metric_points.parse_all_points(lines)), default=None)
    return None


def read_record(path: Path | str, refused: list[str] | None = None) -> object:
    """Return the content of a small JSON file, or None; add its name to those refused if it is."""
    try:  # no contextlib.suppress: status reads 30,000 records
        found: object = records.parse(durable.read_file(path))
    except OSError as error:
        if refused is not None:
            _note_refusal(error, path, refused)
        return None
    return found


def _note_refusal(error: OSError, path: Path | str, refused: list[str]) -> None:
    if durable.is_refusal(error):
        refused.append(f"{path}".rpartition("/")[2])
