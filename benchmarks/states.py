"""Measures saving states of 10 MB, 100 MB and 1 GB: training time, processor time and memory.

``python benchmarks/states.py [MEGABYTES...]``: a copy, which holds the training up, and the durable
file, which a thread of its own writes; `torch.save` to a file that need not last stands beside them, and
Lightning's `save_checkpoint` and accelerate's `save_state`, where they can be imported: the training waits
for the whole of these, and none of them is synced. The processor's time is that of all of it.
Then how much longer iterations of 60 ms take if each is saved and published, by the processor time of
the process and by the clock, in turn with the same iterations without.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self

# The folder of this script would hide the package of the same name.
sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]

import torch  # noqa: E402 - after that
from torch import nn  # noqa: E402 - as above

from trainer.checkpoints.background_writer import Recorder  # noqa: E402 - as above
from trainer.checkpoints.store import Checkpoints  # noqa: E402 - as above
from trainer.history import MetricPoint  # noqa: E402 - as above
from trainer.interval import Interval  # noqa: E402 - as above
from trainer.models.mlp import Mlp  # noqa: E402 - as above
from trainer.run_files import Outputs, Progress  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

ROUNDS = 5
PAIRS = 8
TOGETHER = 25  # iterations with a checkpoint each, or without; then comes a wait for the last one
ITERATION = 0.06  # seconds
METRICS = ("train/loss", "validation/loss", "validation/accuracy", "lr")
PAGE = 4096


class Watch:
    """Measures the peak memory of the process while it is entered, beyond that before."""

    def __enter__(self) -> Self:
        """Start to measure every 2 ms."""
        self.before, self.most, self._end = memory(), 0, Event()
        self._thread = Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._end.wait(0.002):
            self.most = max(self.most, memory() - self.before)

    def __exit__(self, *_error: object) -> None:
        """Stop to measure."""
        self._end.set()
        self._thread.join()


def memory() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def warm_up() -> None:
    """Save and read a tiny state, so that the code of PyTorch that does it is loaded before."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        checkpoints = Checkpoints(Path(folder, "checkpoints"), 1, "")
        checkpoints.write(checkpoints.take(1, {"modules": {"model": torch.randn(8)}}, None))
        torch.save(torch.randn(8), Path(folder, "plain.pt"))
        Checkpoints(Path(folder, "checkpoints"), 1, "").newest()


