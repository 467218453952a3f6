"""The compute environment: the device, deterministic arithmetic, and a description of both."""

from __future__ import annotations

import os
import platform
import re
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import torch

from trainer.errors import ConfigError
from trainer.ranks import count_ranks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from trainer.settings import TrainingSettings

    Environment = dict[str, str | int]


_CPUINFO: Final = Path("/proc/cpuinfo")
_FIRST_LINES: Final = 256  # bytes of it, instead of those of all processors
# How many versions of a function may be compiled.
VERSIONS = 256
# What checkpoints of earlier versions call it.
_RENAMED = {"deterministic": "deterministic_algorithms"}


def choose_device(device: str) -> torch.device:
    """Return the device to train on; `auto` is the first GPU if there is one.

    Raises:
        ConfigError: If the GPU does not exist.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and not count):
        return torch.device("cpu")
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        there = f"there are {count}, counted from 0" if count else "there is no usable GPU here"
        raise ConfigError(f"device: {device}: {there}. Set device: auto, or cpu.")
    return torch.device("cuda", index)


def fix_arithmetic(device: torch.device, settings: TrainingSettings) -> None:
    """Make results reproducible: a fixed number of threads, and on a GPU deterministic kernels.

    An operation without a deterministic kernel warns. If `deterministic` is off, the fastest kernels
    are chosen, and results differ from run to run.
    """
    deterministic = settings.deterministic
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    if device.type == "cuda":
        # Read by cuBLAS when it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = not deterministic
        torch.use_deterministic_algorithms(mode=deterministic, warn_only=True)


def process_settings() -> dict[str, str | int]:
    """Return settings of the process that results may depend on, by the names of what returns them."""
    return {
        "torch.get_default_dtype()": str(torch.get_default_dtype()),
        "torch.get_num_threads()": torch.get_num_threads(),
        "torch.get_float32_matmul_precision()": torch.get_float32_matmul_precision(),
        "torch.are_deterministic_algorithms_enabled()": torch.are_deterministic_algorithms_enabled(),
        "torch.backends.cudnn.benchmark": torch.backends.cudnn.benchmark,
        "os.getcwd()": os.getcwd(),  # noqa: PTH109 - a name that is known
        **{f"os.environ[{name!r}]": value for name, value in os.environ.items()},
    }


def fix_compiler() -> None:
    """Compile up to `VERSIONS` versions, and raise an error, instead of not compiling, beyond.

    PyTorch would compile eight, and compute the others uncompiled: which ones depends on the batch
    with which a process starts, and with it the results.

    Raises:
        ConfigError: If this version of PyTorch cannot be told so.
    """
    try:
        from torch._dynamo import config  # noqa: PLC0415 - it takes a second to load

        config.recompile_limit = VERSIONS
        config.accumulated_recompile_limit = 4 * VERSIONS
        config.fail_on_recompile_limit_hit = True
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"compile: PyTorch {torch.__version__} has no limit of compiled versions to set"
            f" ({error}), so results would depend on the first batch of each process. Set compile:"
            " false, or install another version of PyTorch."
        ) from error


@contextmanager
def compiler_limit_explained() -> Iterator[None]:
    """Turn the compiler's error that a model needs too many versions into one line.

    Raises:
        ConfigError: If the error is raised inside.
    """
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "FailOnRecompileLimitHit":
            raise
        raise ConfigError(
            f"compile: the model was compiled {VERSIONS} times, and needs more versions: for shapes of"
            " batches, or numbers that it keeps and changes. Pad to fewer lengths, or set compile: false."
        ) from error


def choose_autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Return a context that casts computations to a precision; the weights stay float32.

    It may be entered repeatedly. bfloat16 has the range of float32; for float16, the loss is scaled.

    Raises:
        ConfigError: If the device cannot compute in that precision.
    """
    if precision == "float32":
        return nullcontext()
    is_bfloat16 = precision == "bfloat16"
    if is_bfloat16 and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise ConfigError(
            f"precision: this GPU does not support {precision}. Set precision: float16, or float32."
        )
    return cast(
        "AbstractContextManager[None]", torch.autocast(device.type, getattr(torch, precision))
    )


def describe_environment(device: torch.device) -> Environment:
    """Return a description of everything that may change the bits of a result."""
    gpu = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    described: Environment = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "device": f"{device.type}{gpu}",
        "cpu": describe_cpu(),
        "threads": torch.get_num_threads(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        # The seed itself cannot be queried: two processes with the same one agree on this hash.
        "string_hash": f"{hash('orch') & 0xFFFFFFFF:08x}",
        # Of PyTorch, on GPUs only: on a CPU the arithmetic is deterministic without.
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
    }
    if count_ranks() > 1:
        described["ranks"] = str(count_ranks())
    if device.type == "cuda":
        described["cuda"] = str(torch.version.cuda)
        described["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]  # PyTorch left it untyped
        described["cudnn_benchmark"] = torch.backends.cudnn.benchmark
    return described


def describe_cpu(cpuinfo: Path = _CPUINFO) -> str:
    """Return the instructions that PyTorch uses, and the maker of the processor, where it is told.

    MKL, below PyTorch, begins square roots and divisions with approximations of the processor, which
    differ between Intel's and AMD's.
    """
    instructions = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    with suppress(OSError), cpuinfo.open("rb", buffering=0) as file:
        if maker := re.search(rb"^vendor_id\s*: (\w+)$", file.read(_FIRST_LINES), re.MULTILINE):
            return f"{instructions}, {maker[1].decode()}"
    return instructions


def compare(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Return what changed between two environments, as one phrase; empty if nothing did."""
    before = {_RENAMED.get(key, key): value for key, value in before.items()}
    keys = dict.fromkeys([*before, *now])
    changed = [key for key in keys if not _agree(str(before.get(key)), str(now.get(key)))]
    return ", ".join(f"{key} was {before.get(key)}, is {now.get(key)}" for key in changed)


def _agree(one: str, other: str) -> bool:
    """Return whether two descriptions agree; one may lack details, for example if data were not checked."""
    less, more = sorted((one.rstrip(", "), other.rstrip(", ")), key=len)
    return more == less or more.startswith(f"{less},")
