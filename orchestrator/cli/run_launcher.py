"""The launcher of ``orch run``: warm for the trainer and Python functions, or one that starts commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import UsageError
from orchestrator.extras import TRAINER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.config.orch_settings import Settings
    from orchestrator.launchers.code_description import CodeDescription
    from orchestrator.launchers.command import CommandLauncher
    from orchestrator.launchers.warm import WarmLauncher
    from orchestrator.planning.plan import Decision


def choose_launcher(
    settings: Settings, starts: Sequence[Decision], code: CodeDescription
) -> CommandLauncher | WarmLauncher:
    """Return the launcher for the program that the settings name.

    Args:
        settings: The settings of the experiment.
        starts: The runs that are started; the modules that their configs name are loaded once for all.
        code: The code that they are started with, to be recorded.

    Raises:
        UsageError: It is the trainer, which is not installed.
    """
    program, limits = settings.program, settings.limits
    if program.command:
        from orchestrator.launchers.command import CommandLauncher  # noqa: PLC0415 # commands only

        return CommandLauncher(program.command, limits, code, program.metrics_from_output)
    from orchestrator.launchers.warm import (  # noqa: PLC0415 # not for commands
        HYDRA,
        TRAINING_STACK,
        WarmLauncher,
        modules_named_by,
    )

    if program.entry_point:
        from orchestrator.config.hydra_app import find_app_function  # noqa: PLC0415 # not for the trainer
        from orchestrator.runner.entry_point_call import EntryPoint  # noqa: PLC0415 # as above

        patterns = program.metrics_from_output
        entry_point = EntryPoint(program.entry_point, program.arguments, metric_patterns=patterns)
        needed = HYDRA if find_app_function(program.entry_point) else ()
        modules = (*needed, *program.preload, program.entry_point)
        return WarmLauncher(entry_point, modules, limits, code)
    if not TRAINER.is_installed:
        raise UsageError(
            f"{TRAINER.request('the trainer')}; or name a program of your own in orch.command"
        )
    named = modules_named_by(decision.run.config for decision in (*starts[:1], *starts[-1:]))
    return WarmLauncher(
        modules=(*TRAINING_STACK, *named, *program.preload), limits=limits, code=code
    )
