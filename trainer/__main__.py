"""Runs one training: `python -m trainer RUN_DIR` reads RUN_DIR/config.yaml and does what it says."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trainer.config_file import read_config
from trainer.errors import (
    ConfigError,
    Diverged,
    Stopped,
    TrainerError,
    UnfinishedError,
    WorkerKilled,
)
from trainer.known_keys import describe_unread
from trainer.loading.worker_failures import as_killed_worker
from trainer.run_files import CONFIG, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType, TracebackType

    from trainer.trainer import ModularTaskTrainer

USAGE = "python -m trainer RUN_DIR"
HASH_SEED: Final = "PYTHONHASHSEED"


class StopSignals:
    """Remember the signal that asked the program to stop; the trainer learns of it, no more.

    Nothing is done inside the signal: the trainer looks at its flag between two iterations, when
    the checkpoint is on the disk. A request that comes before the trainer is built is not lost.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.trainer: ModularTaskTrainer | None = None

    def listen(self) -> None:
        """Take SIGTERM and SIGINT from now on."""
        signal.signal(signal.SIGTERM, self._receive)
        signal.signal(signal.SIGINT, self._receive)

    def tell(self, trainer: ModularTaskTrainer) -> None:
        """Pass on requests, the one that may have come already included."""
        self.trainer = trainer
        trainer.stop_requested = self.received is not None

    def _receive(self, signum: int, _frame: FrameType | None) -> None:
        self.received = signum
        if self.trainer is not None:
            self.trainer.stop_requested = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Train one run and return the exit code: 0 done, 1 failed, 2 wrong, 128 + signal stopped.

    It is 0 only after `results.json` was written. What the run's own code raises keeps its traceback.

    Raises:
        UnfinishedError: If the run's own code ended the program, as by `sys.exit(0)`.
    """
    keep_lock_to_ourselves()
    find_modules_of_the_project()
    signals = StopSignals()
    signals.listen()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        run_training(arguments, signals)
    except (Diverged, WorkerKilled) as error:
        return report_failure(error)
    except TrainerError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except Stopped as stopped:
        return report_stop(stopped, signals)
    except OSError as error:
        if not is_from_trainer(error.__traceback__):
            raise
        sys.stderr.write(f"orch: {type(error).__name__}: {' '.join(str(error).split())}\n")
        return 1
    except Exception as error:
        if (killed := as_killed_worker(error)) is None:
            raise
        return report_failure(killed)
    except BaseException as error:
        # sys.exit, KeyboardInterrupt: signals do not raise here, so it was the run's own code.
        raise UnfinishedError(
            f"{error!r} was raised before results.json was written. The run has failed: let its"
            " code raise an ordinary error, or return."
        ) from error
    return 0


def report_failure(error: Diverged | WorkerKilled) -> int:
    """Say what class of failure it is, and return the exit code."""
    sys.stderr.write(f"{error.failure_class}: {error}\n")
    return error.exit_code


def report_stop(stopped: Stopped, signals: StopSignals) -> int:
    """Say that the run was stopped, and return the exit code: wrong, unless a signal asked for it."""
    if signals.received is None:
        sys.stderr.write(
            f"stop_requested: the run's own code set it; {stopped}. It would be resumed and stopped"
            " again each time. Do not set it: it is for signals.\n"
        )
        return ConfigError.exit_code
    say(str(stopped))
    return 128 + signals.received


def is_from_trainer(trace: TracebackType | None) -> bool:
    """Tell whether the trainer's own code, not the run's or PyTorch's, met an error."""
    ours = False
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if name not in sys.stdlib_module_names:
            ours = name == "trainer" or trace.tb_frame.f_globals is globals()
        trace = trace.tb_next
    return ours


def run_training(arguments: Sequence[str], signals: StopSignals) -> None:
    """Build the trainer of the run directory that was named, and train until a signal stops it.

    Raises:
        ConfigError: If not one directory was named.
    """
    if len(arguments) != 1:
        raise ConfigError(f"expected one run directory. Use: {USAGE}")
    run_dir = Path(arguments[0])
    cfg = read_config(run_dir / CONFIG)
    # Only now: a signal that comes while PyTorch is being imported is noticed already.
    from trainer.lazy_compiler import load_late  # noqa: PLC0415
    from trainer.trainer import ModularTaskTrainer  # noqa: PLC0415

    load_late()
    trainer = ModularTaskTrainer(cfg, run_dir)
    if note := describe_unread(cfg):
        sys.stderr.write(f"{note}\n")
    signals.tell(trainer)
    trainer.train()


def fix_hash_seed() -> None:
    """Start the program again with a fixed `PYTHONHASHSEED`, unless it has one.

    The order of a set of strings depends on it, and so may the numbers that a data set gives its
    classes. A process cannot change it for itself.
    """
    if os.environ.get(HASH_SEED, "random") in ("", "random") and not sys.flags.ignore_environment:
        environment = os.environ | {HASH_SEED: "0"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - this very program


def find_modules_of_the_project() -> None:
    """Let a configuration name classes of the current folder; what is installed goes before."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)


def keep_lock_to_ourselves() -> None:
    """Keep programs that the trainer starts from holding the run's lock after it has ended.

    Forked loader workers do hold it, on purpose: the run lives as long as they do.
    """
    descriptor = os.environ.get("ORCH_LOCK_FD", "")
    if descriptor.isdecimal():
        os.set_inheritable(int(descriptor), False)


if __name__ == "__main__":
    fix_hash_seed()
    sys.exit(main())
