"""Measures a grid of small trainings as whole processes, beside two common alternatives.

``python benchmarks/grid.py [RUNS] [--without-cold]``: RUNS trainings of the digits (32), five epochs
each with a durable checkpoint and MLflow, two at once. The peers are Hydra's joblib launcher (if
``hydra-joblib-launcher`` is importable) and one process per run (``xargs -P2``). The MLflow store
exists beforehand for all. Compare the ratios: the seconds depend on the machine.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
ORCH = str(Path(sys.executable).with_name("orch"))


def is_importable(package: str, module: str) -> bool:
    """Return whether a module of a package is importable; the package may be missing, too."""
    has_package = importlib.util.find_spec(package) is not None
    return has_package and importlib.util.find_spec(f"{package}.{module}") is not None


PEER = ROOT / "benchmarks/peers/digits.py"
HAS_JOBLIB = is_importable("hydra_plugins", "hydra_joblib_launcher")
# Of one process per run only a few are measured: each takes the same time.
COLD_RUNS = 8
MANY = 1000
FEW = 40


def main() -> None:
    """Measure each way once, in turn, and print the seconds and the ratios."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    runs = numbers[0] if numbers else 32
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        make_store(results)
        one = measure(ours(results, "warm_up", 1))
        own = measure(ours(results, "grid", runs))
        again = measure(ours(results, "grid", runs))
        rows = [("ours", own, runs), ("ours, nothing to do", again, runs), ("ours, 1 run", one, 1)]
        if HAS_JOBLIB:
            rows.append(("Hydra joblib", measure(joblib(results, runs)), runs))
        else:
            print("Hydra's joblib launcher is not installed: pip install hydra-joblib-launcher")
        if "--without-cold" not in sys.argv:
            seconds = measure(cold(results, COLD_RUNS)) * runs / COLD_RUNS
            rows.append((f"one process per run (x{runs / COLD_RUNS:g})", seconds, runs))
        print_table(runs, own, one, rows)
        print_overhead(results)
    print_many()


def print_table(runs: int, own: float, one: float, rows: list[tuple[str, float, int]]) -> None:
    """Print the seconds and the ratios."""
    print(f"{runs} runs, 2 at once{'seconds':>23}{'per run':>10}{'ours / it':>12}")
    for name, seconds, count in rows:
        ratio = f"{own / seconds:12.3f}" if count == runs else ""
        print(f"{name:32}{seconds:10.2f}{seconds / count:10.3f}{ratio}")
    extra = (own - one) / (runs - 1)
    print(f"one more run in the same slots costs {extra * 1000:.0f} ms of the machine")


def print_overhead(results: Path) -> None:
    """Print the overhead of one more run in a single slot, beyond its training.

    Every second run trains again in its own process, which is warm then: so both are measured at the
    same time, on a machine whose speed changes.
    """
    slots, alone, beyond = [], [], []
    for turn in range(3):
        command = ours(results, f"alone-{turn}", FEW, workers=1)
        entry_point = ["orch.entry_point=twice:main", 'orch.arguments=["{run_dir}","{seed}"]']
        measure([*command, *entry_point], PEER.parent)
        run_dirs = sorted((results / f"alone-{turn}/training").iterdir(), key=began_at)
        for run_dir, following in itertools.pairwise(run_dirs):
            again = following / "again.txt"
            if again.exists() and not (run_dir / "again.txt").exists():
                slots.append(began_at(following) - began_at(run_dir))
                alone.append(float(again.read_text()))
                beyond.append(slots[-1] - alone[-1])
    slot, training, rest = (statistics.median(each) * 1000 for each in (slots, alone, beyond))
    print(
        f"one more run in a single slot {slot:.0f} ms, its training {training:.0f} ms:"
        f" {rest:.0f} ms beyond it ({rest / training:.2f} of it)"
    )


def began_at(run_dir: Path) -> float:
    """Return when a run started, in seconds."""
    status = json.loads((run_dir / "status.json").read_text())
    return datetime.fromisoformat(status["started_at"]).timestamp()


def print_many() -> None:
    """Print the cost of runs of 10 ms, which are all overhead."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "conf").mkdir()
        (place / "conf/config.yaml").write_text(
            "results_dir: results\nexperiment_id: many\nn: 0\n"
            "orch: {entry_point: 'quick:main', tracking: {enabled: false}}\n"
        )
        (place / "quick.py").write_text("import time\n\ndef main():\n    time.sleep(0.01)\n")
        command = [ORCH, "run", f"n=range({MANY})", "--workers=2", "--quiet"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{MANY} runs of 10 ms: {seconds:.1f} s, {seconds / MANY * 1000:.1f} ms per run; of the"
        f" orchestrator's own processor time {processor / MANY * 1000:.1f} ms per run"
    )


def make_store(results: Path) -> None:
    """Create the MLflow store with our own reporter, so that its creation is not measured."""
    subprocess.run(ours(results, "first", 1), cwd=ROOT, check=True, capture_output=True)


def ours(results: Path, experiment: str, runs: int, workers: int = 2) -> list[str]:
    """Return our command line."""
    return [
        ORCH,
        "run",
        f"--config-dir={ROOT / 'conf'}",
        f"results_dir={results}",
        f"experiment_id={experiment}",
        f"seed=range({runs})",
        "iterations=5",
        f"--workers={workers}",
    ]


def joblib(results: Path, runs: int) -> list[str]:
    """Return the command line of Hydra's joblib launcher."""
    return [
        *peer(results),
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "hydra.launcher.verbose=0",
        f"seed=range({runs})",
        "--multirun",
    ]


def cold(results: Path, runs: int) -> list[str]:
    """Return a command line that starts one process per run, two at once."""
    one = " ".join([*peer(results), "seed={}"])
    return ["sh", "-c", f"seq {runs} | xargs -P2 -I{{}} {one}"]


def peer(results: Path) -> list[str]:
    """Return the command line of the training that the peers share."""
    return [
        sys.executable,
        str(PEER),
        f"uri=sqlite:///{results}/mlflow.db",
        f"checkpoints={results}/peers",
    ]


def measure(command: list[str], folder: Path = ROOT) -> float:
    """Return the wall time of one process, in seconds."""
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    start = time.perf_counter()
    ended = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, env=environment
    )
    seconds = time.perf_counter() - start
    if ended.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ended.stdout}{ended.stderr}")
    return seconds


if __name__ == "__main__":
    main()
