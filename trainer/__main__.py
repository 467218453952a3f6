"""Runs one training: `python -m trainer RUN_DIR` reads RUN_DIR/config.yaml and does what it says."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.errors import ConfigError, Diverged, Stopped, TrainerError, is_out_of_memory
from trainer.outputs import CONFIG, say
from trainer.settings import read_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from trainer.trainer import ModularTaskTrainer

USAGE = "python -m trainer RUN_DIR"


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
    """Train one run and return the exit code: 0 done, 1 failed, 2 wrong, 128 + signal stopped."""
    keep_lock_to_ourselves()
    find_modules_of_the_project()
    signals = StopSignals()
    signals.listen()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if len(arguments) != 1:
            raise ConfigError(f"expected one run directory. Use: {USAGE}")
        run_training(Path(arguments[0]), signals)
    except Diverged as error:
        sys.stderr.write(f"diverged: {error}\n")
        return error.exit_code
    except TrainerError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        return report(error)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return report(error)
    except Stopped as stopped:
        say(str(stopped))
        return 128 + (signals.received or signal.SIGTERM)
    return 0


def report(error: Exception) -> int:
    """Say in one line what the machine refused, and return the exit code."""
    reason = " ".join(str(error).split()) or "no more memory"
    sys.stderr.write(f"orch: {type(error).__name__}: {reason}\n")
    return 1


def run_training(run_dir: Path, signals: StopSignals) -> None:
    """Build the trainer of a run directory and train, stopping when a signal asks for it."""
    cfg = read_config(run_dir / CONFIG)
    # Only now: whoever stops the program while PyTorch is being imported is heard already.
    from trainer.trainer import ModularTaskTrainer  # noqa: PLC0415

    trainer = ModularTaskTrainer(cfg, run_dir)
    signals.tell(trainer)
    trainer.train()


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
    sys.exit(main())