def measure(megabytes: int) -> None:
    """Print a line for a state of that size, in 300 tensors."""
    size = megabytes * 1_000_000
    weights = {f"{number}": torch.randn(size // 300 // 4) for number in range(300)}
    state = {"modules": {"model": weights}}
    copied, written, processor, plain = [], [], [], []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        checkpoints = Checkpoints(Path(folder, "checkpoints"), 1, "")

        def save(iteration: int) -> None:
            begun, used = time.perf_counter(), time.process_time()
            taken = checkpoints.take(iteration, state, None)
            copied.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            checkpoints.write(taken)
            written.append(time.perf_counter() - begun)
            processor.append(time.process_time() - used)

        with Watch() as saving:  # its thread takes some of the processor
            save(1)
        for iteration in range(2, ROUNDS + 2):
            save(iteration)
            begun = time.process_time()
            torch.save(state, Path(folder, "plain.pt"))
            plain.append(time.process_time() - begun)
        with Watch() as reading:
            Checkpoints(Path(folder, "checkpoints"), 1, "").newest()
    print(
        f"{megabytes:5} MB {copied[0] * 1e3:10.1f} {median(copied[1:]) * 1e3:10.1f}"
        f" {median(written[1:]) * 1e3:10.0f} {median(processor[1:]) * 1e3:10.0f} {median(plain) * 1e3:10.0f}"
        f" {saving.most / size:10.2f} {reading.most / size:10.2f}",
        flush=True,
    )


def measure_peers(megabytes: int) -> None:
    """Print how long a training waits for a checkpoint of a model of that size, and the memory it takes."""
    size = megabytes * 1_000_000
    for name, prepare in (("lightning", lightning_saves), ("accelerate", accelerate_saves)):
        if importlib.util.find_spec(name) is None:
            print(f"{name}: not installed; see README.md")
            continue
        waited, processor = [], []
        with tempfile.TemporaryDirectory(dir=".") as folder:
            weights = [nn.Parameter(torch.randn(size // 300 // 4)) for _ in range(300)]
            save = prepare(nn.ParameterList(weights), Path(folder))
            save()  # loads what it needs
            with Watch() as saving:
                save()
            for _ in range(ROUNDS):
                begun, used = time.perf_counter(), time.process_time()
                save()
                waited.append(time.perf_counter() - begun)
                processor.append(time.process_time() - used)
        print(
            f"{megabytes:5} MB, {name:12} waits {median(waited) * 1e3:8.1f} ms, processor"
            f" {median(processor) * 1e3:8.1f} ms, memory {saving.most / size:.2f}",
            flush=True,
        )


def lightning_saves(weights: nn.ParameterList, folder: Path) -> Callable[[], object]:
    """Return what saves with Lightning, after a step."""
    import lightning  # noqa: PLC0415 - not everybody has it

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.weights = weights

        def configure_optimizers(self) -> None:
            """Have none: the state of the model alone has the size."""

        def training_step(self, _batch: object, _index: int) -> None:
            """Do nothing."""

    with Path("/dev/null").open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_steps=1,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Module(), [torch.zeros(1)])
    return lambda: trainer.save_checkpoint(folder / "lightning.ckpt")


def accelerate_saves(weights: nn.ParameterList, folder: Path) -> Callable[[], object]:
    """Return what saves with accelerate."""
    from accelerate import Accelerator  # noqa: PLC0415 - not everybody has it

    accelerator = Accelerator(cpu=True)
    accelerator.prepare(weights)
    return lambda: accelerator.save_state(str(folder / "accelerate"))


def training(side: int, hidden: int) -> tuple[Callable[[], None], Callable[[], dict[str, Any]]]:
    """Return what takes a step of a training with Adam, and what returns its state."""
    model, criterion = Mlp((1, side, side), 10, hidden=hidden), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    images, labels = torch.randn(64, 1, side, side), torch.arange(64) % 10

    def step() -> None:
        optimizer.zero_grad()
        criterion(model(images), labels).backward()
        optimizer.step()

    step()
    return step, lambda: {
        "modules": {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    }


class Bare:
    """Saves a state by nothing but what has to be done: a copy, a write, a sync, a rename, a removal.

    There is no checksum, no format, and no second place for a state that is being written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
        self._copy = torch.empty(0)

    def record(self, iteration: int, state: dict[str, Any]) -> None:
        """Copy a state, and have it written on a thread."""
        self.wait()
        tensors: list[torch.Tensor] = []
        collect(state, tensors)
        if not len(self._copy):
            self._copy = torch.empty(sum(each.nbytes for each in tensors), dtype=torch.uint8)
        place = 0
        for each in tensors:
            self._copy[place : place + each.nbytes].view(each.dtype).view(each.shape).copy_(each)
            place += each.nbytes
        self._pending = self._thread.submit(self._write, iteration)

    def _write(self, iteration: int) -> None:
        new, path = self._folder / "new", self._folder / f"{iteration}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, self._copy.numpy())  # type: ignore[arg-type]  # it is memory
        os.fsync(descriptor)
        os.close(descriptor)
        new.rename(path)
        (self._folder / f"{iteration - 2}").unlink(missing_ok=True)

    def wait(self) -> None:
        """Wait until all is written."""
        if self._pending is not None:
            self._pending.result()


def collect(value: object, tensors: list[torch.Tensor]) -> None:
    """Add the tensors of a state to a list."""
    if isinstance(value, torch.Tensor):
        tensors.append(value)
    elif isinstance(value, dict):
        for each in value.values():
            collect(each, tensors)


def in_the_way(name: str, side: int, hidden: int) -> None:
    """Print how many times as long iterations of 60 ms take with a checkpoint each, ours and a bare one."""
    step, state = training(side, hidden)
    begun, steps = time.thread_time(), 0
    while time.thread_time() - begun < 5 * ITERATION:
        step()
        steps += 1
    iteration = 0
    with tempfile.TemporaryDirectory(dir=".") as folder:
        checkpoints = Checkpoints(Path(folder, "checkpoints"), 2, "")
        bare = Bare(Path(folder))
        with Recorder(checkpoints, Outputs(Path(folder)), Interval()) as recorder:

            def ours() -> None:
                points = [MetricPoint(key, 0.5, iteration, 0) for key in METRICS]
                recorder.record(Progress(iteration, 10**6, points), state, iteration)

            ways: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
                "without": (lambda: None, lambda: None),
                "ours": (ours, recorder.wait),
                "a bare copy and write": (lambda: bare.record(iteration, state()), bare.wait),
            }
            found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
            for pair in range(-1, PAIRS):
                for way in [*ways] if pair % 2 else reversed([*ways]):
                    save, wait = ways[way]
                    used, begun = time.process_time(), time.perf_counter()
                    for _ in range(TOGETHER):
                        for _ in range(steps // 5):
                            step()
                        iteration += 1
                        save()
                    wait()
                    if pair >= 0:  # the first one warms up
                        took = time.process_time() - used, time.perf_counter() - begun
                        found[way].append(took)
    for way in [*ways][1:]:
        pairs = zip(found[way], found["without"], strict=True)
        ratios = [(its[0] / without[0], its[1] / without[1]) for its, without in pairs]
        used, clock = (median(each) for each in zip(*ratios, strict=True))
        least = min(found[way])[0] / min(found["without"])[0]
        print(
            f"{name + ', ' + way:60}{used:8.3f}{clock:8.3f}   {least:.3f} in the minima", flush=True
        )


def main() -> None:
    """Measure each size, and then what a checkpoint of each iteration costs."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    names = ("copied 1st", "copied", "written", "processor", "torch.save", "memory", "reading")
    print(f"{'state':8} " + " ".join(f"{name:>10}" for name in names) + "   (ms; times the state)")
    warm_up()
    for megabytes in [*map(int, sys.argv[1:])] or [10, 100, 1000]:
        measure(megabytes)
        measure_peers(megabytes)
    print(f"{'iterations of 60 ms, each saved':60}{'used':>8}{'clock':>8}   (times those without)")
    in_the_way("MLP of the digits, a state of 0.3 MB", 8, 128)
    in_the_way("a state of 10 MB", 32, 500)


if __name__ == "__main__":
    main()
