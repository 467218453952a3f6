"""The command line: `python -m trainer RUN_DIR` trains the run that RUN_DIR/config.yaml describes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trainer.config_file import plain_config, read_config
from trainer.errors import (
    ConfigError,
    Diverged,
    Stopped,
    TrainerError,
    TrainingPaused,
    UnfinishedError,
    WorkerKilled,
)
from trainer.impossible_memory import describe_excess
from trainer.known_keys import describe_unread
from trainer.rank_processes import check_gpus, run_ranks
from trainer.run_files import CONFIG, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, TracebackType

    from trainer.trainer import ModularTaskTrainer

USAGE = "python -m trainer RUN_DIR"
HASH_SEED: Final = "PYTHONHASHSEED"
STOP_AFTER: Final = "ORCH_STOP_AFTER"


class StopSignals:
    """The signals that ask the program to stop; the handler only sets a flag of the trainer.

    The trainer checks the flag between two iterations. A request that arrives before the trainer is
    built is not lost. Processes that the run's own code forks inherit the handlers, but end as usual.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self.received: int | None = None
        self.trainer: ModularTaskTrainer | None = None

    def listen(self) -> None:
        """Install the handlers of SIGTERM and SIGINT."""
        signal.signal(signal.SIGTERM, self._receive)
        signal.signal(signal.SIGINT, self._receive)

    def tell(self, trainer: ModularTaskTrainer) -> None:
        """Pass requests on to the trainer, including one that has already arrived."""
        self.trainer = trainer
        trainer.stop_requested = self.received is not None

    def _receive(self, signum: int, _frame: FrameType | None) -> None:
        if os.getpid() != self.process and signum == signal.SIGTERM:
            # Python ends its daemonic processes so, and would wait for this one for ever.
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
        self.received = signum
        if self.trainer is not None:
            self.trainer.stop_requested = True


def main(
    arguments: Sequence[str] | None = None, tell: Callable[[str], object] | None = None
) -> int:
    """Train one run and return the exit code: 0 done, 1 failed, 2 user error, 128 + signal stopped.

    It is 0 only after `results.json` was written, or if the run has paused as `ORCH_STOP_AFTER` says. Errors in the run's own code keep their traceback.
    Those that the user can correct are printed by `tell`, to stderr by default.

    Raises:
        UnfinishedError: If the run's own code ended the program, as by `sys.exit(0)`.
    """
    keep_lock_to_ourselves()
    find_modules_of_the_project()
    signals = StopSignals()
    signals.listen()
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # the kernel would reap the ranks
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    arguments = sys.argv[1:] if arguments is None else arguments
    tell = tell or sys.stderr.write
    try:
        return run_training(arguments, signals)
    except (Diverged, WorkerKilled) as error:
        tell(f"{error.failure_class}: {error}\n")
        return error.exit_code
    except TrainerError as error:
        tell(f"{error}\n")
        return error.exit_code
    except Stopped as stopped:
        return report_stop(stopped, signals)
    except OSError as error:
        if not is_from_trainer(error.__traceback__):
            raise
        sys.stderr.write(f"orch: {type(error).__name__}: {' '.join(str(error).split())}\n")
        return 1
    except Exception as error:  # of the run's own code: it keeps its traceback
        if isinstance(error, MemoryError) and (excess := describe_excess(error)):
            return report_excess(excess)
        raise
    except BaseException as error:
        # sys.exit or KeyboardInterrupt of the run's own code: signal handlers do not raise here.
        from trainer.target_errors import place_in_user_code  # noqa: PLC0415 - it loads Hydra

        raise UnfinishedError(
            f"{error!r}{place_in_user_code(error)} was raised before results.json was written, so the run has failed. Let its"
            " code raise an ordinary error, or return."
        ) from error


def report_excess(excess: str) -> int:
    """Print the traceback of an allocation that cannot succeed, and return the exit code.

    The last line names the failure class: by its name, a `MemoryError` is one that may pass.
    """
    traceback.print_exc()
    sys.stderr.write(f"error: MemoryError: {excess}\n")
    return 1


