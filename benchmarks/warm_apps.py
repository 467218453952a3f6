"""Measures a grid of a ``@hydra.main`` app: one process per run against forks (``orch.entry_point``).

``warm_apps.py [RUNS] [ROUNDS]``: in each round, both carry out the same runs, one after the other, in
alternating order. Read the ratios, by the clock and by the processor.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

APP = """\
{imports}
import hydra

@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    print(cfg.seed)

if __name__ == "__main__":
    main()
"""
CONFIG = "seed: 0\norch: {tracking: {enabled: false}, workers: 1}\n"
KINDS = {"process per run": [], "orch.entry_point": ["orch.entry_point=train:main"]}


def main() -> None:
    """Measure an app that imports PyTorch, and one that imports nothing else."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3  # noqa: PLR2004 # the second argument
    print(f"{runs} runs, one at a time; medians of {rounds} rounds\n")
    print(f"{'app':16}{'how':20}{'clock s':>9}{'cpu s':>9}")
    for name, imports in {"imports torch": "import torch", "imports nothing": ""}.items():
        found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
        for number in range(rounds):
            for kind in [*KINDS][:: 1 if number % 2 else -1]:
                found[kind].append(measure(imports, runs, KINDS[kind]))
        for kind, each in found.items():
            clock, cpu = (statistics.median(column) for column in zip(*each, strict=True))
            print(f"{name:16}{kind:20}{clock:9.2f}{cpu:9.2f}")
        pairs = [*zip(*found.values(), strict=True)]
        for what, column in (("clock", 0), ("cpu", 1)):
            ratio = statistics.median(cold[column] / warm[column] for cold, warm in pairs)
            print(f"{name:16}{what}: {ratio:.1f} times as fast")


def measure(imports: str, runs: int, settings: list[str]) -> tuple[float, float]:
    """Return the wall time and the CPU time of one grid in a new folder, in seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conf").mkdir()
        (folder / "conf/config.yaml").write_text(CONFIG)
        (folder / "train.py").write_text(APP.format(imports=imports))
        command = [sys.executable, "-m", "orchestrator", "run", "--app=train.py", "--quiet"]
        began, before = time.perf_counter(), os.times()
        subprocess.run(
            [*command, f"seed=range({runs})", *settings],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        after = os.times()
        cpu = after.children_user + after.children_system
        cpu -= before.children_user + before.children_system
        return time.perf_counter() - began, cpu


if __name__ == "__main__":
    main()
