"""Programs die in every way that Linux, Python, and what starts Python know: class and reason are right.

The table says beforehand what is to be recorded of each; then all of them are run as one grid.
"""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CONFIG = """\
results_dir: results
experiment_id: deaths
case: none
orch:
  tracking: {enabled: false}
  retries: 0
  entry_point: deaths:main
  arguments: ["{case}"]
"""
# Becomes the program, with the signals as a shell would start it.
MAIN = """\
import json, os, pathlib, signal, sys
def main():
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    command = json.loads(pathlib.Path("cases.json").read_text())[sys.argv[1]]
    if command[0] == "function":
        exec(command[1])
    os.execvp(command[0], command)
"""


@dataclass(frozen=True)
class Death:
    """A program, and what is to be said of its end: the class, and the reason as a pattern."""

    command: tuple[str, ...]
    kind: str
    reason: str


def sh(script: str, kind: str, reason: str) -> Death:
    return Death(("sh", "-c", script), kind, reason)


def py(script: str, kind: str, reason: str) -> Death:
    return Death((sys.executable, "-I", "-S", "-c", script), kind, reason)


def says(text: str, code: int, kind: str, reason: str) -> Death:
    """Return a stand-in that says what was recorded of a program, and ends with its code."""
    end = f"os.kill(os.getpid(), {-code})" if code < 0 else f"sys.exit({code})"
    return py(
        f"import os, sys; sys.stderr.write({text!r}); sys.stderr.flush(); {end}", kind, reason
    )


def exact(text: str) -> str:
    return re.escape(text)


# Those that end nothing, or only stop a process, are left out; 32 and 33 are the C library's.
QUIET = {"SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH"}
DEADLY = [each for each in signal.Signals if each.name not in QUIET and each < 32]
BY_SHELLS = {
    132: "SIGILL",
    134: "SIGABRT",
    135: "SIGBUS",
    136: "SIGFPE",
    137: "SIGKILL",
    139: "SIGSEGV",
}
ASKING = {129: "SIGHUP", 130: "SIGINT", 143: "SIGTERM"}
CODES = (*range(1, 6), 7, 42, 64, 77, 99, 113, 126, 127, 128, 131, 133, 141, 152, 200, 254, 255)


def of_linux() -> dict[str, Death]:
    """Return deaths by a signal, or with an exit code and no word."""
    found = {
        f"signal {each.name}": sh(f"kill -{each.value} $$", "killed", exact(f"by {each.name}"))
        for each in DEADLY
    }
    found |= {
        f"signal {n}": sh(
            f"kill -{n} $$",
            "killed",
            f"by ({signal.Signals(n).name if n in (34, 64) else f'signal {n}'})",
        )
        for n in (34, 35, 50, 64)
    }
    found |= {
        f"code {n}": sh(f"exit {n}", "error", exact(f"exit code {n}, and no output")) for n in CODES
    }
    found |= {f"code {n}": sh(f"exit {n}", "killed", f"by {name}") for n, name in BY_SHELLS.items()}
    found |= {
        f"code {n}": sh(
            f"exit {n}", "error", exact(f"exit code {n} (a shell's code for {name}), and no output")
        )
        for n, name in ASKING.items()
    }
    return found | {
        "code with a line": sh("echo epoch 3; exit 7", "error", "exit code 7: epoch 3"),
        "trap that ends its group": sh("trap 'kill 0' EXIT; echo work is done", "killed", "by SIGTERM"),
        "shell whose child is killed": sh("sh -c 'kill -9 $$'; exit $?", "killed", "by SIGKILL"),
        "shell that tells of it": says("Killed\n", 1, "killed", "by SIGKILL"),
        "bash that tells of it": says(
            "run.sh: line 3: 4711 Segmentation fault      (core dumped) ./train\n", 1, "killed", "by SIGSEGV"
        ),
        "program that is not there": sh("no-such-program", "error", "exit code 127: .*no-such-program.*not found"),
        "file that cannot be run": sh("/etc/passwd", "error", "exit code 126: .*[Pp]ermission denied"),
        "C++ without memory": says(
            "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
            -6, "out-of-memory", exact("std::bad_alloc (by SIGABRT)"),
        ),
        "C++ with an error": says(
            "terminate called after throwing an instance of 'std::runtime_error'\n  what():  no such layer\n",
            -6, "killed", "by SIGABRT, no such layer",
        ),
        "Rust": says(
            "thread 'main' panicked at src/main.rs:2:5:\nno such layer\n"
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
            101, "error", "exit code 101: no such layer",
        ),
        "make": says("ValueError: lr\nmake: *** [Makefile:2: all] Error 1\n", 2, "error", "ValueError: lr"),
    }  # fmt: skip


SPECIAL = {
    "MemoryError": ("out-of-memory", "MemoryError: told"),
    "FloatingPointError": ("diverged", "FloatingPointError: told"),
    "KeyboardInterrupt": ("killed", "by SIGINT.*"),
    "SystemExit": ("error", "told"),
    "GeneratorExit": ("error", "GeneratorExit: told"),
    "KeyError": ("error", "KeyError: 'told'"),
}
MANY_ARGUMENTS = {
    "UnicodeDecodeError": "('utf-8', b'x', 0, 1, 'told')",
    "UnicodeEncodeError": "('utf-8', 'x', 0, 1, 'told')",
    "UnicodeTranslateError": "('x', 0, 1, 'told')",
}
TOLD = "('told')"
GROUPS = {"BaseExceptionGroup", "ExceptionGroup"}


def builtin_exceptions() -> list[str]:
    import builtins  # noqa: PLC0415 # only their names are wanted

    found = (
        name
        for name, each in vars(builtins).items()
        if isinstance(each, type) and issubclass(each, BaseException)
    )
    names = {getattr(builtins, name).__name__ for name in found}
    return sorted(names - GROUPS - {"_IncompleteInputError", "PythonFinalizationError"})