def report_stop(stopped: Stopped, signals: StopSignals) -> int:
    """Print that the run was stopped, and return the exit code: that of a user error if nobody asked."""
    from trainer.ranks import count_ranks, own_rank  # noqa: PLC0415 - PyTorch is loaded

    if own_rank():
        return 0  # the first one may still be saving; it tells how the run ended
    if isinstance(stopped, TrainingPaused) and STOP_AFTER in os.environ:
        say(str(stopped))
        return 0
    if signals.received is None and count_ranks() > 1 and not isinstance(stopped, TrainingPaused):
        signals.received = signal.SIGTERM  # another rank was asked
    if signals.received is None:
        is_pause = isinstance(stopped, TrainingPaused)
        name, whom = ("stop_after", STOP_AFTER) if is_pause else ("stop_requested", "signals")
        sys.stderr.write(
            f"{name}: the run's own code set it; {stopped}. The run would be resumed and stopped"
            f" repeatedly. Do not set it: it is reserved for {whom}.\n"
        )
        return ConfigError.exit_code
    say(str(stopped))
    return 128 + signals.received


def is_from_trainer(trace: TracebackType | None) -> bool:
    """Return whether an error occurred in the trainer's own code, not in the run's or PyTorch's."""
    ours = False
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if name not in sys.stdlib_module_names:
            ours = name == "trainer" or trace.tb_frame.f_globals is globals()
        trace = trace.tb_next
    return ours


def run_training(arguments: Sequence[str], signals: StopSignals) -> int:
    """Build the trainer of a run directory, and train until the end or a signal; return the exit code.

    With several ranks, this process forks them, and each calls `main` again.

    Raises:
        ConfigError: If the arguments are not one run directory.
    """
    if len(arguments) != 1:
        raise ConfigError(f"expected one run directory. Use: {USAGE}")
    run_dir = Path(arguments[0])
    cfg = read_config(run_dir / CONFIG)
    # Imported here, so that a signal during the import of PyTorch is not lost.
    from trainer.callbacks.uncalled import describe_uncalled  # noqa: PLC0415
    from trainer.late_beginnings import describe_late  # noqa: PLC0415
    from trainer.lazy_compiler import load_late  # noqa: PLC0415
    from trainer.loading.worker_failures import (  # noqa: PLC0415
        killed_workers_told,
        last_words_after_workers,
    )
    from trainer.ranks import count_ranks  # noqa: PLC0415
    from trainer.settings import read_settings, read_world_size  # noqa: PLC0415
    from trainer.summed_loss import describe_sum  # noqa: PLC0415
    from trainer.trainer import ModularTaskTrainer  # noqa: PLC0415

    load_late()
    check_gpus(ranks := read_world_size(cfg))
    if ranks > count_ranks():
        return run_ranks(ranks, str(cfg.get("device", "auto")), lambda tell: main(arguments, tell))
    trainer = ModularTaskTrainer(cfg, run_dir)
    settings = read_settings(plain_config(cfg))
    found = (
        *(describe_unread(cfg), describe_uncalled(trainer.modules)),
        *(describe_late(settings), describe_sum(trainer.criterion, settings)),
    )
    notes = [*filter(None, found)]
    sys.stderr.write("".join(f"note: {note}\n" for note in notes))
    trainer.outputs.note = " ".join(notes)
    signals.tell(trainer)
    if (told := os.environ.get(STOP_AFTER, "")).isdecimal():
        trainer.stop_after = int(told)
    with killed_workers_told(), last_words_after_workers():
        trainer.train()
    return 0


def fix_hash_seed() -> None:
    """Restart the program with a fixed `PYTHONHASHSEED`, unless it is set.

    The order of a set of strings depends on it, and with it, for example, the class indices of a data
    set. A process cannot change its own.
    """
    if os.environ.get(HASH_SEED, "random") in ("", "random") and not sys.flags.ignore_environment:
        environment = os.environ | {HASH_SEED: "0"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - the same program


def find_modules_of_the_project() -> None:
    """Make modules of the current folder importable, after the installed ones."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)


def keep_lock_to_ourselves() -> None:
    """Keep programs that the trainer starts from inheriting the run's lock.

    Forked loader workers inherit it on purpose: the run is live as long as they are.
    """
    descriptor = os.environ.get("ORCH_LOCK_FD", "")
    if descriptor.isdecimal():
        os.set_inheritable(int(descriptor), False)


if __name__ == "__main__":
    fix_hash_seed()
    sys.exit(main())
