"""Owns the errors a user can mend: one line each, saying what, where and what to do next."""

from typing import ClassVar


class TrainerError(Exception):
    """Report something the user can mend; `exit_code` is what the program ends with."""

    exit_code: ClassVar[int] = 2

    def __str__(self) -> str:
        """Return the line alone: from a loader worker it arrives behind the worker's traceback."""
        text = super().__str__()
        return text.rpartition(f".{type(self).__name__}: ")[2].strip() if "\n" in text else text


class ConfigError(TrainerError):
    """Report a key of the configuration that is missing or cannot be right."""


class CallbackError(TrainerError):
    """Report a `cb_...` attribute that is no callback, or has the wrong parameters."""


class CheckpointError(TrainerError):
    """Report state that cannot be saved, or a checkpoint that is needed and gone."""


class Diverged(TrainerError):  # noqa: N818 - it names what happened, not a mistake of the program
    """Report a training loss that is no longer a finite number."""

    exit_code: ClassVar[int] = 1
    failure_class: ClassVar[str] = "diverged"


class UnfinishedError(Exception):
    """Report that the run's own code ended the program; the traceback says where."""


class WorkerKilled(TrainerError):  # noqa: N818 - it names what happened, as above
    """Report that a loader's worker was killed, most probably for lack of memory."""

    exit_code: ClassVar[int] = 1
    failure_class: ClassVar[str] = "out-of-memory"


class Stopped(Exception):  # noqa: N818 - no error: the run was asked to stop, and did
    """Report that training stopped at an iteration boundary, as asked; its checkpoint is on disk."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a GPU or this machine had no memory left for what was asked of it."""
    # PyTorch has a class for the GPU's memory; for the CPU's it has only these words.
    is_torch = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
    return isinstance(error, MemoryError) or is_torch
