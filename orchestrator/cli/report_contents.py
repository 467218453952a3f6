"""Collects what ``orch report`` shows of an experiment from its run directories and its plan."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.tables import count_of
from orchestrator.execution.remaining_time import describe_seconds
from orchestrator.rundir import code_record, durable, records
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.reusable_checkpoints import is_extended
from orchestrator.rundir.run_summary import report_on
from orchestrator.rundir.state import Failure, Status
from orchestrator.rundir.survivors import Survivors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.planning.run_results import RunResults
    from orchestrator.rundir.run_summary import Report

_TAIL: Final = 1 << 13  # bytes of a log
_LINES: Final = 15
_LONGEST_LINE: Final = 400
_MOST_VALUES: Final = 4
_SHORT: Final = 9.95  # seconds


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of one run: its report, and what its last attempt executed, on what.

    ``environment`` is what the program says of its machine and libraries.
    """

    directory: RunDirectory
    report: Report
    code: Mapping[str, Any]
    environment: Mapping[str, Any]

    @property
    def status(self) -> Status | None:
        """The status, if it can be read."""
        found = self.report.seen.status
        return found if isinstance(found, Status) else None

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took, if it has ended."""
        return None if self.status is None else records.duration_of(self.status)

    @property
    def last_change(self) -> str:
        """When the run last started, reported progress or ended; empty if never."""
        times = [self.status.started_at, self.status.ended_at or ""] if self.status else []
        if self.report.progress:
            times.append(self.report.progress.updated_at)
        return max(times, default="")


def collect(runs: Sequence[RunResults]) -> dict[str, RunFacts]:
    """Return the facts on the runs that have a directory, by run ID."""
    survivors = Survivors()
    return {run.run_id: _facts(RunDirectory(Path(run.path)), survivors) for run in runs if run.path}


def _facts(directory: RunDirectory, survivors: Survivors) -> RunFacts:
    code = code_record.read(directory.path)
    environment: Mapping[str, Any] = {}
    with contextlib.suppress(OSError):
        match records.parse(durable.read_file(directory.results)):
            case {"environment": dict(found)}:
                environment = found
    return RunFacts(
        directory, report_on(directory, survivors), code[-1] if code else {}, environment
    )


def describe_runs(
    facts: Sequence[RunFacts], conceal: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    """Yield names and values that say when, where and with what code runs were executed."""
    statuses = [each.status for each in facts if each.status]
    began = min((status.started_at for status in statuses), default="")
    ended = max((status.ended_at or "" for status in statuses), default="")
    if began:
        yield "started", moment(began)
    if ended:
        yield "last end", moment(ended)
    durations = [each.seconds for each in facts if each.seconds is not None]
    if durations:
        took = f"{duration(sum(durations))} in all, {_describe_range(durations)} per run"
        others = "not counting earlier attempts and the start of processes, which orch run counts"
        if extended := sum(is_extended(each.directory.path) for each in facts):
            others += (
                f"; {count_of(extended, 'run')} began with iterations of another, not counted here"
            )
        yield "time of the last attempts", f"{took}; {others}"
    retried = sum(status.attempt > 1 for status in statuses)
    if retried:
        yield "more than one attempt", f"{retried} of {len(statuses)} runs"
    yield from _counted("host", [status.host for status in statuses])
    for name in ("device", "cpu", "python", "torch", "numpy"):
        told = [str(each.environment[name]) for each in facts if name in each.environment]
        yield from _counted(name, told)
    yield from _counted(
        "commit", [*filter(None, (code_record.commit_of(each.code) for each in facts))]
    )
    programs = [
        conceal(" ".join(map(str, each.code["program"])))
        for each in facts
        if isinstance(each.code.get("program"), list)
    ]
    yield from _counted("program", programs)


def group_failures(
    facts: Mapping[str, RunFacts], conceal: Callable[[str], str]
) -> list[tuple[Failure, list[str]]]:
    """Return the failures with the runs that failed in this way, the most frequent first."""
    groups: dict[Failure, list[str]] = {}
    for run_id, each in facts.items():
        if each.report.seen.state.value == "failed":
            found = each.report.seen.failure
            if found is None or each.report.seen.damage:
                found = Failure("damaged", each.report.seen.reason)
            told = Failure(conceal(found.kind), conceal(found.message))
            groups.setdefault(told, []).append(run_id)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def end_of_log(directory: RunDirectory, conceal: Callable[[str], str]) -> str:
    """Return the last lines of the last attempt's log, without credentials; empty if there is none."""
    logs = directory.attempt_logs()
    if not logs:
        return ""
    with contextlib.suppress(OSError):
        text = durable.read_tail(logs[-1], _TAIL).decode(errors="replace")
        # What a progress bar has overwritten is not shown on a terminal either.
        lines = [line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n")]
        while lines and not lines[-1].strip():
            lines.pop()
        return "\n".join(conceal(line)[:_LONGEST_LINE] for line in lines[-_LINES:])
    return ""


def moment(time: str) -> str:
    """Return a time of a record as people write it; UTC, as in records."""
    try:
        return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return time


def duration(seconds: float) -> str:
    """Return how long something took; short times with a decimal, as ``orch run`` prints them."""
    return f"{seconds:.1f} s" if seconds < _SHORT else describe_seconds(seconds)


def _counted(name: str, values: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield a name with its values, the most frequent first, and how often each occurs."""
    counts = Counter(values).most_common()
    if not counts:
        return
    if len(counts) == 1:
        yield name, counts[0][0]
        return
    told = [f"{value} ({count} runs)" for value, count in counts[:_MOST_VALUES]]
    more = len(counts) - _MOST_VALUES
    yield name, "; ".join([*told, *([f"and {more} others"] if more > 0 else [])])


def _describe_range(seconds: Sequence[float]) -> str:
    least, most = duration(min(seconds)), duration(max(seconds))
    return most if least == most else f"{least} to {most}"
