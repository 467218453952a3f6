"""Loads what runs will need, in the process that forks them; imported there before the first fork.

What goes wrong is kept for whoever asks: the process itself goes on, and can say what it was.
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

from orchestrator.runner.attempt_program import SIGNALS
from orchestrator.runner.entry_point import find_modules_of_the_project, load
from orchestrator.runner.large_pages import gather

# What orch tells this process in its environment, and nobody else: it is removed here.
MODULES: Final = "ORCH_PRELOAD"
SOCKETS: Final = "ORCH_PRELOAD_SOCKETS"  # the folder of its socket, which nobody uses after us
SAFE_PATH_BEFORE: Final = "ORCH_PRELOAD_SAFE_PATH"  # what the user has in PYTHONSAFEPATH
OPTIONAL: Final = "?"  # before the name of a module that need not be there

# What PyTorch imports with the first optimizer (our trainer has a stand-in for it) and its first
# step, and NumPy with its first random number.
_LOADED_AT_FIRST_USE: Final = ("torch._dynamo", "torch.profiler._cupti_monitor", "numpy.random")


def _load(modules: list[str]) -> str:
    find_modules_of_the_project()
    # What a module prints when it is imported must not get between the lines of our output.
    os.dup2(2, 1)
    # What is loaded stays: looking through it for garbage takes a sixth of the time.
    gc.disable()
    try:
        for module in modules:
            # A run that wants an optional one says itself what is wrong with it; the others go on.
            with suppress(Exception) if module.startswith(OPTIONAL) else nullcontext():
                name, _, function = module.removeprefix(OPTIONAL).partition(":")
                if function:  # one that is not there is told once, not by every run
                    load(f"{name}:{function}")
                else:
                    import_module(name)
        for module in _LOADED_AT_FIRST_USE:
            if module.partition(".")[0] in sys.modules:
                with suppress(ImportError):  # of another version
                    import_module(module)
    except BaseException:  # noqa: BLE001 # also what calls sys.exit
        return traceback.format_exc()
    finally:
        gc.enable()  # for what is made from now on
    # A fork that looked for garbage in what is here would copy all of its memory. None is looked for
    # before either: Python would give up its free lists, and each fork make them anew.
    gc.freeze()
    gather()
    # Who ends the group means the orchestrator, which ends the runs in good order, and then us. Held
    # back here, no request is lost in a fork either, however early it comes.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    return ""


def _say_what_is_wrong(kind: type[BaseException], error: BaseException, trace: Any) -> None:  # noqa: ANN401 # the type of a hook
    """Say nothing of a caller that was gone before it had said what it wanted: nobody listens."""
    if not issubclass(kind, (EOFError, ConnectionError)):
        sys.__excepthook__(kind, error, trace)


def _read_orders() -> list[str] | None:
    """Take our own variables out of the environment, and return what to load, if that was asked for."""
    modules, sockets = os.environ.pop(MODULES, None), os.environ.pop(SOCKETS, None)
    safe_path = os.environ.pop(SAFE_PATH_BEFORE, None)
    if safe_path is not None:
        os.environ.pop("PYTHONSAFEPATH", None)
        os.environ.update({"PYTHONSAFEPATH": safe_path} if safe_path else {})
    if sockets:
        atexit.register(_remove_sockets, sockets, os.getppid())
    return None if modules is None else modules.split(",")


def _remove_sockets(folder: str, orch: int) -> None:
    """Remove the folder of our socket: orch does that itself, unless it was killed."""
    if os.getppid() == orch:
        return
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 # as little as possible at the end of a process
            if name.startswith("listener-"):
                os.unlink(f"{folder}/{name}")  # noqa: PTH108
        os.rmdir(folder)  # noqa: PTH106


_ORDERS: Final = _read_orders()
if _ORDERS is not None:
    sys.excepthook = _say_what_is_wrong
FAILURE: Final = "" if _ORDERS is None else _load(_ORDERS)
