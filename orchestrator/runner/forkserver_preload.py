"""The preload of the fork server: loads what runs need, before the first fork.

An error is kept in ``FAILURE``: the server continues, so that it can be asked for it.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import traceback
from contextlib import nullcontext, suppress
from importlib import import_module
from typing import Any, Final

from orchestrator.runner import learned_modules
from orchestrator.runner.attempt_program import SIGNALS
from orchestrator.runner.entry_function import MissingFunctionError, load
from orchestrator.runner.large_pages import gather
from orchestrator.runner.process_tree import is_ending
from orchestrator.runner.project_files import note_preloaded
from orchestrator.runner.project_import_path import (
    MissingModuleError,
    find_modules_of_the_project,
    import_named,
)

# Environment variables from orch to this process; they are removed here.
MODULES: Final = "ORCH_PRELOAD"
SOCKETS: Final = "ORCH_PRELOAD_SOCKETS"  # the folder of its socket
SAFE_PATH_BEFORE: Final = "ORCH_PRELOAD_SAFE_PATH"  # the user's PYTHONSAFEPATH
OPTIONAL: Final = "?"  # prefix of a module that need not exist
LEARNED: Final = "+"  # prefix of a module that a run imported
# The file in the folder of the socket that names the modules to load after SIGUSR2; it is removed when
# they are loaded.
TO_LOAD: Final = "to-load"
# Every optimizer of PyTorch imports it (the trainer replaces it by a stub).
_WITH_OPTIMIZER: Final = "torch._dynamo"


def _load(modules: list[str]) -> str:
    find_modules_of_the_project()
    # What a module prints when it is imported goes to stderr, not between the lines of orch's output.
    os.dup2(2, 1)
    # What is loaded stays: collecting garbage would take a sixth of the time.
    gc.disable()
    learned = [each.removeprefix(LEARNED) for each in modules if each.startswith(LEARNED)]
    given = [each for each in modules if not each.startswith(LEARNED)]
    try:
        for module in given:
            # A run that needs an optional module reports its error itself; the others continue.
            with suppress(Exception) if module.startswith(OPTIONAL) else nullcontext():
                name, _, function = module.removeprefix(OPTIONAL).partition(":")
                if function:  # report a missing one once, not in every run
                    load(f"{name}:{function}")
                else:
                    import_named(name)
        if "torch" in sys.modules:
            with suppress(ImportError):
                import_module(_WITH_OPTIMIZER)
        learned_modules.load(learned)
    except MissingFunctionError as error:
        return str(error)
    except MissingModuleError as error:
        text = str(error)
        return text if text.startswith("orch.") else f"cannot load what every run needs: {text}"
    except BaseException:  # noqa: BLE001 # also what calls sys.exit
        return traceback.format_exc()
    finally:
        # A signal to the process group is meant for orch, which ends the runs in order, and then this
        # process. Blocked here, no signal is lost in a fork either, however early it comes.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    _be_ready_to_fork()
    return ""


def _be_ready_to_fork() -> None:
    note_preloaded()
    # A fork that collected garbage among these objects would copy all of their memory. There is no
    # collection before either, hence enabled last: it would take a tenth of a second, and clear
    # Python's free lists, which each fork would rebuild.
    gc.freeze()
    gc.enable()
    gather()


def _load_more(path: str) -> None:
    """Load what the first runs have imported, between two forks."""
    gc.disable()
    with suppress(OSError):
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 # as little as possible
            names = file.read().split()
        learned_modules.load(names)
        os.unlink(path)  # noqa: PTH108 # as above
    _be_ready_to_fork()


def _say_what_is_wrong(kind: type[BaseException], error: BaseException, trace: Any) -> None:  # noqa: ANN401 # the type of a hook
    """Report an exception, but not that a client disconnected before it sent its request."""
    if not issubclass(kind, (EOFError, ConnectionError)):
        sys.__excepthook__(kind, error, trace)


def _read_orders() -> list[str] | None:
    """Remove the variables of orch from the environment; return the modules to load, if any are set."""
    modules, sockets = os.environ.pop(MODULES, None), os.environ.pop(SOCKETS, None)
    safe_path = os.environ.pop(SAFE_PATH_BEFORE, None)
    if safe_path is not None:
        os.environ.pop("PYTHONSAFEPATH", None)
        os.environ.update({"PYTHONSAFEPATH": safe_path} if safe_path else {})
    if sockets:
        signal.signal(signal.SIGUSR2, lambda *_: _load_more(f"{sockets}/{TO_LOAD}"))
        atexit.register(_remove_sockets, sockets, os.getppid())
    return None if modules is None else modules.split(",")


def _remove_sockets(folder: str, orch: int) -> None:
    """Remove the folder of the socket if orch, which would do that, was killed."""
    if os.getppid() == orch and not is_ending(orch):
        return
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 # as little as possible at the end of a process
            if name.startswith("listener-") or name == TO_LOAD:
                os.unlink(f"{folder}/{name}")  # noqa: PTH108
        os.rmdir(folder)  # noqa: PTH106


_ORDERS: Final = _read_orders()
if _ORDERS is not None:
    sys.excepthook = _say_what_is_wrong
FAILURE: Final = "" if _ORDERS is None else _load(_ORDERS)