def of_python() -> dict[str, Death]:
    """Return deaths by each exception that Python has, and by groups and chains of them."""
    found = {}
    for name in builtin_exceptions():
        kind, reason = SPECIAL.get(name, ("error", f"{name}: .*told.*"))
        found[f"raise {name}"] = py(f"raise {name}{MANY_ARGUMENTS.get(name, TOLD)}", kind, reason)
    errors = {
        28: "disk-full",
        122: "disk-full",
        12: "out-of-memory",
        5: "error",
        13: "error",
        27: "error",
    }
    for number, kind in errors.items():
        script = f"import os; raise OSError({number}, os.strerror({number}), 'a.pt')"
        found[f"errno {number}"] = py(script, kind, rf"\w+Error: \[Errno {number}\] .*: 'a.pt'")
    return found | {
        "class of the user": py("class Boom(Exception): pass\nraise Boom('told')", "error", r"(__main__\.)?Boom: told"),
        "no message": py("raise ValueError", "error", "ValueError"),
        "several lines": py("raise ValueError('one\\ntwo\\nthree')", "error", "ValueError: one"),
        "notes": py("e = ValueError('told'); e.add_note('KeyError: a note'); raise e", "error", "ValueError: told"),
        "syntax": py("eval('(')", "error", "SyntaxError: .*"),
        "syntax of the program itself": py("def f(:", "error", "SyntaxError: .*"),
        "recursion": py("def f(): f()\nf()", "error", "RecursionError: .*"),
        "assertion": py("assert 1 == 2, 'told'", "error", "AssertionError: told"),
        "exit with a text": py("import sys; sys.exit('told')", "error", "told"),
        "exit with a number": py("import sys; print('epoch 3'); sys.exit(3)", "error", "exit code 3: epoch 3"),
        "_exit": py("import os; os._exit(1)", "error", "exit code 1, and no output"),
        "abort": py("import os; os.abort()", "killed", "by SIGABRT"),
        "abort of a watched one": py(
            "import faulthandler, os; faulthandler.enable(); os.abort()", "killed", "by SIGABRT.*"
        ),
        "group": py("raise ExceptionGroup('many', [ValueError('a'), TypeError('b')])", "error",
                    exact("ValueError: a (and 1 more)")),
        "group of one": py("raise ExceptionGroup('many', [ValueError('a')])", "error", "ValueError: a"),
        "group of groups": py(
            "raise ExceptionGroup('x', [ExceptionGroup('y', [OSError(28, 'No space left on device')]), KeyError(1),"
            " ValueError('c')])", "disk-full", exact("OSError: [Errno 28] No space left on device (and 2 more)")),
        "group of raised ones": py(
            "def f():\n    try: raise ValueError('a')\n    except ValueError as e: return e\n"
            "raise ExceptionGroup('many', [f(), f(), f()])", "error", exact("ValueError: a (and 2 more)")),
        "group of a chain": py(
            "def f():\n    try:\n        try: 1 / 0\n        except ZeroDivisionError as e: raise OSError(28, 'No space left on"
            " device') from e\n    except OSError as e: return e\nraise ExceptionGroup('many', [f(), ValueError('b')])",
            "disk-full", exact("OSError: [Errno 28] No space left on device (and 1 more)")),
        "group from a group": py(
            "try: raise ExceptionGroup('in', [MemoryError('big'), KeyError(1)])\n"
            "except ExceptionGroup as e: raise ExceptionGroup('out', [ValueError('told')]) from e", "out-of-memory",
            exact("ValueError: told, from MemoryError: big (and 1 more)")),
        "group without memory": py("raise BaseExceptionGroup('m', [MemoryError('told')])", "out-of-memory",
                                   "MemoryError: told"),
        "chain": py("try: 1 / 0\nexcept ZeroDivisionError: raise ValueError('told')", "error", "ValueError: told"),
        "chain from": py("try: 1 / 0\nexcept ZeroDivisionError as e: raise ValueError('told') from e", "error",
                         "ValueError: told"),
        "chain from no memory": py("try: raise MemoryError('big')\nexcept MemoryError as e: raise ValueError('told') from e",
                                   "out-of-memory", "ValueError: told, from MemoryError: big"),
        "chain to no memory": py("try: 1 / 0\nexcept ZeroDivisionError: raise MemoryError('told')", "out-of-memory",
                                 "MemoryError: told"),
        "caught": py("import sys, traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc()\nsys.exit(3)",
                     "error", "ZeroDivisionError: division by zero"),
        "caught, and another code": py(
            "import sys, traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc()\nprint('no license')\n"
            "sys.exit(3)", "error", "exit code 3: no license"),
        "caught long before": py(
            "import sys, traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc()\n"
            "for n in range(30): print('epoch', n, file=sys.stderr)\nsys.exit('no license')", "error", "no license"),
        "caught, and a last word": py(
            "import sys, traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc()\n"
            "sys.exit('train: error: no license')", "error", "train: error: no license"),
        "thread alone": py(
            "import threading, sys\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\nsys.exit(1)",
            "error", "ZeroDivisionError: division by zero"),
        "child process": py(
            "import multiprocessing as m, sys\ndef f(): raise ValueError('told')\np = m.get_context('fork').Process(target=f)\n"
            "p.start(); p.join(); sys.exit(p.exitcode)", "error", "ValueError: told"),
        "pool": py(
            "import multiprocessing as m\ndef f(x): raise ValueError('told')\n"
            "with m.get_context('fork').Pool(1) as p: p.map(f, [1])", "error", "ValueError: told"),
        "subprocess that is killed": py(
            "import subprocess; subprocess.run(['sh', '-c', 'kill -9 $$'], check=True)", "killed", "by SIGKILL, .*"),
        "subprocess that says why": py(
            "import subprocess; subprocess.run(['sh', '-c', 'echo KeyError: told; exit 1'], check=True)", "error",
            "KeyError: told"),
        "subprocess without a word": py(
            "import subprocess; subprocess.run(['false'], check=True)", "error", ".*CalledProcessError: .*exit status 1."),
        "named class": says("diverged: the loss is nan\n", 1, "diverged", "the loss is nan"),
        "task": py(
            "import asyncio\nasync def f(): raise ValueError('told')\nasyncio.run(f())", "error", "ValueError: told"),
    }  # fmt: skip


