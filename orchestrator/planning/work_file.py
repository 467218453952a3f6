"""Prepared work: run directories that another machine executes, and the file that says how.

``orch run --prepare`` creates the run directories of a grid and writes ``work.json`` beside them;
``orch work`` executes them. It needs no config folder: what a run computes is in its directory.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.config.secret_references import HANDED_OVER
from orchestrator.config.settings_as_written import (
    open_settings,
    own_settings,
    resolve_written,
    settings_of,
)
from orchestrator.errors import RunDirectoryError, UsageError
from orchestrator.grid.identity import Run, RunId
from orchestrator.grid.point_selection import Selection
from orchestrator.planning.executable_plan import Work
from orchestrator.planning.plan import make_plan
from orchestrator.rundir import durable, records
from orchestrator.rundir.chosen_values import parse_chosen
from orchestrator.rundir.experiment import ExperimentDirectory, is_run_id
from orchestrator.rundir.identity_file import read_identity
from orchestrator.rundir.state import State
from orchestrator.runner.failure_classes import PASSING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.grid.config_values import Value
    from orchestrator.rundir.state import Observation

WORK: Final = "work.json"
_LARGEST: Final = 1 << 30  # bytes; some hundred per run
_WHAT_TO_DO: Final = "Prepare it with orch run --prepare."


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What names the experiment on a command line, in the folder where it was prepared."""

    config_dir: str | None
    config_name: str | None
    app: str | None
    overrides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreparedWork:
    """The prepared work of an experiment.

    ``project`` is the folder in which its programs are started, and ``given`` the command line
    that prepared it.
    """

    work: Work
    project: Path
    given: CommandLine


def prepare_work(
    planned: Work,
    given: CommandLine,
    flags: Mapping[str, Value],
    tell: Callable[[str], None],
) -> int:
    """Create the run directories of a plan, and write how to execute them; return their number.

    Runs that are done have their directories already. A second preparation replaces the first.
    ``flags`` are settings that override those of the config.

    Raises:
        UsageError: A run needs a secret that would have to be written.
        RunDirectoryError: A directory or the file cannot be written, or belongs to another config.
    """
    experiment, decisions = planned.experiment, planned.plan.decisions
    shared = settings_of(decisions.run(0)) if decisions else {}
    attempts = {place: seen.attempts for place, seen in decisions.observed()}
    items = [
        _describe(decisions.run(place), shared, attempts.get(place, 0))
        for place in range(len(decisions))
    ]
    experiment.prepare(tell)
    for place in range(len(decisions)):
        run = decisions.run(place)
        if not experiment.run(run.run_id).path.is_dir():
            experiment.create(run)
    content = {
        "schema": records.SCHEMA,
        "prepared_at": records.now(),
        "experiment_id": experiment.experiment_id,
        "project": os.path.realpath(Path.cwd()),
        "given": {
            "config_dir": given.config_dir,
            "config_name": given.config_name,
            "app": given.app,
            "overrides": list(given.overrides),
        },
        "orch": {**shared, **flags},
        "runs": items,
    }
    path = experiment.path / WORK
    try:
        durable.write_file(path, records.dump(content))
    except OSError as error:
        raise RunDirectoryError(
            f"{path}: cannot be written ({error.strerror or error})."
            " Check the permissions and the disk, or move away what is there."
        ) from None
    return len(items)


def count_left_out(planned: Work) -> int:
    """Return how many open runs of the last preparation a plan does not have: nobody would execute them."""
    experiment, decisions = planned.experiment, planned.plan.decisions
    try:
        before = {RunId(item["run_id"]) for item in _read(experiment.path / WORK)["runs"]}
    except (UsageError, RunDirectoryError):
        return 0
    left_out = before.difference(decisions.run(place).run_id for place in range(len(decisions)))
    seen = experiment.observe(sorted(left_out))
    return sum(each.state not in {State.DONE, State.FAILED} for each in seen.values())


