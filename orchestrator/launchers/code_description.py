"""The description of the code and the command of an attempt, which its runner records."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.config.command_placeholders import own_parts
from orchestrator.config.concealed_arguments import arguments_without_secrets
from orchestrator.rundir.code_record import VARIABLE
from orchestrator.runner.project_files import digests_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.grid.identity import Run

_LONGEST: Final = 100_000  # of a variable; the system's limit is 131,072 bytes


@dataclass(frozen=True, slots=True)
class CodeDescription:
    """What all attempts of an ``orch run`` have in common.

    They are the commit, whether it was modified (None: unknown), the user, and the command that was typed.
    """

    commit: str = ""
    is_dirty: bool | None = None
    user: str = ""
    typed: str = ""

    def environment(
        self,
        run: Run,
        program: tuple[str, Sequence[str]],
        arguments: Sequence[str],
        run_dir: str,
        entry_point: str | None = None,
    ) -> Mapping[str, str]:
        """Return the variable that brings the description of an attempt to its runner.

        Args:
            run: The run.
            program: The setting that holds the program's arguments, and these, before their
                placeholders are replaced. A run with arguments of its own is described without.
            arguments: The arguments, as the program gets them.
            run_dir: The run directory.
            entry_point: The Python function that gets them; None: they are a command.
        """
        setting, parts = program
        function = [entry_point] if entry_point else []
        folder = os.getcwd()  # noqa: PTH109 # as a string
        is_shared = list(own_parts(run, setting, parts)) == list(parts)
        described: dict[str, object] = {
            "program": arguments_without_secrets([*function, *parts]) if is_shared else None,
            "command": arguments_without_secrets([*function, *arguments]),
            "directory": folder,
            "commit": self.commit or None,
            "dirty": self.is_dirty if self.commit else None,
            "user": self.user,
            "typed": self.typed,
            "files": {}
            if entry_point
            else digests_of(arguments, folder, run_dir, targets_in(run.config)),
        }
        told = json.dumps(described)
        if len(told) > _LONGEST:  # more than the system accepts: the commands alone fit in
            told = json.dumps(described | {"program": None, "command": None, "typed": ""})
        return {VARIABLE: told if len(told) <= _LONGEST else ""}


NO_DESCRIPTION = CodeDescription()


def targets_in(node: object) -> Iterator[str]:
    """Yield the value of every ``_target_`` in a config, at any depth."""
    if isinstance(node, Mapping):
        if isinstance(target := node.get("_target_"), str):
            yield target
        for value in node.values():
            yield from targets_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets_in(value)
