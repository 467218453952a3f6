"""Drift: runs whose code or command differ from those of now. It is reported, and never causes a run.

Runs with the same digest in ``status.json`` were made by the same code and command, so one of them is
read for all.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.config.command_placeholders import ARGUMENTS, COMMAND, own_parts
from orchestrator.config.concealed_arguments import arguments_without_secrets
from orchestrator.config.orch_settings import TRAINER
from orchestrator.rundir import code_record
from orchestrator.rundir.state import Record, State, Status
from orchestrator.runner.project_files import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.config.orch_settings import ProgramSettings
    from orchestrator.grid.identity import Run
    from orchestrator.planning.executable_plan import Work
    from orchestrator.rundir.code_record import Attempt
    from orchestrator.rundir.directory import RunDirectory

_SHOWN: Final = 3
_PYTHON: Final = re.compile(r"python[\d.]*")
_OF_LAUNCHER: Final = ("hydra.mode=RUN", "+hydra.callbacks.orch_return_value.")
_BEGUN: Final = (State.STALE, State.FAILED)


@dataclass(frozen=True, slots=True)
class _Drifted:
    """The files that differ for a run, and whether its command does."""

    files: frozenset[str] = frozenset()
    is_other: bool = field(default=False, kw_only=True)


_NOTHING: Final = _Drifted()


@dataclass(frozen=True, slots=True)
class DriftCounts:
    """What differs from now in the code of runs: files, the most frequent first, and the command."""

    runs: int = 0
    files: tuple[str, ...] = ()
    other_code: int = 0
    other_command: int = 0


@dataclass(frozen=True, slots=True)
class Drift:
    """The finished runs, and the begun ones, whose code differs; ``places`` are their indices."""

    done: DriftCounts = DriftCounts()
    begun: DriftCounts = DriftCounts()
    places: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Say it in one line; empty if nothing differs."""
        parts = [
            *_describe(self.done, "done", "made"),
            *_describe(self.begun, "unfinished", "begun"),
        ]
        return "; ".join(parts)


def find_drift(planned: Work) -> Drift:
    """Compare the code and the command of the runs of a plan with those of now."""
    compared = _DriftComparison(planned)
    groups: dict[bool, Counter[_Drifted]] = {True: Counter(), False: Counter()}
    places = []
    for place, seen in planned.plan.decisions.observed():
        status = seen.status
        if not isinstance(status, Status):
            continue
        is_done = status.record is Record.DONE  # the state costs more, for 10,000 runs
        if is_done or seen.state in _BEGUN:
            found = compared.of(place, status.code)
            if found is not _NOTHING:
                groups[is_done][found] += 1
                places.append(place)
    return Drift(_sum(groups[True]), _sum(groups[False]), tuple(sorted(places)))


def drift_as_json(drift: Drift) -> dict[str, object]:
    """Return the drift as ``orch plan --json`` prints it."""
    parts = {"done": drift.done, "unfinished": drift.begun}
    return {
        name: {
            "runs": it.runs,
            "other_code": it.other_code,
            "other_command": it.other_command,
            "files": list(it.files),
        }
        for name, it in parts.items()
    }


class _DriftComparison:
    """Compares runs with the code of now; each digest, and each file, is compared once."""

    def __init__(self, planned: Work) -> None:
        self._planned = planned
        self._now = without_incidentals(_program(planned.settings.program))
        self._known: dict[str | None, _Drifted] = {}

    def of(self, place: int, code: str | None) -> _Drifted:
        """Return what differs for a run; ``code`` is the digest of its code, if it is known."""
        found = self._known.get(code)
        if found is None:
            found = self._compare(place)
            if code is not None:
                self._known[code] = found
        return found

    def _compare(self, place: int) -> _Drifted:
        planned, decisions = self._planned, self._planned.plan.decisions
        attempts = code_record.read(planned.experiment.run(decisions.run_id(place)).path)
        files = frozenset(name for attempt in attempts for name in changed_files(attempt))
        commands = [it["program"] for it in attempts if isinstance(it.get("program"), list)]
        commands = [without_incidentals(command) for command in commands]
        is_other = any(command != self._now for command in commands)
        if is_other:  # a run may have arguments of its own
            own = without_incidentals(_program(planned.settings.program, decisions.run(place)))
            is_other = any(command != own for command in commands)
        return _Drifted(files, is_other=is_other) if files or is_other else _NOTHING


def is_of_this_code(planned: Work, directory: RunDirectory) -> bool:
    """Return whether the code and the command of all attempts of a run are recorded, and those of now."""
    now = without_incidentals(_program(planned.settings.program))
    attempts = code_record.read(directory.path)
    return bool(attempts) and all(
        isinstance(it.get("program"), list)
        and without_incidentals(it["program"]) == now
        and not changed_files(it)
        for it in attempts
    )


def changed_files(attempt: Attempt) -> list[str]:
    """Return the files of an attempt whose content is another one now."""
    files: Mapping[str, str | None] = attempt["files"]
    changed = []
    for name, made in files.items():
        path = os.path.abspath(name)  # noqa: PTH100 # as a string
        if not os.path.exists(path):  # noqa: PTH110 # as above
            path = os.path.normpath(f"{attempt['directory']}/{name}")
        if digest(path) != made or made is None:
            changed.append(name)
    return changed


def _program(program: ProgramSettings, run: Run | None = None) -> list[str]:
    """Return a program with its arguments, or those that a run has of its own, as they are recorded."""
    if program.command:
        setting, parts, function = COMMAND, program.command, []
    else:
        setting, parts, function = ARGUMENTS, program.arguments, [program.entry_point or TRAINER]
    return arguments_without_secrets(
        [*function, *(own_parts(run, setting, parts) if run else parts)]
    )


def without_incidentals(command: Sequence[object]) -> list[str]:
    """Return a command without what does not say which program it is: where Python is, and the launcher.

    The same app is started by ``orch run --app`` and by the launcher of Hydra's multirun. Credentials of
    more forms are concealed now than in some records.
    """
    words = [word for word in map(str, command) if not word.startswith(_OF_LAUNCHER)]
    words = arguments_without_secrets(words)
    if words and _PYTHON.fullmatch(words[0].rpartition("/")[2]):
        words[0] = "python"
    return words


def _sum(found: Mapping[_Drifted, int]) -> DriftCounts:
    counts: Counter[str] = Counter()
    for it, runs in found.items():
        counts.update(dict.fromkeys(sorted(it.files), runs))
    return DriftCounts(
        sum(found.values()),
        tuple(name for name, _ in counts.most_common()),
        sum(runs for it, runs in found.items() if it.files),
        sum(runs for it, runs in found.items() if it.is_other),
    )


def _describe(found: DriftCounts, state: str, verb: str) -> list[str]:
    more = len(found.files) - _SHOWN
    named = ", ".join(found.files[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    kinds = (
        (found.other_code, f"other code: {named}"),
        (found.other_command, "another command"),
    )
    return [
        f"{count} {state} {'run was' if count == 1 else 'runs were'} {verb} by {what}"
        for count, what in kinds
        if count
    ]
