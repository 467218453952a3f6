"""Measures saving states of 10 MB, 100 MB and 1 GB: training time, processor time and memory.

``python benchmarks/states.py [MEGABYTES...]``: a copy, which holds the training up, and the durable
file, which a thread of its own writes; `torch.save` to a file that need not last stands beside them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Self

# The folder of this script would hide the package of the same name.
sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]

import torch  # noqa: E402 - after that

from trainer.checkpoints.store import Checkpoints  # noqa: E402 - as above

ROUNDS = 5
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


def measure(megabytes: int) -> None:
    """Print a line for a state of that size, in 300 tensors."""
    size = megabytes * 1_000_000
    weights = {f"{number}": torch.randn(size // 300 // 4) for number in range(300)}
    state = {"modules": {"model": weights}}
    copied, written, processor, plain = [], [], [], []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        checkpoints = Checkpoints(Path(folder, "checkpoints"), 1, "")
        with Watch() as saving:
            for iteration in range(1, ROUNDS + 1):
                begun = time.perf_counter()
                taken = checkpoints.take(iteration, state, None)
                copied.append(time.perf_counter() - begun)
                begun, used = time.perf_counter(), time.process_time()
                checkpoints.write(taken)
                written.append(time.perf_counter() - begun)
                processor.append(time.process_time() - used)
                begun = time.process_time()
                torch.save(state, Path(folder, "plain.pt"))
                plain.append(time.process_time() - begun)
        with Watch() as reading:
            Checkpoints(Path(folder, "checkpoints"), 1, "").newest()
    print(
        f"{megabytes:5} MB {copied[0] * 1e3:10.1f} {median(copied) * 1e3:10.1f}"
        f" {median(written) * 1e3:10.0f} {median(processor) * 1e3:10.0f} {median(plain) * 1e3:10.0f}"
        f" {saving.most / size:10.2f} {reading.most / size:10.2f}",
        flush=True,
    )


def main() -> None:
    """Measure each size."""
    torch.set_num_threads(1)
    names = ("copied 1st", "copied", "written", "processor", "torch.save", "memory", "reading")
    print(f"{'state':8} " + " ".join(f"{name:>10}" for name in names) + "   (ms; times the state)")
    for megabytes in [*map(int, sys.argv[1:])] or [10, 100, 1000]:
        measure(megabytes)


if __name__ == "__main__":
    main()
