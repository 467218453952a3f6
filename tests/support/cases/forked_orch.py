"""``orch`` in a fork of this process, which has imported it: what it does, without what it takes to start."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

# What a command imports only when it is needed: here once for all forks.
import orchestrator.cli.commands.plan
import orchestrator.cli.commands.results
import orchestrator.cli.commands.run
import orchestrator.cli.commands.show
import orchestrator.cli.commands.status  # noqa: F401
from orchestrator.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORCH = str(Path(sys.executable).with_name("orch"))
_TESTS = str(Path(__file__).parents[2])


def run_orch(
    *arguments: str, folder: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``orch`` in a folder to its end, as ``subprocess.run`` does: what it started may live on.

    The process is a real one, with a pid, signals and an exit code of its own. How ``orch`` starts
    is not tested by it.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        pid = os.fork()
        if pid == 0:
            _be_orch(arguments, folder, env, (output.fileno(), errors.fileno()))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        output.seek(0)
        errors.seek(0)
        said, complained = output.read().decode(), errors.read().decode()
    return subprocess.CompletedProcess([_ORCH, *arguments], code, said, complained)


def _be_orch(
    arguments: tuple[str, ...],
    folder: Path,
    env: Mapping[str, str] | None,
    descriptors: tuple[int, int],
) -> NoReturn:
    """Be ``orch`` in a fork, without what pytest and earlier tests have left in this process."""
    code = 70
    try:
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 # no file on a disk
            os.dup2(nothing.fileno(), 0)
        for number, descriptor in enumerate(descriptors, 1):
            os.dup2(descriptor, number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, encoding="utf-8", closefd=False)
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        os.chdir(folder)
        sys.path = [path for path in sys.path if not path.startswith(_TESTS)]
        sys.argv = [_ORCH, *arguments]
        sys.modules["__main__"] = ModuleType("__main__")
        logging.root.handlers.clear()
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        for theirs in (forkserver._forkserver, resource_tracker._resource_tracker):
            theirs.__init__()  # type: ignore[misc] # a fork has no servers yet
        main.main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 # as Python ends
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
