"""The data of a run besides its points: name, parameters, tags, times, results and files."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from orchestrator.config.credential_check import is_secret
from orchestrator.config.secret_references import HANDED_OVER
from orchestrator.grid.axes import describe_point
from orchestrator.grid.config_values import DELETED, Missing, label_of
from orchestrator.rundir import records
from orchestrator.rundir.metric_names import BEST, TEST
from orchestrator.rundir.reusable_checkpoints import read_extended
from orchestrator.rundir.state import State, Status, judge
from orchestrator.tracking.git_source import name_of_user
from orchestrator.tracking.metrics_file_points import MetricPoint, finite
from orchestrator.tracking.mlflow_names import metric_name, parameter_value, run_name, tag_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation
    from orchestrator.tracking.git_source import GitSource

_ATTEMPT: Final = "orch.attempt."
_HIDDEN: Final = "(not written down)"
OVER: Final = frozenset({State.DONE, State.FAILED, State.STALE})


def name_of(directory: RunDirectory) -> str:
    """Return the display name of a run: its values on the axes, and those given; or the run ID."""
    named = directory.read_chosen().named
    return run_name(describe_point(named)) if named else directory.run_id


def read_params(directory: RunDirectory) -> dict[str, str]:
    """Return the config of the run, flattened to dotted keys.

    Raises:
        RunDirectoryError: It is missing or damaged.
    """
    params: dict[str, str] = {}
    for path, value in _flatten(directory.read_config()):
        key = ".".join(path)
        text = _redact(path, value)
        name = metric_name(key)
        # The key "a.b" and the key "b" inside "a" are both kept.
        params[name if name not in params else metric_name(f"{key}?")] = parameter_value(text)
    return params


def axis_tags(directory: RunDirectory) -> dict[str, str]:
    """Return one tag per axis, and one per value that was given."""
    return {
        metric_name(f"orch.axis.{key.removeprefix(DELETED)}"): tag_value(
            label_of(Missing())
            if key.startswith(DELETED)
            else _redact(key.split("."), label_of(value))
        )
        for key, value in directory.read_chosen().named.items()
    }


def extended_tags(directory: RunDirectory) -> dict[str, str]:
    """Return the run that a run began with, and how many of its iterations; nothing for most."""
    found = read_extended(directory.path)
    if found is None:
        return {}
    told = f"{found.iteration} iterations of run {found.run_id}"
    return {"orch.begun_with": tag_value(told)}


def attempt_tags(
    directory: RunDirectory, seen: Observation, source: GitSource | None
) -> dict[str, str]:
    """Return the tags of the attempts: when they took place, and who started the last one, and of what commit."""
    tags = {"orch.state": seen.state.value, "orch.attempt": str(seen.attempts)}
    tags["mlflow.user"] = tag_value((source and source.user) or name_of_user())
    tags["mlflow.source.type"] = "LOCAL"
    tags["mlflow.source.name"] = tag_value((source and source.command) or "orch run")
    if isinstance(seen.status, Status):
        status = seen.status
        tags["orch.host"] = tag_value(status.host)
        is_live = seen.state is State.RUNNING  # how far it is, would not stay true
        tags["orch.reason"] = "its process lives" if is_live else tag_value(seen.reason)
        tags[f"{_ATTEMPT}{seen.attempts}"] = _describe_attempt(status, seen.state)
    if seen.attempts > 1:  # short ones may be over before they are looked at
        for number, earlier in directory.earlier_attempts().items():
            tags[f"{_ATTEMPT}{number}"] = _describe_attempt(earlier, judge(earlier, locked=False))
    if source is not None and source.commit:
        tags["orch.git_commit"] = tags["mlflow.source.git.commit"] = tag_value(source.commit)
        is_dirty = source.is_dirty
        tags["orch.git_dirty"] = "unknown" if is_dirty is None else str(is_dirty).lower()
    return tags


def _describe_attempt(status: Status, state: State) -> str:
    return tag_value(f"{status.started_at} to {status.ended_at or '?'}, {state.value}")


def starts_of_attempts(tags: Mapping[str, str]) -> list[int]:
    """Return when the attempts of a run started, in ms, from the tags of its MLflow run."""
    texts = (text for name, text in tags.items() if name.startswith(_ATTEMPT))
    return sorted(filter(None, (milliseconds(text.partition(" to ")[0]) for text in texts)))


def started_at(directory: RunDirectory, seen: Observation) -> int:
    """Return the start of the first attempt in ms, or the creation time of the directory."""
    first = seen.status if seen.attempts == 1 else directory.earlier_attempts().get(1)
    if isinstance(first, Status):
        return milliseconds(first.started_at)
    return milliseconds(directory.read_created_at())


def ended_at(directory: RunDirectory, seen: Observation) -> int:
    """Return the end of the last attempt in ms; without a record, the time of its last output."""
    status = seen.status
    if isinstance(status, Status) and status.ended_at:
        return milliseconds(status.ended_at)
    return last_change(directory)


def read_results(
    directory: RunDirectory, seen: Observation, reported: Collection[str]
) -> list[MetricPoint]:
    """Return the test results as points at the last iteration, and the metrics of the best one.

    ``reported`` are the keys of the points sent while the run trained. A result with the same name is
    another quantity than these, unless its name says that it is a test result.
    """
    step = seen.progress.iteration if seen.progress else 0
    at = ended_at(directory, seen)
    samples, outcome = [], directory.outcome()
    best = dict(outcome.figures_of_best)
    if outcome.best_iteration is not None:
        best[f"{BEST}iteration"] = float(outcome.best_iteration)
    for key, figure in best.items():
        if (name := metric_name(key)) not in reported:
            samples.append(MetricPoint(name, finite(figure), outcome.best_iteration or 0, at))
    for key, value in outcome.results.items():
        name, number = metric_name(key), records.as_number(value)
        if name in reported:
            name = metric_name(key if key.startswith(TEST) else f"{TEST}{key}")
        if number is not None and name not in reported:
            samples.append(MetricPoint(name, finite(number), step, at))
    return samples


def milliseconds(moment: str) -> int:
    """Return the time of a record in ms; 0 if it is invalid."""
    try:
        return max(0, int(datetime.fromisoformat(moment).timestamp() * 1000))
    except (ValueError, OverflowError):
        return 0


def last_change(directory: RunDirectory) -> int:
    """Return when the program last wrote metrics or output, in ms."""
    moments = [0]
    for path in (directory.metrics, *directory.attempt_logs()):
        with contextlib.suppress(OSError):
            moments.append(os.lstat(path).st_mtime_ns // 1_000_000)
    return max(moments)


def _redact(path: Sequence[str], value: object) -> str:
    """Return a value as a string unless it is a secret, as older run directories may contain."""
    text = str(value)
    if "${oc.env:" in text:
        return _HIDDEN if HANDED_OVER in text else text
    return _HIDDEN if is_secret(path, value) else text


def _flatten(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:  # noqa: ANN401 # a YAML tree
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _flatten(value, (*path, str(key)))
    elif path:
        yield path, node
