"""The JSON records in a run directory: dumps and parses them. Their form is a contract with users."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from orchestrator.rundir.state import Failure, Progress, Record, Status, Unreadable
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA: Final = 1
T = TypeVar("T")
Metric: TypeAlias = float | str
# Limits of plausible numbers. The status of a run that is done may have one attempt more, so that
# every attempt that can be read has a successor.
MOST_ATTEMPTS: Final = 10**9
LARGEST: Final = 2**63
_LONGEST: Final = 100
_LONGEST_NOTE: Final = 500
_DEEPEST: Final = 50


def now() -> str:
    """Return the current time in the format of records: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def duration_of(status: Status) -> float | None:
    """Return how long an attempt took, in seconds; None: unknown, or it has not ended."""
    if status.seconds is not None or status.ended_at is None:
        return status.seconds
    with suppress(ValueError, TypeError):  # an earlier version recorded only the moments
        began, ended = map(datetime.fromisoformat, (status.started_at, status.ended_at))
        return max(0.0, (ended - began).total_seconds())
    return None


def dump_status(status: Status) -> bytes:
    """Return the content of ``status.json``."""
    return dump(_status_as_json(status))


def dump_status_line(status: Status) -> bytes:
    """Return the same on one line."""
    return (json.dumps(_status_as_json(status), ensure_ascii=False) + "\n").encode()


def _status_as_json(status: Status) -> Mapping[str, object]:
    failure = status.failure
    return {
        "schema": SCHEMA,
        "state": status.record.value,
        "attempt": status.attempt,
        "started_at": status.started_at,
        "ended_at": status.ended_at,
        "host": status.host,
        "pid": status.pid,
        "exit_code": status.exit_code,
        "error": failure and {"class": failure.kind, "message": failure.message},
        "reason": status.reason,
        "code": status.code,
        "slot": status.slot,
        "gpu": status.gpu,
        "resumed_at": status.resumed_at,
        "boot_id": status.boot_id,
        "node": status.node,
        "job": status.job,
        "gpu_memory": status.gpu_memory,
        "lost": status.lost,
        "paused_after": status.paused_after,
        "seconds": status.seconds,
    }


def parse_status(content: bytes) -> Status | Unreadable:
    """Parse ``status.json``; return ``Unreadable`` for any other content, and never raise."""
    found = parse(content)
    if not isinstance(found, dict):
        return Unreadable("it is not a complete status")
    # No match statement: it takes three times as long, and a plan parses 10,000 records.
    record, attempt = _RECORDS.get(str(found.get("state"))), found.get("attempt")
    started_at, host, pid = found.get("started_at"), found.get("host"), _whole(found.get("pid"))
    if (
        found.get("schema") == SCHEMA
        and record is not None
        and type(attempt) is int  # isinstance accepts true
        and 1 <= attempt <= (LARGEST if record is Record.DONE else MOST_ATTEMPTS - 1)
        and isinstance(started_at, str)
        and isinstance(host, str)
        and pid is not None
    ):
        # Most of the others are null.
        others = {
            name: _OTHERS[name](value)
            for name, value in found.items()
            if value is not None and name in _OTHERS
        }
        failure = _parse_failure(found.get("error"))
        own = record, attempt, printable(started_at), printable(host), pid
        return Status(*own, failure=failure, **others)
    schema = found.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        return Unreadable(f"it is of schema {brief(schema)}, written by a newer version")
    return Unreadable("it is not a complete status")


def parse_progress(content: bytes) -> Progress | None:
    """Parse ``progress.json``; return None unless it has both counts."""
    return as_progress(parse(content))


def as_progress(found: Any) -> Progress | None:  # noqa: ANN401 # the caller parsed it
    """Return the progress in a record; None unless it has both counts."""
    if not isinstance(found, dict):
        return None
    # No match statement, as above.
    iteration, iterations = found.get("iteration"), found.get("iterations")
    if not (isinstance(iteration, int) and isinstance(iterations, int)):
        return None
    # Implausible counts would lead to errors in later arithmetic.
    if not (0 <= iteration <= LARGEST and 0 < iterations <= LARGEST):
        return None
    saved = found.get("saved")
    return Progress(
        int(iteration),
        int(iterations),
        parse_metrics(found),
        saved if type(saved) is int and 0 <= saved <= LARGEST else None,
        _text(found.get("updated_at")) or "",
        # Of the programs that report the version of their numbers, all resume.
        resumes=found.get("resumes") is True or "numbers" in found,
        stopped_early=brief(_text(found.get("stopped_early")) or ""),
        total_read=_optional(found.get("total_read"), bool),
        note=(_text(found.get("note")) or "")[:_LONGEST_NOTE],
        gpu_memory_reserved=_count(found.get("gpu_memory_reserved")),
    )


