"""A program of somebody else, without PyTorch: it resumes, and ends with bits that can be compared."""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

from witness import Witness


def replace(path: Path, content: str) -> None:
    """Write a file whole or not at all."""
    new = path.with_name(f"{path.name}.tmp")
    with new.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def publish(run_dir: Path, iteration: int, iterations: int) -> None:
    """Tell how far the run is."""
    progress = {"iteration": iteration, "iterations": iterations, "metrics": {}}
    replace(run_dir / "progress.json", json.dumps(progress | {"updated_at": str(time.time())}))


def main(run_dir: Path, iterations: int) -> None:
    """Compute a chain of digests, one per iteration, and save each."""
    folder = run_dir / "checkpoints"
    folder.mkdir(exist_ok=True)
    saved = sorted(folder.glob("0*.pt"))
    value = saved[-1].read_text() if saved else run_dir.name
    done = int(saved[-1].name[:6]) if saved else 0
    witness = Witness()
    witness.cb_on_train_begin(None)
    for iteration in range(done + 1, iterations + 1):
        witness.cb_on_iteration_begin(None, iteration)
        value = hashlib.sha256(f"{value} {iteration}".encode()).hexdigest()
        replace(folder / f"{iteration:06d}-{value[:8]}.pt", value)
        publish(run_dir, iteration, iterations)
    if done == iterations:  # ended between its last checkpoint and telling of it
        publish(run_dir, iterations, iterations)
    replace(run_dir / "results.json", json.dumps({"schema": 1, "digest": value}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
