"""Executes the runs of apps in forks of this process, and compares what they composed with what is recorded.

This process has loaded Hydra, so a run takes milliseconds; what counts is its arguments.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import traceback
import warnings
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from orchestrator.config.command_placeholders import ARGUMENTS, COMMAND, fill_in
from orchestrator.planning.load import Planned
from orchestrator.rundir.directory import RunDirectory
from orchestrator.runner.composed_config_check import find_mismatch
from orchestrator.runner.entry_point_call import EntryPoint

POINTS = 3


def execute(planned: Planned, entry_point: str = "", points: int = POINTS) -> list[str]:
    """Execute the last runs of a plan, and return what is wrong with them."""
    wrong = []
    program = planned.settings.program
    planned.experiment.prepare()
    for decision in planned.plan.decisions[-points:]:
        run = decision.run
        directory = planned.experiment.create(run)
        (directory.path / "status.json").write_text("{}")
        setting = ARGUMENTS if entry_point else COMMAND
        parts = program.arguments if entry_point else program.command or ()
        arguments = fill_in(parts, run, directory.path, setting)
        environment = {**run.environment, "ORCH_RUN_DIR": str(directory.path.resolve())}
        context = multiprocessing.get_context("fork")
        child = context.Process(target=_be_the_app, args=(entry_point, arguments, environment))
        child.start()
        child.join()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            told = _difference(directory, arguments)
        if child.exitcode or told:
            wrong.append(f"{entry_point} {arguments}: exit code {child.exitcode}, {told}")
    return wrong


def _be_the_app(entry_point: str, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    """Run in the fork: become the app, as its interpreter or the runner would start it."""
    warnings.simplefilter("ignore")
    os.environ.update(environment)
    # Planning may have imported the app, without running it; a new process would not have it.
    here = str(Path.cwd())
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(here):
            del sys.modules[name]
    try:
        if entry_point:
            sys.path.append(str(Path.cwd()))
            EntryPoint(entry_point, arguments).call()
        else:
            sys.argv = list(arguments[1:])
            if arguments[1] == "-m":
                sys.path.insert(0, str(Path.cwd()))
                sys.argv = ["", *arguments[3:]]
                runpy.run_module(arguments[2], run_name="__main__", alter_sys=True)
                return
            sys.path.insert(0, str(Path(arguments[1]).absolute().parent))
            runpy.run_path(arguments[1], run_name="__main__")
    except Exception:
        traceback.print_exc()
        raise


def _difference(directory: RunDirectory, arguments: tuple[str, ...]) -> str:
    """Compare what the app composed, to the last type and in order, with the config of the run."""
    try:
        composed = (directory.path / "composed.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return "it composed nothing"
    own = OmegaConf.to_container(OmegaConf.load(directory.config), resolve=True)
    assert isinstance(own, dict)
    added = {key for key in ("results_dir", "experiment_id") if f"'{key}':" not in composed}
    recorded = repr({key: value for key, value in own.items() if key not in added})
    if composed != recorded:
        return f"composed {composed}, recorded {recorded}"
    return find_mismatch(directory, arguments)