def open_work(folder: Path) -> PreparedWork:
    """Read the prepared work of an experiment, and observe its runs.

    Args:
        folder: The experiment's folder, ``<results_dir>/<experiment_id>``.

    Raises:
        UsageError: Nothing was prepared there, or its project is not on this machine.
        RunDirectoryError: The file, or the config of a run, is damaged.
        ConfigError: A setting is wrong here.
    """
    found = _read(folder / WORK)
    experiment_id = str(found["experiment_id"])
    path = folder.resolve()
    parts = len(Path(experiment_id).parts)
    if path.parts[-parts:] != Path(experiment_id).parts:
        raise UsageError(
            f"{folder} was prepared as {experiment_id}, and has another name now. Rename it,"
            " or prepare it again."
        )
    project = Path(str(found["project"]))
    try:
        os.chdir(project)
    except OSError as error:
        raise UsageError(
            f"{project}: {error.strerror}. The project must have the same path on this machine as"
            " where its runs were prepared."
        ) from None
    settings = open_settings(found["orch"], str(folder / WORK))
    experiment = ExperimentDirectory(
        path.parents[parts - 1], experiment_id, settings.identity_exclude
    )
    runs = [_run(experiment, item, found["orch"]) for item in found["runs"]]
    seen = experiment.observe(run.run_id for run in runs)
    plan = make_plan(
        experiment_id, str(experiment.training), Selection(len(runs), 0, runs, (), (), ()), seen
    )
    retries = settings.policy.retries
    settled = frozenset(
        run_id
        for item in found["runs"]
        if is_settled(seen[run_id := RunId(item["run_id"])], int(item.get("attempts", 0)), retries)
    )
    given = found["given"]
    line = CommandLine(
        given["config_dir"], given["config_name"], given["app"], tuple(given["overrides"])
    )
    return PreparedWork(Work(plan, experiment, settings, settled=settled), project, line)


def is_settled(seen: Observation, before: int, retries: int) -> bool:
    """Return whether a run has failed for good since it was prepared.

    Args:
        seen: What was seen of it.
        before: The number of its attempts when it was prepared.
        retries: How often a run is retried after a transient failure.
    """
    since = seen.attempts - before
    if seen.state is not State.FAILED or since < 1:
        return False
    return seen.failure is None or seen.failure.kind not in PASSING or since > retries


def _describe(run: Run, shared: Mapping[str, Value], attempts: int) -> Mapping[str, object]:
    if run.environment:
        key = next(iter(run.environment)).removeprefix(HANDED_OVER).replace("__", ".").lower()
        raise UsageError(
            f"{key} is a secret that was given as a value, so it is written nowhere and cannot reach"
            " another machine. Put it into an environment variable, and refer to that: ${oc.env:NAME}."
        )
    own = own_settings(run, shared)
    item: dict[str, object] = {
        "run_id": run.run_id,
        "hydra_overrides": list(run.hydra_overrides),
    }
    if own:
        item["orch"] = own
    if attempts:  # a failure is retried by who prepares again, and by no worker
        item["attempts"] = attempts
    return item


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found: Any = records.parse(durable.read_file(path, largest=_LARGEST))
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file. {_WHAT_TO_DO}") from None
    except OSError as error:
        raise RunDirectoryError(f"{path}: {error.strerror}. {_WHAT_TO_DO}") from None
    match found:
        case {
            "schema": 1,
            "experiment_id": str(),
            "project": str(),
            "given": {
                "config_dir": str() | None,
                "config_name": str() | None,
                "app": str() | None,
                "overrides": list(),
            },
            "orch": dict(),
            "runs": list(runs),
        } if _is_sound(found["given"], found["project"], found["orch"]) and all(
            map(_is_item, runs)
        ):
            return dict(found)
    raise RunDirectoryError(f"{path}: it is damaged. {_WHAT_TO_DO}")


def _is_item(item: object) -> bool:
    match item:
        case {"run_id": str(run_id), "hydra_overrides": list(overrides), **rest}:
            return (
                is_run_id(run_id)
                and _are_texts(*overrides)
                and isinstance(own := rest.get("orch", {}), dict)
                and _are_texts(json.dumps(own, ensure_ascii=False))
                and type(rest.get("attempts", 0)) is int
            )
    return False


def _is_sound(given: Mapping[str, Any], project: str, settings: Mapping[str, Any]) -> bool:
    optional = (given["config_dir"], given["config_name"], given["app"])
    written = json.dumps(settings, ensure_ascii=False)
    return _are_texts(
        written, project, *(it for it in optional if it is not None), *given["overrides"]
    )


def _are_texts(*values: object) -> bool:
    """Return whether values are strings that a command line can hold."""
    try:
        return all(isinstance(it, str) and b"\0" not in os.fsencode(it) for it in values)
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _run(
    experiment: ExperimentDirectory, item: Mapping[str, Any], shared: Mapping[str, Any]
) -> Run:
    """Return a run as its directory describes it."""
    directory = experiment.run(RunId(item["run_id"]))
    identity = read_identity(directory.identity)
    written = {**directory.read_config(), "orch": {**shared, **item.get("orch", {})}}
    return Run(
        run_id=directory.run_id,
        digest=str(identity["digest"]),
        overrides=parse_chosen(identity).overrides,
        config=resolve_written(written, str(directory.config)),
        written=written,
        hydra_overrides=tuple(map(str, item["hydra_overrides"])),
    )
