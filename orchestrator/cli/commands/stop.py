"""``orch stop``: asks the ``orch run`` of an experiment to stop, from another terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.json_text import write_json
from orchestrator.cli.lookup import source_of
from orchestrator.cli.stop_messages import describe_asked
from orchestrator.errors import RunDirectoryError
from orchestrator.execution.stop_requests import StopLevel
from orchestrator.planning.load import open_experiment
from orchestrator.rundir.program_files import has_saved
from orchestrator.rundir.state import State
from orchestrator.slurm.find_pilots import withdraw_pilots

if TYPE_CHECKING:
    import argparse

    from rich.console import Console


def stop(options: argparse.Namespace, console: Console) -> int:
    """Ask every ``orch run`` of the experiment on this machine to stop, and return 0.

    Where an ``orch run`` was killed, the runners of its runs hear the request. Pilots that wait in the
    queue of a cluster are withdrawn.

    Raises:
        RunDirectoryError: The request cannot be written.
    """
    described, experiment = open_experiment(source_of(options))
    level = StopLevel.DRAIN if options.drain else StopLevel.AT_CHECKPOINT
    level = StopLevel.AT_ONCE if options.now else level
    has_pilots, problem = withdraw_pilots(experiment.path)
    is_executed = has_pilots or experiment.is_executed()
    seen = experiment.observe(experiment.run_ids())
    live = [run_id for run_id, each in seen.items() if each.state is State.RUNNING]
    saves = described.settings.program.is_trainer
    unsaved = 0 if saves else sum(not has_saved(f"{experiment.run(each).path}") for each in live)
    is_asked = is_executed or (bool(live) and level is not StopLevel.DRAIN)
    if is_asked:
        try:
            experiment.stop_file().ask(level.word)
        except OSError as error:
            why = error.strerror or error
            raise RunDirectoryError(
                f"{experiment.path}: cannot write the request ({why})."
                " Check the permissions and the disk, or press Ctrl-C where orch run was started."
            ) from None
    if problem:
        raise RunDirectoryError(
            f"{problem}, so pilots in the queue may still start. Cancel them with scancel."
        )
    if options.json:
        content = {
            "schema": 1,
            "experiment_id": experiment.experiment_id,
            "asked": is_asked,
            "how": level.word,
            "live": len(live),
            "unsaved": unsaved,
        }
        write_json(console, content, indent=2)
        return 0
    name = experiment.experiment_id
    text = describe_asked(name, level, len(live), unsaved, is_executed=is_executed)
    console.print(Text(text))
    return 0