def parse_metrics(found: object, key: str = "metrics") -> Mapping[str, Metric]:
    """Parse the metrics in a record; ignore anything that is not a metric."""
    metrics = found.get(key) if isinstance(found, dict) else None
    if not isinstance(metrics, dict):
        return {}
    read: dict[str, Metric] = {}
    for name, value in metrics.items():  # a loop: it takes half as long, and status reads 40,000
        is_plain = type(value) is float and math.isfinite(value)  # as nearly all are
        metric = value if is_plain else as_metric(value)
        if metric is not None:
            read[name if name.isprintable() else printable(name)] = metric
    return read


def parse_version(found: object) -> int | None:
    """Return the numbers version in a record, or None."""
    version = found.get("numbers") if isinstance(found, dict) else None
    return version if type(version) is int and abs(version) <= LARGEST else None


def parse_versions(found: object) -> tuple[int, ...]:
    """Return the earlier numbers versions that a record builds on."""
    before = found.get("numbers_before") if isinstance(found, dict) else None
    if not isinstance(before, list):
        return ()
    return tuple(each for each in before if type(each) is int and abs(each) <= LARGEST)


def as_metric(value: object) -> Metric | None:
    """Return a JSON value as a metric, a number or a string; None if it is neither.

    NaN and the infinities, which JSON does not have, become strings.
    """
    if type(value) is float and math.isfinite(value):  # as nearly all are
        return value
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, int) and abs(value) <= LARGEST:
        return int(value)
    number = as_number(value)
    if number is None or math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def as_number(value: object) -> float | None:
    """Return the number that a metric stands for, or None; the only way to read one.

    Strings count if they spell NaN, infinity or a number in digits; true is 1.
    """
    if type(value) is float:
        return value
    if isinstance(value, str) and "_" in value:  # a number only in Python
        return None
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def parse_values(identity: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a mapping from keys to values in a ``run.json``; an empty one if it is malformed."""
    values = identity.get(name)
    if not isinstance(values, dict):
        return {}
    for value in values.values():  # a loop: it takes half as long, and status reads 10,000
        if isinstance(value, dict | list) and is_deeper(value, _DEEPEST):
            return {}
    return values


def as_json(value: Any) -> Any:  # noqa: ANN401 # any JSON
    """Return a parsed value with words in place of numbers that JSON does not have, as in metrics."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    return as_metric(value) if isinstance(value, float) else value


def is_deeper(node: object, most: int) -> bool:
    """Return whether a parsed value has more levels than ``most``."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return most == 0 or any(is_deeper(each, most - 1) for each in inner)


def brief(text: object) -> str:
    """Return a string from a record in a form that fits into a message."""
    shown = printable(str(text))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def dump(value: Mapping[str, object]) -> bytes:
    """Return a record as indented JSON."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def parse(content: bytes) -> Any:  # noqa: ANN401 # the callers check its shape
    """Parse a record; return None if it is not JSON."""
    try:
        text = content.decode().strip(" \t\r\n")  # the whitespace of JSON
        found, end = _DECODER.raw_decode(text)
        return found if end == len(text) else None
    except (ValueError, RecursionError):
        return None


_DECODER: Final = json.JSONDecoder()
_RECORDS: Final[Mapping[str, Record]] = {record.value: record for record in Record}


def _parse_failure(found: object) -> Failure | None:
    if found is None:
        return None
    match found:
        case {"class": str(kind), "message": str(message)}:
            return Failure(printable(kind), printable(message))
        case _:
            return None


def _text(value: object) -> str | None:
    return printable(value) if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= LARGEST else None


def _duration(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LARGEST else None


def _whole(value: object) -> int | None:
    return value if type(value) is int and abs(value) <= LARGEST else None


def _optional(value: object, kind: type[T]) -> T | None:
    return value if isinstance(value, kind) else None


# The fields of a status that may be missing, and how they are parsed.
_OTHERS: Final[Mapping[str, Callable[[object], Any]]] = {
    **dict.fromkeys(("ended_at", "reason", "code", "gpu", "boot_id", "node", "job"), _text),
    **dict.fromkeys(("slot", "resumed_at", "gpu_memory", "paused_after"), _count),
    "exit_code": _whole,
    "lost": lambda value: _count(value) or 0,
    "seconds": _duration,
}