BASES = {
    "ValueError": ("raise ValueError('told')", "error", "ValueError: told"),
    "MemoryError": ("raise MemoryError('told')", "out-of-memory", "MemoryError: told"),
    "disk": ("raise OSError(28, 'No space left on device')", "disk-full", r"OSError: \[Errno 28\] No space.*"),
    "card": (
        ("class OutOfMemoryError(RuntimeError): pass\n"
        "raise OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')"),
        "out-of-memory", ".*CUDA out of memory.*",
    ),
    "exit": ("sys.exit('no license')", "error", "no license"),
}  # fmt: skip
NOISES = {
    "__del__": "class L:\n    def __del__(self): raise AttributeError('late')\nkeep = L()",
    "__del__ of a loop": "class L:\n    def __init__(self): self.me = self\n    def __del__(self): {}['late']\nL()",
    "atexit": "import atexit\ndef late(): raise KeyError('late')\natexit.register(late)",
    "atexit twice": "import atexit\ndef late(): raise OSError(28, 'late')\natexit.register(late); atexit.register(late)",
    "thread": "import threading\nt = threading.Thread(target=lambda: [][1])\nt.start(); t.join()",
    "logging": "import logging\nlogging.error('%d', 'late')",
    "warning": "import atexit, warnings\natexit.register(lambda: warnings.warn('MemoryError: late'))",
    "chain in __del__": "class L:\n    def __del__(self):\n        try: {}[1]\n        except KeyError: raise OSError('late')\n"
    "keep = L()",
}  # fmt: skip


def of_noise() -> dict[str, Death]:
    """Return deaths behind which, or before which, errors are told that end nothing."""
    return {
        f"{name} with {noise}": py(f"import sys\n{before}\n{end}", kind, reason)
        for name, (end, kind, reason) in BASES.items()
        for noise, before in NOISES.items()
    }


TRACEBACK = (
    'Traceback (most recent call last):\n  File "train.py", line 9, in <module>\n    main()\n'
)
RANKED = "".join(f"[rank1]: {line}\n" for line in (*TRACEBACK.splitlines(), "ValueError: told"))
TORCHRUN = (
    "W1128 20:00:00.000000 4711 torch/distributed/elastic/multiprocessing/api.py:908] Sending process 4712 closing"
    " signal SIGTERM\n"
    "E1128 20:00:00.000000 4711 torch/distributed/elastic/multiprocessing/api.py:882] failed (exitcode: {code})"
    " local_rank: 1 (pid: 4713) of binary: /usr/bin/python\n"
    + TRACEBACK.replace("train.py", "/usr/bin/torchrun")
    + ""
    "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n"
    "============================================================\ntrain.py FAILED\n"
    "------------------------------------------------------------\nFailures:\n  <NO_OTHER_FAILURES>\n"
    "------------------------------------------------------------\nRoot Cause (first observed failure):\n[0]:\n"
    "  time      : 2026-11-28_20:00:00\n  host      : box\n  rank      : 1 (local_rank: 1)\n"
    "  exitcode  : {code} (pid: 4713)\n  error_file: <N/A>\n  traceback : {told}\n"
    "============================================================\n"
)
ABORTED = "terminate called after throwing an instance of"
DIRECT = "The above exception was the direct cause of the following exception:"
ASK = "To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html"
HYDRA = "\nSet the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.\n"
ELASTIC = "torch.distributed.elastic.multiprocessing.api."
SPAWN = "torch.multiprocessing.spawn."


