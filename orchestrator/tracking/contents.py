"""What a run has to tell: its name, parameters and points, read from its directory."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from omegaconf import OmegaConf

from orchestrator.selection import describe_point
from orchestrator.state import Observation, Status
from orchestrator.tracking.store import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.rundir import RunDirectory

_CHUNK: Final = 4_000_000

logger = logging.getLogger(__name__)


def name_of(directory: RunDirectory) -> str:
    """Return a name for people: the values of the axes, or the run ID where there are none."""
    overrides = directory.read_overrides()
    return describe_point(overrides) if overrides else directory.run_id


def read_params(directory: RunDirectory) -> Mapping[str, str]:
    """Return the resolved config, flattened to dotted keys."""
    return dict(_flatten(OmegaConf.to_container(OmegaConf.load(directory.config))))


def read_samples(directory: RunDirectory, offset: int) -> tuple[list[Sample], int]:
    """Return the points behind ``offset``, and the offset behind them.

    A last line without its end is still being written and waits for the next time; a line that
    is no point is passed over.
    """
    try:
        with directory.metrics.open("rb") as file:
            file.seek(offset)
            content = file.read(_CHUNK)
    except FileNotFoundError:
        return [], offset
    lines = content[: content.rfind(b"\n") + 1]
    samples = [sample for line in lines.splitlines() if (sample := _parse_sample(line))]
    return samples, offset + len(lines)


def attempt_tags(seen: Observation) -> dict[str, str]:
    """Return the tags that tell of the last attempt."""
    tags = {"orch.state": seen.state.value, "orch.attempt": str(seen.attempts)}
    if isinstance(seen.status, Status):
        tags["orch.host"] = seen.status.host
        if seen.status.failure:
            tags["orch.error"] = f"{seen.status.failure.kind}: {seen.status.failure.message}"
    return tags


def start_time(directory: RunDirectory) -> int:
    """Return when the attempt began, in ms."""
    status = directory.read_status()
    return _milliseconds(status.started_at) if isinstance(status, Status) else 0


def end_time(seen: Observation) -> int | None:
    """Return when the attempt ended, in ms; None where nobody could write it down."""
    status = seen.status
    return (
        _milliseconds(status.ended_at) if isinstance(status, Status) and status.ended_at else None
    )


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def _parse_sample(line: bytes) -> Sample | None:
    try:
        match json.loads(line):
            case {
                "key": str(key),
                "value": float() | int() | str() as value,
                "step": int(step),
                "timestamp": int(timestamp),
            }:
                return Sample(key, float(value), step, timestamp)
    except (ValueError, RecursionError):
        pass
    logger.warning("not a point: %r", line[:80])
    return None


def _flatten(node: Any, prefix: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 # a YAML tree
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, str(node)
