"""Measures a grid of a ``@hydra.main`` app: one process per run against forks (``orch.entry_point``).

``warm_apps.py [RUNS] [ROUNDS]``: in each round, both carry out the same runs, one after the other, in
alternating order. Read the ratios.
"""

from __future__ import annotations

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
    for name, imports in {"imports torch": "import torch", "imports nothing": ""}.items():
        found: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for number in range(rounds):
            for kind in [*KINDS][:: 1 if number % 2 else -1]:
                found[kind].append(measure(imports, runs, KINDS[kind]))
        for kind, seconds in found.items():
            print(f"{name:16}{kind:20}{statistics.median(seconds):9.2f} s")
        ratios = [cold / warm for cold, warm in zip(*found.values(), strict=True)]
        print(f"{name:16}{statistics.median(ratios):.1f} times as fast")


def measure(imports: str, runs: int, settings: list[str]) -> float:
    """Return the wall time of one grid in a new folder, in seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conf").mkdir()
        (folder / "conf/config.yaml").write_text(CONFIG)
        (folder / "train.py").write_text(APP.format(imports=imports))
        command = [sys.executable, "-m", "orchestrator", "run", "--app=train.py", "--quiet"]
        began = time.perf_counter()
        subprocess.run(
            [*command, f"seed=range({runs})", *settings],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