def of_wrappers() -> dict[str, Death]:
    """Return deaths told by what started the program: their last lines are about themselves."""
    return {
        **{
            f"torchrun, {name}": says(
                "Epoch 1\n" + TORCHRUN.format(code=-code, told=f"Signal {code} ({name}) received by PID 4713"),
                1, "killed", f"by {name}",
            )
            for name, code in (("SIGKILL", 9), ("SIGSEGV", 11), ("SIGABRT", 6), ("SIGTERM", 15), ("SIGBUS", 7))
        },
        "torchrun, error": says(TRACEBACK + "ValueError: told\n" + TORCHRUN.format(code=1, told=ASK), 1, "error",
                                "ValueError: told"),
        "torchrun, error of a rank": says(
            RANKED + RANKED.replace("rank1", "rank0").replace("ValueError: told", "DistBackendError: closed")
            + TORCHRUN.format(code=1, told=ASK), 1, "error", "ValueError: told"),
        "torchrun, card": says(
            TRACEBACK + "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n"
            + TORCHRUN.format(code=1, told=ASK), 1, "out-of-memory", "torch.OutOfMemoryError: CUDA out of memory.*"),
        "torchrun, disk": says(TRACEBACK + "OSError: [Errno 28] No space left on device\n"
                               + TORCHRUN.format(code=1, told=ASK), 1, "disk-full", "OSError: .*No space.*"),
        "torchrun, stopped": says(TRACEBACK + f"{ELASTIC}SignalException: Process 4711 got signal: 15\n", 1, "killed",
                                  "by SIGTERM.*"),
        "torchrun, code 3 without a word": says(TORCHRUN.format(code=3, told=ASK), 1, "error",
                                                "rank 1 ended with exit code 3, and no output"),
        "Hydra, error": says(
            f"Error executing job with overrides: ['x=1']\n{TRACEBACK}ValueError: told\n{HYDRA}", 1, "error",
            "ValueError: told"),
        "Hydra, card": says(
            f"Error executing job with overrides: []\n{TRACEBACK}torch.OutOfMemoryError: CUDA out of memory.\n{HYDRA}",
            1, "out-of-memory", "torch.OutOfMemoryError: CUDA out of memory."),
        "Hydra, unknown key": says(
            "Could not override 'y'.\nTo append to your config use +y=1\nKey 'y' is not in struct\n    full_key: y\n"
            f"    object_type=dict\n{HYDRA}", 1, "error", exact("Could not override 'y'.")),
        "Hydra, no such choice": says(
            "In 'config': Could not find 'db/oracle'\n\nAvailable options in 'db':\n\tmysql\nConfig search path:\n"
            f"\tprovider=main, path=file:///conf\n{HYDRA}", 1, "error", "In 'config': Could not find 'db/oracle'"),
        "Hydra, no choice": says(f"You must specify 'db', e.g, db=<OPTION>\nAvailable options:\n\tmysql\n{HYDRA}", 1,
                                 "error", "You must specify 'db', e.g, db=<OPTION>"),
        "Hydra, no config": says(
            "Cannot find primary config 'config'. Check that it's in your config search path.\n\nConfig search path:\n"
            f"\tprovider=hydra, path=pkg://hydra.conf\n{HYDRA}", 1, "error", "Cannot find primary config 'config'.*"),
        "Hydra, grammar": says(f"mismatched input '<EOF>' expecting ID\nSee https://hydra.cc\n{HYDRA}", 1, "error",
                               "mismatched input.*"),
        "Hydra, target": says(
            f"Error executing job with overrides: []\n{TRACEBACK}hydra.errors.InstantiationException: Error in call to"
            f" target 'm.f':\nOutOfMemoryError('CUDA out of memory.')\nfull_key: model\n{HYDRA}", 1, "out-of-memory",
            ".*Error in call to target 'm.f': OutOfMemoryError.*"),
        "Hydra, killed later": says(f"Error executing job\n{HYDRA}", -9, "killed", "by SIGKILL"),
        "Lightning, bar left": says(
            f"Epoch 0:  10%|#         | 1/10\r{TRACEBACK}ValueError: told\nEpoch 0:  10%|#         | 1/10 [00:00<00:01]\n",
            1, "error", "ValueError: told"),
        "Lightning, child": says(
            f"{TRACEBACK}ValueError: told\n[rank: 0] Child process with PID 4712 terminated with code 1. Forcefully"
            " terminating all other processes to avoid zombies\n", -9, "error", "ValueError: told"),
        "Lightning, killed child": says(
            "[rank: 0] Child process with PID 4712 terminated with code -9. Forcefully terminating all other processes"
            " to avoid zombies\n", -9, "killed", "by SIGKILL"),
        "Lightning, stopped": says(
            f"[rank: 0] Received SIGTERM: 15\n{TRACEBACK}lightning.fabric.utilities.exceptions.SIGTERMException\n", 1,
            "killed", "by SIGTERM.*"),
        "spawn": says(
            f"{TRACEBACK}{SPAWN}ProcessRaisedException: \n\n-- Process 0 terminated with the following error:\n{TRACEBACK}"
            "ValueError: told\n\n", 1, "error", "ValueError: told"),
        "spawn, killed": says(f"{TRACEBACK}{SPAWN}ProcessExitedException: process 0 terminated with signal SIGKILL\n", 1,
                              "killed", "by SIGKILL.*"),
        "loader": says(
            f"{TRACEBACK}RuntimeError: Caught ValueError in DataLoader worker process 0.\nOriginal {TRACEBACK}"
            "ValueError: told\n\n", 1, "error", "ValueError: told"),
        "loader, killed": says(f"{TRACEBACK}RuntimeError: DataLoader worker (pid 4712) is killed by signal: Killed. \n",
                               1, "killed", "by SIGKILL, .*DataLoader worker.*"),
        "loader, bus": says(
            f"{TRACEBACK}RuntimeError: DataLoader worker (pid 4712) is killed by signal: Bus error. It is possible that"
            " dataloader's workers are out of shared memory.\n", 1, "killed", "by SIGBUS, .*shared memory.*"),
        "accelerate": says(
            f"{TRACEBACK}ValueError: told\n{TRACEBACK}subprocess.CalledProcessError: Command '['python', 'train.py']'"
            " returned non-zero exit status 1.\n", 1, "error", "ValueError: told"),
        "accelerate, killed": says(
            f"epoch 1\n{TRACEBACK}subprocess.CalledProcessError: Command '['python']' died with <Signals.SIGKILL: 9>.\n",
            1, "killed", "by SIGKILL.*"),
        "conda": says(
            f"{TRACEBACK}ValueError: told\n\nERROR conda.cli.main_run:execute(49): `conda run python` failed. (See above"
            " for error)\n", 1, "error", "ValueError: told"),
        "srun": says(f"{TRACEBACK}ValueError: told\nsrun: error: node1: task 0: Exited with exit code 1\n", 1, "error",
                     "ValueError: told"),
        "just": says(f"{TRACEBACK}ValueError: told\nerror: Recipe `train` failed on line 3 with exit code 1\n", 1,
                     "error", "ValueError: told"),
        "just, without a word": says("error: Recipe `train` failed on line 3 with exit code 1\n", 1, "error",
                                     "error: Recipe `train` failed on line 3 with exit code 1"),
        "cargo": says("error: process didn't exit successfully: `train` (exit status: 3)\n", 3, "error",
                      "exit code 3: error: process didn't exit.*"),
        "DVC": says(
            f"{TRACEBACK}torch.OutOfMemoryError: CUDA out of memory.\nERROR: failed to reproduce 'train': failed to run:"
            " python train.py, exited with 1\n", 1, "out-of-memory", "torch.OutOfMemoryError: CUDA out of memory."),
        "timeout": sh("timeout 0.01 sleep 9", "error", exact(
            "exit code 124 (that of the command timeout at its limit), and no output")),
        "timeout that kills": sh("timeout -s KILL 0.01 sleep 9", "killed", "by SIGKILL"),
        "timeout that kills in the end": sh(
            "timeout -k 0.01 0.01 sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'", "killed", "by SIGKILL"),
        "timeout of a killed one": sh("timeout 99 sh -c 'kill -SEGV $$'", "killed", "by SIGSEGV"),
        "nice, killed": sh("nice -n 1 sh -c 'kill -9 $$'; exit $?", "killed", "by SIGKILL"),
        "env, killed": sh("env LR=1 sh -c 'kill -9 $$'", "killed", "by SIGKILL"),
        "stdbuf, error": sh(f"stdbuf -oL {sys.executable} -I -S -c '1 / 0'", "error", "ZeroDivisionError: .*"),
        "stdbuf, killed": sh("stdbuf -oL sh -c 'echo epoch 3; kill -9 $$'", "killed", "by SIGKILL"),
        "env, program that is not there": sh("env no-such-program", "error", "exit code 127: env: .*no-such-program.*"),
        "nohup, killed": sh("nohup sh -c 'kill -9 $$'", "killed", "by SIGKILL"),
        "time of bash": Death(("bash", "-c", "time sh -c 'kill -9 $$'"), "killed", "by SIGKILL"),
        "loader, null pointer": says(  # as PyTorch prints it
            f"ERROR: Unexpected segmentation fault encountered in worker.\n\0{TRACEBACK}RuntimeError: DataLoader worker (pid"
            f" 4712) is killed by signal: Segmentation fault. \n\n{DIRECT}\n\n{TRACEBACK}RuntimeError: DataLoader worker"
            " (pid(s) 4712) exited unexpectedly\n", 1, "killed", "by SIGSEGV, .*DataLoader worker.*"),
        "spawned without a guard": says(
            f"{TRACEBACK}RuntimeError: \n        An attempt has been made to start a new process before the\n        current"
            f" process has finished its bootstrapping phase.\n\n{TRACEBACK}RuntimeError: DataLoader worker (pid 4712)"
            f" exited unexpectedly with exit code 1. Details are lost.\n\n{DIRECT}\n\n{TRACEBACK}RuntimeError: DataLoader"
            " worker (pid(s) 4712) exited unexpectedly\n", 1, "error",
            "RuntimeError: An attempt has been made to start a new process before the"),
        "pool without a guard": says(
            f"{TRACEBACK}MemoryError: told\n{TRACEBACK}concurrent.futures.process.BrokenProcessPool: A process in the"
            " process pool was terminated abruptly while the future was running or pending.\n", 1, "out-of-memory",
            "MemoryError: told"),
        "loader, exit code": says(
            f"{TRACEBACK}RuntimeError: DataLoader worker (pid 4712) exited unexpectedly with exit code 3. Details are"
            f" lost.\n\n{DIRECT}\n\n{TRACEBACK}RuntimeError: DataLoader worker (pid(s) 4712) exited unexpectedly\n", 1,
            "error", ".*DataLoader worker .pid 4712. exited unexpectedly with exit code 3. Details are lost."),
        "loader, killed, and its parent": says(
            f"{TRACEBACK}RuntimeError: DataLoader worker (pid 4712) is killed by signal: Killed. \n\n{DIRECT}\n\n{TRACEBACK}"
            "RuntimeError: DataLoader worker (pid(s) 4712) exited unexpectedly\n", 1, "killed", "by SIGKILL, .*"),
        "card, and a crash of its driver": says(
            f"{TRACEBACK}torch.OutOfMemoryError: CUDA out of memory.\n{ABORTED} 'c10::Error'\n"
            "  what():  CUDA error: driver shutting down\n", -6, "out-of-memory",
            exact("torch.OutOfMemoryError: CUDA out of memory. (by SIGABRT)")),
        "disk, and a crash": says(f"{TRACEBACK}OSError: [Errno 28] No space left on device\n", -11, "disk-full",
                                  ".*No space left on device .by SIGSEGV."),
        "error, and a crash": says(f"{TRACEBACK}ValueError: told\n", -11, "killed", "by SIGSEGV, ValueError: told"),
        "Typer": says(
            "Usage: train [OPTIONS]\nTry 'train --help' for help.\n╭─ Error ────────────────────╮\n"
            "│ No such option: --nope     │\n╰────────────────────────────╯\n", 2, "error",
            "exit code 2: No such option: --nope"),
        "absl": says(
            "FATAL Flags parsing error: Unknown command line flag 'nope'\nPass --helpshort or --helpfull to see help on"
            " flags.\n", 1, "error", "FATAL Flags parsing error: Unknown command line flag 'nope'"),
        "loguru": says(
            "2026-11-28 20:00:00.000 | ERROR    | __main__:<module>:3 - An error has been caught\nTraceback (most recent"
            ' call last):\n\n> File "t.py", line 3, in <module>\n    f()\n    └ <function f>\n\n  File "t.py", line 2, in f\n'
            "    1/0\n\nZeroDivisionError: division by zero\n", 1, "error", "ZeroDivisionError: division by zero"),
        "Ray": says(
            f'{TRACEBACK}ray.exceptions.RayTaskError(ValueError): ray::f() (pid=1, ip=10.0.0.1)\n  File "t.py", line 2, in'
            " f\n    raise ValueError('told')\nValueError: told\n", 1, "error", "ValueError: told"),
        "links of rich": says(
            "╭───── Traceback (most recent call last) ─────╮\n│ \x1b]8;id=1;file:///t.py\x1b\\t.py\x1b]8;;\x1b\\:3 │\n╰──────╯\n"
            "\x1b]8;;\x1b\\ValueError: told\n", 1, "error", "ValueError: told"),
        "leaked semaphores": says(
            "no license\n/usr/lib/python3/multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker: There"
            " appear to be 6 leaked semaphore objects\n  warnings.warn('resource_tracker: There appear')\n", 1, "error",
            "no license"),
        "rich": says(
            "╭───────────── Traceback (most recent call last) ──────────────╮\n│ train.py:9 in <module>       │\n"
            "╰──────────────────────────────────────────────────────────────╯\nValueError: told\n", 1, "error",
            "ValueError: told"),
        "colours": says(f"\x1b[31m{TRACEBACK}\x1b[1mValueError\x1b[0m: told\n", 1, "error", "ValueError: told"),
        "lines of Windows": says(f"{TRACEBACK}ValueError: told\n".replace("\n", "\r\n"), 1, "error", "ValueError: told"),
        "traceback that is cut": says(
            "    deep()\n" + '  File "train.py", line 9, in deep\n    deep()\n' * 3 + "ValueError: told\nlate line\n", 1,
            "error", "ValueError: told"),
    }  # fmt: skip


