"""The errors that the user can correct: one line each, saying what, where and what to do next."""

from collections.abc import Sequence
from typing import ClassVar

from trainer.impossible_memory import describe_excess


class TrainerError(Exception):
    """An error that the user can correct; the program ends with `exit_code`."""

    exit_code: ClassVar[int] = 2

    def __str__(self) -> str:
        """Return only the line: an error in a loader worker arrives with the worker's traceback."""
        text = super().__str__()
        return text.rpartition(f".{type(self).__name__}: ")[2].strip() if "\n" in text else text


class ConfigError(TrainerError):
    """A key of the configuration is missing or invalid."""


class CallbackError(TrainerError):
    """A `cb_...` attribute is not a callback, or has the wrong parameters."""


class CheckpointError(TrainerError):
    """A state cannot be saved, or a required checkpoint is missing."""


class Diverged(TrainerError):  # noqa: N818 - it names an outcome of the training
    """The training loss is no longer finite."""

    exit_code: ClassVar[int] = 1
    failure_class: ClassVar[str] = "diverged"


class UnfinishedError(Exception):
    """The run's own code ended the program; the traceback says where."""


class WorkerKilled(TrainerError):  # noqa: N818 - as above
    """A loader worker was killed, most probably because the machine ran out of memory."""

    exit_code: ClassVar[int] = 1
    failure_class: ClassVar[str] = "out-of-memory"


class Stopped(Exception):  # noqa: N818 - not an error: the run was asked to stop
    """The training stopped at an iteration boundary, as requested; its checkpoint is on the disk."""


class TrainingPaused(Stopped):
    """The training paused after the iteration that it was told; its checkpoint is on the disk."""


def shown(value: object, longest: int = 60) -> str:
    """Return a value in one line, for an error message."""
    return " ".join(repr(value).split())[:longest]


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that a GPU or this machine is out of memory, now and perhaps not later."""
    # PyTorch has an exception class for the memory of GPUs, and only a message for that of the CPU.
    is_torch = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
    return (isinstance(error, MemoryError) or is_torch) and not describe_excess(error)
