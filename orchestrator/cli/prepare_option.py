"""The output of ``orch run --prepare``, which leaves the runs to ``orch work``."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.json_text import write_json
from orchestrator.cli.setting_flags import parse_flags
from orchestrator.cli.tables import count_of, pronoun_of
from orchestrator.cli.waiting_notices import tell_waiting
from orchestrator.config.concealed_arguments import without_secret
from orchestrator.errors import UsageError
from orchestrator.planning.work_file import CommandLine, count_left_out, prepare_work
from orchestrator.rundir.state import State
from orchestrator.slurm.find_pilots import find_pilots
from orchestrator.slurm.submission_records import PilotsFolder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rich.console import Console

    from orchestrator.planning.executable_plan import Work


def command_line_of(options: argparse.Namespace) -> CommandLine:
    """Return what names the experiment on the command line; only messages quote it."""
    typed = tuple(map(without_secret, options.overrides))
    return CommandLine(options.config_dir, options.config_name, options.app, typed)


def prepare(planned: Work, options: argparse.Namespace, console: Console) -> int:
    """Create the run directories of a plan for other machines, and return 0.

    Raises:
        UsageError: Pilots execute what was prepared before.
    """
    given = command_line_of(options)
    with _without_pilots(planned), console.status("creating run directories"):
        count = prepare_work(planned, given, parse_flags(options), tell_waiting)
    done = planned.plan.states[State.DONE]
    command = f"orch work {shlex.quote(str(planned.experiment.path))}"
    if options.json:
        content = {"schema": 1, "runs": count, "done": done, "command": command}
        write_json(console, content, indent=2)
        return 0
    finished = f", {done} of them done" if done else ""
    runs = f"{count_of(count, 'run')} {'is' if count == 1 else 'are'}"
    text = f"{runs} prepared{finished}. Execute {pronoun_of(count)}, on each machine: {command}"
    console.print(Text(text), soft_wrap=True)
    return 0


def refuse_to_leave_runs(planned: Work) -> None:
    """Refuse to replace what live pilots, or those in the queue, were submitted for.

    Raises:
        UsageError: Some of these runs are open, and not in the plan.
    """
    count = count_left_out(planned)
    pilots = find_pilots(planned.experiment.path)[0] if count else []
    if pilots:
        raise UsageError(
            f"{planned.experiment.path}: {count_of(len(pilots), 'pilot')} of an earlier orch run will"
            f" execute {count_of(count, 'run')} that would be left out now. Wait until they have ended,"
            " withdraw them with orch stop, or give all of the runs in one command."
        )


@contextmanager
def _without_pilots(planned: Work) -> Iterator[None]:
    """Keep other processes from submitting pilots, which would execute what is prepared now."""
    folder = PilotsFolder(planned.experiment.path)
    if not (planned.settings.slurm or folder.path.exists()):
        yield
        return
    if not folder.become_controller():
        raise UsageError(
            f"{planned.experiment.path}: another orch run submits pilots for the runs that it has"
            " prepared, and --prepare would replace them. Wait until it has ended, or end it with"
            " orch stop."
        )
    try:
        refuse_to_leave_runs(planned)
        yield
    finally:
        folder.leave()