ELSEWHERE = 'Traceback (most recent call last):\n    File "train.py", line 9, in main\n      f()\n  ValueError: told'
GETATTR = "class A:\n    def __getattr__(self, name): return getattr(self, name)"


def of_causes() -> dict[str, Death]:
    """Return deaths by what kills programs: limits, devices, memory, children, and other programs."""
    return {
        # the kernel
        "null pointer": py("import ctypes; ctypes.string_at(0)", "killed", "by SIGSEGV"),
        "null pointer of a watched one": py(
            "import ctypes, faulthandler; faulthandler.enable(); ctypes.string_at(0)", "killed", "by SIGSEGV.*"),
        "stack of C": py(
            f"import sys, threading\n{GETATTR}\nsys.setrecursionlimit(10**6); threading.stack_size(1 << 16)\n"
            "t = threading.Thread(target=lambda: A().x); t.start(); t.join()", "killed", "by SIGSEGV"),
        "mapped file that shrinks": py(
            "import mmap, os, tempfile\nf = tempfile.TemporaryFile(); f.write(bytes(9999)); f.flush()\n"
            "m = mmap.mmap(f.fileno(), 9999); os.ftruncate(f.fileno(), 0); m[5000]", "killed", "by SIGBUS"),
        "time of the processor": py(
            "import resource as r; r.setrlimit(r.RLIMIT_CPU, (1, 9))\nwhile True: pass", "killed", "by SIGXCPU"),
        "size of a file": py(
            "import resource as r, tempfile; r.setrlimit(r.RLIMIT_FSIZE, (9, 9))\n"
            "with tempfile.TemporaryFile() as f: f.write(bytes(99))", "error", r"OSError: \[Errno 27\] File too large"),
        "size of a file of a C program": sh(
            "ulimit -f 1; cd $(mktemp -d); cat /dev/zero > f; code=$?; rm -r $PWD; exit $code", "killed", "by SIGXFSZ"),
        "address space": py(
            "import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 28,) * 2); bytes(1 << 30)", "out-of-memory",
            "MemoryError"),
        "descriptors": py(
            "import os, resource as r; r.setrlimit(r.RLIMIT_NOFILE, (9, 9))\nwhile True: os.dup(1)", "error",
            r"OSError: \[Errno 24\] Too many open files"),
        "device that is full": py(
            "with open('/dev/full', 'w') as f: f.write('told')", "disk-full",
            r"OSError: \[Errno 28\] No space left on device"),
        "output that is full": sh(
            f"{sys.executable} -I -S -c 'print(1)' > /dev/full", "disk-full", ".*No space left on device.*"),
        "C program on a full device": sh("cat /etc/passwd > /dev/full", "disk-full", "cat: .*No space left on device"),
        "C program beyond its quota": says("cp: error writing 'best.pt': Disk quota exceeded\n", 1, "disk-full",
                                           "cp: error writing 'best.pt': Disk quota exceeded"),
        "pipe that nobody reads": py(
            "import os; r, w = os.pipe(); os.close(r); os.write(w, b'x')", "error",
            r"BrokenPipeError: \[Errno 32\] Broken pipe"),
        "pipe that nobody reads, of a C program": py(
            "import os, signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL); r, w = os.pipe(); os.close(r)\n"
            "os.write(w, b'x')", "killed", "by SIGPIPE"),
        "alarm": py("import signal; signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()", "killed", "by SIGALRM"),
        "child that kills": py(
            "import os, signal\nif not os.fork(): os.kill(os.getppid(), signal.SIGKILL); os._exit(0)\nsignal.pause()",
            "killed", "by SIGKILL"),
        "streams that are closed": py("import os; os.close(1); os.close(2); raise ValueError('told')", "error",
                                      "exit code 120, and no output"),
        # Python
        "fatal error of Python": py(
            "import ctypes; ctypes.pythonapi.Py_FatalError(b'told')", "killed", "by SIGABRT, .*told"),
        "exit with a list": py("import sys; sys.exit(['told'])", "error", exact("['told']")),
        "exit with a float": py("import sys; sys.exit(2.5)", "error", "2.5"),
        "exit with an object": py(
            "import sys\nclass E:\n    def __str__(self): return 'told'\nsys.exit(E())", "error", "told"),
        "exit with True": py("import sys; sys.exit(True)", "error", "exit code 1, and no output"),
        "exit with a number that is too large": py("import sys; sys.exit(259)", "error", "exit code 3, and no output"),
        "exit in an except": py("import sys\ntry: 1 / 0\nexcept ZeroDivisionError: sys.exit('told')", "error", "told"),
        "exit in a group": py("raise BaseExceptionGroup('m', [SystemExit('told')])", "error", "SystemExit: told"),
        "group of tasks": py(
            "import asyncio\nasync def f(): raise ValueError('told')\nasync def main():\n"
            "    async with asyncio.TaskGroup() as g: g.create_task(f())\nasyncio.run(main())", "error",
            "ValueError: told"),
        "group that is handled in part": py(
            "try: raise ExceptionGroup('m', [ValueError('a'), MemoryError('told')])\nexcept* ValueError: pass",
            "out-of-memory", "MemoryError: told"),
        "atexit that exits": py("import atexit, os; atexit.register(os._exit, 3)", "error", "exit code 3, and no output"),
        "thread without memory": py(
            "import sys, threading\ndef f(): raise MemoryError('told')\nt = threading.Thread(target=f); t.start(); t.join()\n"
            "sys.exit(1)", "out-of-memory", "MemoryError: told"),
        "pool of threads": py(
            "from concurrent.futures import ThreadPoolExecutor as P\ndef f(): raise MemoryError('told')\n"
            "P().submit(f).result()", "out-of-memory", "MemoryError: told"),
        "spawned child": py(
            "import multiprocessing as m, sys\np = m.get_context('spawn').Process(target=exec, args=(\"raise ValueError('told')\",))\n"
            "p.start(); p.join(); sys.exit(p.exitcode)", "error", "ValueError: told"),
        "spawned child that is killed": py(
            "import multiprocessing as m, os, signal, sys\np = m.get_context('spawn').Process(target=exec, args=("
            '"import os; os.kill(os.getpid(), 9)",))\np.start(); p.join(); sys.exit(p.exitcode)', "error",
            "exit code 247, and no output"),
        "pool whose child is killed": py(
            "from concurrent.futures import ProcessPoolExecutor as P\nimport multiprocessing as m\n"
            "P(1, m.get_context('fork')).submit(exec, 'import os; os.kill(os.getpid(), 9)').result()", "error",
            ".*BrokenProcessPool: A process in the process pool was terminated abruptly.*"),
        "function that ends with code 0 all the same": Death(
            ("function", "import atexit; atexit.register(os._exit, 0)\nraise ValueError('told')"), "error",
            "ValueError: told"),
        "program that aborts": py(
            "import subprocess; subprocess.run(['sh', '-c', 'kill -6 $$'], check=True)", "killed", "by SIGABRT, .*"),
        "errors of many objects": py(
            "class L:\n    def __del__(self): {}['late']\nkeep = [L() for _ in range(60)]\nraise ValueError('told')",
            "error", "ValueError: told"),
        "errors of thousands of objects": py(
            "class L:\n    def __del__(self): {}['late']\nkeep = [L() for _ in range(3000)]\nraise ValueError('told')",
            "error", "ValueError: told"),
        "endless message": py("raise ValueError('told ' * 100_000)", "error", "ValueError: told told .*"),
        "log of an exception": py(
            "import logging, sys\ntry: {}['told']\nexcept KeyError: logging.exception('no training')\nsys.exit(1)", "error",
            "KeyError: 'told'"),
        "module that is not there": py("import nothing_there", "error",
                                       "ModuleNotFoundError: No module named 'nothing_there'"),
        "arguments": py(
            "import argparse; argparse.ArgumentParser('train.py').parse_args(['--lr=1'])", "error",
            "exit code 2: train.py: error: unrecognized arguments: --lr=1"),
        # C and C++
        "assertion of C": says("train: train.c:3: main: Assertion `x == 1' failed.\n", -6, "killed",
                               "by SIGABRT, .*Assertion `x == 1' failed."),
        "heap of C": says("free(): invalid pointer\n", -6, "killed", exact("by SIGABRT, free(): invalid pointer")),
        "stack of C that is smashed": says("*** stack smashing detected ***: terminated\n", -6, "killed",
                                           exact("by SIGABRT, *** stack smashing detected ***: terminated")),
        "NCCL": says(
            "[rank0]:[E1128 20:00:00.0 ProcessGroupNCCL.cpp:616] [Rank 0] Watchdog caught collective operation timeout\n"
            f"{ABORTED} 'c10::DistBackendError'\n  what():  [PG ID 0 Rank 0] Process group watchdog thread terminated\n",
            -6, "killed", exact("by SIGABRT, [PG ID 0 Rank 0] Process group watchdog thread terminated")),
        # what starts programs
        "torchrun, two failures": says(
            "Epoch 1\n" + TORCHRUN.format(code=-9, told="Signal 9 (SIGKILL) received by PID 4713").replace(
                "  <NO_OTHER_FAILURES>\n",
                "[1]:\n  time      : 2026-11-28_20:00:01\n  host      : box\n  rank      : 0 (local_rank: 0)\n"
                "  exitcode  : -6 (pid: 4712)\n  error_file: <N/A>\n  traceback : Signal 6 (SIGABRT) received by PID 4712\n"),
            1, "killed", "by SIGKILL"),
        "torchrun, killed beside an error": says(
            RANKED.replace("rank1", "rank0").replace("ValueError: told", "DistBackendError: closed")
            + TORCHRUN.format(code=-9, told="Signal 9 (SIGKILL) received by PID 4713"), 1, "killed", "by SIGKILL.*"),
        "torchrun, recorded error": says(TORCHRUN.format(code=1, told=ELSEWHERE), 1, "error", "ValueError: told"),
        "spawn, code": says(f"{TRACEBACK}{SPAWN}ProcessExitedException: process 1 terminated with exit code 3\n", 1,
                            "error", ".*process 1 terminated with exit code 3"),
        "Hydra, missing value": says(
            f"Error executing job with overrides: []\n{TRACEBACK}omegaconf.errors.MissingMandatoryValue: Missing mandatory"
            f" value: db.user\n    full_key: db.user\n    object_type=dict\n{HYDRA}", 1, "error",
            ".*Missing mandatory value: db.user"),
        "Hydra, misspelt key": says(
            f"Error executing job with overrides: []\n{TRACEBACK}omegaconf.errors.ConfigAttributeError: Key 'lrr' is not"
            f" in struct\n    full_key: lrr\n    object_type=dict\n{HYDRA}", 1, "error", ".*Key 'lrr' is not in struct"),
        "joblib": says(
            f"{TRACEBACK}joblib.externals.loky.process_executor.TerminatedWorkerError: A worker process managed by the"
            " executor was unexpectedly terminated. This could be caused by a segmentation fault while calling the function"
            " or by an excessive memory usage causing the Operating System to kill the worker.\n\nThe exit codes of the"
            " workers are {SIGKILL(-9)}\n", 1, "killed", "by SIGKILL, .*TerminatedWorkerError.*"),
        "DeepSpeed": says(
            "[2026-11-28 20:00:00,000] [ERROR] [launch.py:321:sigkill_handler] ['python', 'train.py'] exits with return code"
            " = -9\n", 247, "killed", "by SIGKILL"),
        "DeepSpeed, error": says(
            f"{TRACEBACK}ValueError: told\n[2026-11-28 20:00:00,000] [INFO] [launch.py:319:sigkill_handler] Killing"
            " subprocess 4712\n[2026-11-28 20:00:00,000] [ERROR] [launch.py:325:sigkill_handler] ['python', 'train.py'] exits"
            " with return code = 1\n", 1, "error", "ValueError: told"),
        "mpirun": says(
            f"{TRACEBACK}ValueError: told\n{'-' * 70}\nPrimary job  terminated normally, but 1 process returned\na non-zero"
            f" exit code. Per user-direction, the job has been aborted.\n{'-' * 70}\n", 1, "error", "ValueError: told"),
        "Slurm, memory": says(
            "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0. Some of the step tasks have been OOM Killed.\n"
            "srun: error: node1: task 0: Out Of Memory\n", 1, "out-of-memory", "srun: error: node1: task 0: Out Of Memory"),
        "Slurm, end of the allocation": says(
            "slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT 2026-11-28T20:00:00 DUE TO TIME LIMIT ***\n", -15, "killed",
            "by SIGTERM, .*DUE TO TIME LIMIT.*"),
        "xargs": sh("echo 1 | xargs sh -c 'kill -9 $$'", "killed", "by SIGKILL"),
        "bash whose child has a null pointer": Death(
            ("bash", "-c", "bash -c 'kill -SEGV $$'; exit $?"), "killed", "by SIGSEGV"),
        "variable of bash": Death(("bash", "-uc", "echo $nothing_there"), "error",
                                  ".*nothing_there: unbound variable"),
        "R": says("Error in f() : told\nCalls: main -> f\nExecution halted\n", 1, "error", exact("Error in f() : told")),
        "Go": says("panic: told\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:3 +0x18\nexit status 2\n", 2, "error",
                   "exit code 2: panic: told"),
        "Julia": says(
            "ERROR: LoadError: told\nStacktrace:\n [1] error(s::String)\n   @ Base ./error.jl:35\n [2] top-level scope\n"
            "   @ ~/train.jl:1\nin expression starting at /x/train.jl:1\n", 1, "error", "ERROR: LoadError: told"),
    }  # fmt: skip


