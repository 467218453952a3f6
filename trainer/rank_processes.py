"""The processes of ranks: forks one per rank, passes signals on, and finds out which one failed first.

The ranks are forked from a process that has loaded everything and opened no GPU, so that they start at once.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from trainer.errors import ConfigError
from trainer.loading.orphans import end_with
from trainer.run_files import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.process import BaseProcess
    from types import FrameType

    Train = Callable[[Callable[[str], None]], int]

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
# How long ranks that have lost another one may take to end by themselves.
GRACE: Final = 10.0
# How long a rank that was killed may be seen later than those that have lost it.
SETTLE: Final = 0.5
SHELL: Final = 128
# The names of files with the number of the rank that failed first, of one that is done, and with the error
# of the first rank.
FAILED: Final = "failed"
OVER: Final = "over"
SAID: Final = "said"


class RankPlace(NamedTuple):
    """What a rank needs to join the others: its parent, its number, how many there are, and where they meet."""

    parent: int
    rank: int
    ranks: int
    device: str
    folder: Path


def run_ranks(count: int, device: str, train: Train) -> int:
    """Train with several ranks, and return the exit code: that of the rank that failed first.

    Args:
        count: The number of ranks.
        device: The device of the configuration.
        train: Trains in a rank, once it has joined the others, and returns its exit code. It is handed what
            prints the line of an error.

    Raises:
        ConfigError: If the run has fewer GPUs than ranks.
    """
    folder = Path(tempfile.mkdtemp(prefix="ranks-"))
    fork = multiprocessing.get_context("fork")
    ranks = [
        fork.Process(
            target=_be_rank,
            args=(RankPlace(os.getpid(), rank, count, device, folder), train),
            name=f"rank {rank}",
        )
        for rank in range(count)
    ]
    try:
        with _signals_passed_on(ranks):
            for rank in ranks:
                rank.start()
            return _wait_for(ranks, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _be_rank(place: RankPlace, train: Train) -> None:
    """Join the other ranks, and train; end if the process that forked this one does."""
    end_with(place.parent)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if place.rank:  # the first one speaks for all, unless another one fails
        _redirect(sys.stdout, Path(os.devnull))
        _redirect(sys.stderr, place.folder / str(place.rank))
    try:
        with _joined(place), _end_noted(place):
            code = train(partial(_tell_error, place))
            if code:
                _note(place, FAILED)
    except ConfigError as error:
        _tell_error(place, f"{error}\n")
        code = error.exit_code
    sys.exit(code)


def _tell_error(place: RankPlace, line: str) -> None:
    """Print the line of an error, and note what the first rank has printed: others may have the same."""
    sys.stderr.write(line)
    if not place.rank:
        (place.folder / SAID).write_text(line, errors="replace")


@contextmanager
def _end_noted(place: RankPlace) -> Iterator[None]:
    """Note how a rank ends before the others lose it: they fail then, and may be seen to fail first."""
    try:
        yield
    except BaseException:
        _note(place, FAILED)
        raise
    _note(place, f"{OVER}-{place.rank}")


def _note(place: RankPlace, name: str) -> None:
    """Write the number of a rank to a file, unless another one has."""
    with suppress(FileExistsError), (place.folder / name).open("x") as file:
        file.write(str(place.rank))


def _noted(folder: Path, name: str) -> str | None:
    path = folder / name
    return path.read_text(errors="replace") if path.exists() else None


def _redirect(stream: object, path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(descriptor, stream.fileno())  # type: ignore[attr-defined]  # stdout and stderr have it
    os.close(descriptor)


@contextmanager
def _joined(place: RankPlace) -> Iterator[None]:
    """Join the other ranks through a file: there is no port that another run could have.

    Raises:
        ConfigError: If the run has fewer GPUs than ranks.
    """
    import torch  # noqa: PLC0415 - the parent has loaded it
    from torch import distributed  # noqa: PLC0415 - as above

    is_on_gpu = place.device != "cpu" and torch.cuda.is_available()
    if is_on_gpu:
        names = [each for each in os.environ.get(VISIBLE, "").split(",") if each]
        names = names or [str(number) for number in range(torch.cuda.device_count())]
        if len(names) < place.ranks:
            raise ConfigError(
                f"world_size: {place.ranks} ranks need as many GPUs, and the run has {len(names)}. Set"
                " orch.gpus_per_run: ${world_size}."
            )
        os.environ[VISIBLE] = names[place.rank]
    elif place.rank == 0 and (note := describe_crowd(place.ranks, len(os.sched_getaffinity(0)))):
        say(note)
    # All ranks are on this machine, whatever its name resolves to.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    backend = "nccl" if is_on_gpu else "gloo"
    distributed.init_process_group(
        backend,
        init_method=f"file://{place.folder / 'meeting'}",
        rank=place.rank,
        world_size=place.ranks,
    )
    yield
    distributed.destroy_process_group()


@contextmanager
def _signals_passed_on(ranks: Sequence[BaseProcess]) -> Iterator[None]:
    """Pass requests to stop on to all ranks, which agree on the iteration at which they stop."""

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        for rank in ranks:
            if rank.pid is not None and rank.exitcode is None:
                with suppress(ProcessLookupError):
                    os.kill(rank.pid, signal.SIGTERM)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_for(ranks: Sequence[BaseProcess], folder: Path) -> int:
    """Wait for all ranks; if one fails, end the others, and return its exit code."""
    left = [*ranks]
    while left:
        wait([rank.sentinel for rank in left])
        codes = [(rank, rank.exitcode) for rank in left]  # asked once: it may end in between
        failed = [rank for rank, code in codes if code]
        left = [rank for rank, code in codes if code is None]
        if failed:
            return _fail(failed[0], ranks, folder)
    return ConfigError.exit_code if _tell_left(ranks, folder) else 0


def _fail(failed: BaseProcess, ranks: Sequence[BaseProcess], folder: Path) -> int:
    """End the ranks that are left after a failure, and return the exit code of the one that caused it."""
    wait_at_most(ranks, SETTLE)
    by_rank = {number: rank.exitcode or 0 for number, rank in enumerate(ranks)}
    first = _noted(folder, FAILED)
    cause = find_cause(by_rank, int(first) if first else ranks.index(failed))
    wait_at_most(ranks, GRACE)
    code = ranks[cause].exitcode or failed.exitcode or 1
    for rank in ranks:
        if rank.exitcode is None:
            rank.kill()
            rank.join()
    if code > 0 and _tell_left(ranks, folder):
        return ConfigError.exit_code
    told = _noted(folder, str(cause)) or ""
    said = _noted(folder, SAID)
    if said is None or not told.endswith(said):
        sys.stderr.write(told)
    if code > 0:
        return code
    sys.stderr.write(f"rank {cause} was killed by {signal.Signals(-code).name}\n")
    return SHELL - code


def _tell_left(ranks: Sequence[BaseProcess], folder: Path) -> bool:
    """Print which rank ended its process before the training was over, if one has."""
    for number, rank in enumerate(ranks):
        if rank.exitcode == 0 and _noted(folder, f"{OVER}-{number}") is None:
            sys.stderr.write(
                f"world_size: rank {number} has ended its process with exit code 0 before the training was"
                " over, as by os._exit. Let its code raise an error instead.\n"
            )
            return True
    return False


def find_cause(codes: Mapping[int, int], first: int) -> int:
    """Return the rank whose end caused that of the others.

    Args:
        codes: The exit codes of the ranks so far, negative for a signal.
        first: The rank that was seen to fail first. One that was killed may be seen later than those which
            have lost it.
    """
    return next((rank for rank, code in codes.items() if code < 0), first)


def wait_at_most(ranks: Sequence[BaseProcess], seconds: float) -> None:
    """Wait until all ranks have ended, or a time is over."""
    end = time.monotonic() + seconds
    while left := [rank.sentinel for rank in ranks if rank.exitcode is None]:
        if not wait(left, max(0.0, end - time.monotonic())):
            return


def describe_crowd(ranks: int, cpus: int) -> str:
    """Return a note on ranks that have to take turns on CPUs; nothing if each has one."""
    if ranks <= cpus:
        return ""
    return (
        f"note: world_size: {ranks} ranks share {cpus} CPU{'s' if cpus > 1 else ''}, so they take turns:"
        " fewer would be faster."
    )


def check_gpus(count: int) -> None:
    """Check that a run of one process was not given several GPUs.

    Raises:
        ConfigError: If it was: all but the first would be idle.
    """
    names = [each for each in os.environ.get(VISIBLE, "").split(",") if each.startswith("GPU-")]
    if count == 1 and len(names) > 1 and "ORCH_RUN_DIR" in os.environ:
        raise ConfigError(
            f"world_size: the run has {len(names)} GPUs (orch.gpus_per_run), but would use one. Set"
            f" world_size: {len(names)}, and orch.gpus_per_run: ${{world_size}}."
        )
