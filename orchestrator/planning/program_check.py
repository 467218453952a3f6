"""The check of the program that a grid's runs execute: whether it is there, its placeholders, and what it cannot see."""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib.machinery import PathFinder
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.config.command_placeholders import ARGUMENTS, COMMAND, fill_in
from orchestrator.config.concealed_arguments import without_secret
from orchestrator.config.overrides import is_ignored_by_programs
from orchestrator.config.unseen_overrides import UnseenOverrides, describe_unseen
from orchestrator.grid.config_values import is_under
from orchestrator.planning.hidden_exit_codes import SHELLS, filter_that_hides
from orchestrator.sanitize import without_the_middle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.config.load import ExperimentConfig
    from orchestrator.config.orch_settings import ProgramSettings
    from orchestrator.grid.axes import Point
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.point_selection import Selection
    from orchestrator.rundir.experiment import ExperimentDirectory

_PYTHON: Final = re.compile(r"(python|pypy)[\d.]*")
_FLAG: Final = re.compile(r"-[bBEIOPsSu]+")  # of Python, without a value
_OTHERS: Final = ("Rscript", "julia", "perl", "ruby")
_OVERRIDES: Final = "{overrides}"
_SAMPLES: Final = 20
# Most apps have them in their config, for python train.py -m; without -m, they have no effect either.
_OF_MULTIRUN: Final = ("hydra.sweep.", "hydra.mode")


def warn(described: ExperimentConfig, experiment: ExperimentDirectory) -> Iterator[str]:
    """Yield warnings about what has no effect, or cannot be seen by the program."""
    yield from described.composer.misplaced
    yield from _find_missing(described.settings.program.command or ())
    if name := filter_that_hides(described.settings.program.command or ()):
        yield (
            f"orch.{COMMAND}: its exit code is that of {name}, so a run whose program fails is done all the same."
            " Write [bash, -o, pipefail, -c, ...]"
        )
    yield from _find_missing_module(described.settings.program.entry_point or "")
    setting, arguments = _arguments_of(described.settings.program)
    ignored = described.composer.ignored
    if any(_OVERRIDES in argument for argument in arguments):
        typed = {override.key_or_group for override in described.given}
        ignored = tuple(
            key
            for key in ignored
            if is_ignored_by_programs(key) and (key in typed or not key.startswith(_OF_MULTIRUN))
        )
    if ignored:
        yield _say_ignored(ignored)
    if arguments and described.composer.span.grids:
        grids = [
            UnseenOverrides(grid.composer, grid.first_point(), arguments, setting)
            for grid in described.each_grid()
        ]
        if told := describe_unseen(grids, experiment.training / "run", setting):
            yield told


def warn_of_other_programs(
    repeated: Mapping[tuple[str, ...], tuple[Point, Point]], described: ExperimentConfig
) -> Iterator[str]:
    """Yield a warning where points that are one run, by their IDs, have different arguments.

    Where they differ in excluded keys only, the user has said that it does not matter.
    """
    exclude = described.settings.identity_exclude
    for axes, pair in repeated.items():
        if all(is_under(axis, exclude) for axis in axes):
            continue
        one, other = (_own_settings(described.composer.resolve(point)) for point in pair)
        if differing := [f"orch.{name}" for name in one if one[name] != other[name]]:
            yield (
                f"points that differ in {', '.join(axes)} are the same run, but differ in"
                f" {' and '.join(differing)} too, which is not part of the run ID: the first is run."
                f" Let a key of your own vary, and refer to it in {differing[0]}"
            )


def _own_settings(config: Mapping[str, Value]) -> dict[str, Value]:
    settings = config.get("orch")
    found = settings if isinstance(settings, dict) else {}
    return {name: found.get(name) for name in (COMMAND, ARGUMENTS)}


def _find_missing(command: Sequence[str]) -> Iterator[str]:
    """Yield what of a command is not there: its program, or the script that an interpreter executes.

    A warning and no error: the runs may be executed on another machine.
    """
    if not command or "{" in command[0]:
        return
    program, *others = command
    if shutil.which(program) is None:
        what = "is not an executable file" if "/" in program else "is not a program on the PATH"
        shown = without_the_middle(without_secret(program))
        yield f"orch.{COMMAND}: {shown} {what} of this machine, so runs cannot start here"
        return
    interpreter = Path(program).name
    if _PYTHON.fullmatch(interpreter):
        others = [*dropwhile(_FLAG.fullmatch, others)]
    elif interpreter not in (*SHELLS, *_OTHERS):
        return
    script = others[0] if others else "-"
    # Shells look for a script on the PATH, too.
    is_found = interpreter in SHELLS and shutil.which(script, os.F_OK) is not None
    if not (is_found or script.startswith(("-", "+")) or "{" in script or _may_exist(script)):
        yield f"orch.{COMMAND}: there is no file {script} in {Path.cwd()}, so runs fail here"


def _find_missing_module(entry_point: str) -> Iterator[str]:
    """Yield that the package of an entry point is neither installed nor in the current folder."""
    package = entry_point.partition(":")[0].partition(".")[0]
    if not package or package in sys.builtin_module_names:
        return
    if PathFinder.find_spec(package, [*sys.path, str(Path.cwd())]) is None:
        yield (
            f"orch.entry_point: there is no module {package}, neither in {Path.cwd()} nor installed,"
            " so runs cannot start here"
        )


def _may_exist(file: str) -> bool:
    try:
        return Path(file).exists()
    except OSError:  # it cannot be looked at, or its name is too long for a file
        return True


def fill_in_samples(
    selection: Selection, described: ExperimentConfig, experiment: ExperimentDirectory
) -> None:
    """Fill in the placeholders of the command, so that a misspelt one is an error before any start.

    Templates may have different keys, so one run of each is checked.
    """
    setting, arguments = _arguments_of(described.settings.program)
    if not arguments:
        return
    for place in selection.samples[:_SAMPLES]:
        run = selection.runs[place]
        fill_in(arguments, run, experiment.training / run.run_id, setting)


def _arguments_of(program: ProgramSettings) -> tuple[str, Sequence[str]]:
    """Return the arguments of a program with their setting; none for the trainer, which reads its config."""
    if program.command:
        return COMMAND, program.command
    return ARGUMENTS, program.arguments if program.entry_point else ()


def _say_ignored(keys: Sequence[str]) -> str:
    verb = "has" if len(keys) == 1 else "have"
    return f"{', '.join(keys)} {verb} no effect: orch itself starts runs and names their folders"