DEATHS = of_linux() | of_python() | of_noise() | of_wrappers() | of_causes()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Run them all; return the class and the reason that stand in each run's directory."""
    folder = tmp_path_factory.mktemp("deaths")
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(CONFIG)
    (folder / "deaths.py").write_text(MAIN)
    # In no order: the grid would pause where many in a row fail in the same way.
    shuffled = random.Random(1).sample([*DEATHS], len(DEATHS))  # noqa: S311 # no secret
    names = {str(number): name for number, name in enumerate(shuffled)}
    cases = {number: DEATHS[name].command for number, name in names.items()}
    (folder / "cases.json").write_text(json.dumps(cases))
    orch = Path(sys.executable).with_name("orch")
    ended = subprocess.run(
        [orch, "run", f"case=range({len(cases)})", "--quiet", "--workers=2"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stdout[-2000:] + ended.stderr
    found = {}
    for each in (folder / "results/deaths/training").glob("[0-9a-f]*"):
        status = json.loads((each / "status.json").read_text())
        name = names[str(json.loads((each / "run.json").read_text())["overrides"]["case"])]
        assert status["state"] == "failed", name
        found[name] = (status["error"]["class"], status["error"]["message"])
    return found


def test_there_are_hundreds_of_ways_to_die() -> None:
    """And no name stands for two of them."""
    parts = (of_linux(), of_python(), of_noise(), of_wrappers(), of_causes())
    assert len(DEATHS) == sum(map(len, parts)) >= 250


@pytest.mark.parametrize("name", DEATHS)
def test_class_and_reason_say_what_ended_it(
    recorded: dict[str, tuple[str, str]], name: str
) -> None:
    """Nobody asked any of them to stop, so none was interrupted."""
    death = DEATHS[name]
    kind, message = recorded[name]
    assert (kind, bool(re.fullmatch(death.reason, message))) == (death.kind, True), message
