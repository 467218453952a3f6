"""A grid on a real GPU; `make gpu` runs these tests where there is one.

What decides about GPUs is tested without any beside this, on a stand-in for the driver.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.execution.slots import Gpu
from orchestrator.execution.visible_gpus import Nvml

pytestmark = pytest.mark.gpu

ROOT = Path(__file__).parents[2]
GRID = (
    "training=grid_search",
    "model=mlp,cnn10",
    "optimizer.lr=0.03",
    "batch_size=64",
    "seed=0,1",
    "iterations=3",
    "device=cuda",
    "orch.tracking.enabled=false",
    f"--config-dir={ROOT / 'conf'}",
)
# Takes a part of the memory of the GPU that it sees. A run that got it keeps it until another run has
# found out that nothing is left.
GREEDY = """\
import pathlib, sys, time
import torch

def main():
    found_out = pathlib.Path("found-out")
    assert torch.cuda.device_count() == 1
    size = torch.cuda.get_device_properties(0).total_memory
    try:
        memory = torch.empty(int(float(sys.argv[1]) * size), dtype=torch.uint8, device="cuda")
    except torch.OutOfMemoryError:
        found_out.touch()
        raise
    until = time.monotonic() + 60
    while not found_out.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert found_out.exists()
"""
FOREIGN = """\
import sys, torch
free, _ = torch.cuda.mem_get_info()
memory = torch.empty(free - (2 << 30), dtype=torch.uint8, device="cuda")
print("full", flush=True)
sys.stdin.read()
"""


def orch(folder: Path, *arguments: str, code: int = 0) -> str:
    """Call orch in a folder, and return what it printed."""
    ended = subprocess.run(
        [Path(sys.executable).with_name("orch"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "Traceback" not in ended.stderr
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def results(folder: Path) -> dict[str, Any]:
    """Return every run's results by its values."""
    return {
        str(read(path.parent / "run.json")["overrides"]): read(path)
        for path in folder.glob("results/*/training/*/results.json")
    }


def digests(folder: Path) -> dict[str, str]:
    return {point: found["digest"] for point, found in results(folder).items()}


def greedy(folder: Path, entry: str = "train:main", more: str = "") -> Path:
    """Make the folder of a grid of runs that take a part of the GPU's memory."""
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(
        "results_dir: results\nexperiment_id: greedy\npart: 0.1\nseed: 0\n"
        f"orch:\n  entry_point: {entry}\n  arguments: ['{{part}}']\n"
        f"  tracking: {{enabled: false}}\n{more}"
    )
    (folder / "train.py").write_text(GREEDY)
    return folder


def events(text: str, kind: str) -> list[dict[str, Any]]:
    """Return what the lines of ``--json`` tell of one kind."""
    told = (json.loads(line) for line in text.splitlines())
    return [event for event in told if event["event"] == kind]


@pytest.fixture(scope="module")
def gpu() -> Gpu:
    found = Nvml().found()
    assert found, "there is no GPU here"
    return found[0]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which a grid has run on the GPU, one run at a time."""
    folder = tmp_path_factory.mktemp("alone")
    orch(folder, "run", *GRID, "--gpus=all", "--workers=1")
    return folder


def test_cards_are_those_that_the_driver_lists(gpu: Gpu) -> None:
    """UUID, name and memory, as nvidia-smi tells them."""
    told = subprocess.run(
        ["nvidia-smi", "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=True,
    )
    uuid, name, memory = told.stdout.splitlines()[0].split(", ")
    assert (gpu.uuid, gpu.name) == (uuid, name)
    assert gpu.memory == pytest.approx(int(memory) << 20, rel=0.05)
    use = Nvml().use(gpu)
    assert use is not None
    assert 0 < use.free <= gpu.memory


def test_trainings_use_the_gpu_that_they_were_given(alone: Path, gpu: Gpu) -> None:
    """Which one it was is written down, with all that may change the bits."""
    found = results(alone)
    assert len(found) == 4
    for each in found.values():
        environment = each["environment"]
        assert environment["device"] == f"cuda ({gpu.name})"
        assert environment["deterministic"] is True
        assert {"cuda", "cudnn"} < set(environment)


def test_several_on_a_gpu_give_the_same_bits(alone: Path, tmp_path: Path) -> None:
    """As one after the other."""
    orch(tmp_path, "run", *GRID, "--gpus=0", "--workers=4")
    assert digests(tmp_path) == digests(alone)


def test_runs_share_a_gpu_unless_told_otherwise_with_the_same_bits(
    alone: Path, tmp_path: Path
) -> None:
    """Once the memory of the first of a kind is known; it is measured for each."""
    told = orch(tmp_path, "run", *GRID, "--gpus=0", "--json")
    assert digests(tmp_path) == digests(alone)
    states = [read(path) for path in tmp_path.glob("results/*/training/*/status.json")]
    assert all(each["gpu_memory"] > 100 << 20 for each in states)
    kinds = [event["event"] for event in map(json.loads, told.splitlines())]
    begun = [kinds[:at].count("started") - kinds[:at].count("ended") for at in range(len(kinds))]
    assert max(begun) > 1


@pytest.mark.skipif(
    shutil.which("nvidia-cuda-mps-control") is None, reason="the driver has no MPS here"
)
def test_runs_that_compute_at_the_same_time_give_the_same_bits(alone: Path, tmp_path: Path) -> None:
    """The daemon is started for them, and has ended with them."""
    orch(tmp_path, "run", *GRID, "--gpus=0", "orch.mps=true")
    assert digests(tmp_path) == digests(alone)
    left = subprocess.run(["pgrep", "-f", "nvidia-cuda-mps-control"], check=False)
    assert left.returncode == 1


def test_cold_process_gives_the_same_bits(alone: Path, tmp_path: Path) -> None:
    """As a fork of one that has loaded everything, and left the GPU alone."""
    command = f"orch.command=[{sys.executable},-m,trainer,'{{run_dir}}']"
    orch(tmp_path, "run", *GRID, "--gpus=all", "--workers=4", command)
    assert digests(tmp_path) == digests(alone)


def test_killed_training_continues_with_the_same_bits(tmp_path: Path) -> None:
    """The state of the GPU's generator and of the optimizer is in the checkpoint."""
    killing = [*GRID, "+curriculum._target_=saboteur.KillEverything", "+curriculum.seed=${seed}"]
    killing += ["model.dropout=0.2", "model=mlp", "--workers=1"]
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    for folder in (undisturbed, disturbed):
        shutil.copytree(ROOT / "tests/end_to_end/project", folder)
    orch(undisturbed, "run", *killing, "+curriculum.at=99")
    orch(disturbed, "run", *killing, "+curriculum.at=3", code=-9)
    orch(disturbed, "run", *killing, "+curriculum.at=3")
    assert len(digests(disturbed)) == 2
    assert digests(disturbed) == digests(undisturbed)


def test_no_gpu_is_seen_where_none_is_wanted(tmp_path: Path) -> None:
    """`device: auto` falls back to the processor, `device: cuda` is one clear line."""
    orch(tmp_path, "run", *GRID, "device=auto", "seed=0", "model=mlp", "--gpus=none")
    (found,) = results(tmp_path).values()
    assert found["environment"]["device"] == "cpu"
    told = orch(tmp_path, "run", *GRID, "seed=1", "model=mlp", "--gpus=none", code=1)
    assert "there is no usable GPU here. Set device: auto, or cpu." in told


def test_out_of_memory_beside_others_is_tried_alone(tmp_path: Path, gpu: Gpu) -> None:
    """Two that need six tenths each cannot share a GPU; both are done in the end."""
    folder = greedy(tmp_path)
    told = orch(folder, "run", "part=0.6", "seed=0,1", "--workers=2", "--json")
    (retrying,) = events(told, "retrying")
    assert retrying["alone"] is True
    assert retrying["reason"].startswith("out-of-memory: torch.OutOfMemoryError: CUDA out of")
    assert [event["state"] for event in events(told, "ended")] == ["done", "done"]
    assert {event["gpu"] for event in events(told, "started")} == {gpu.uuid}


def test_out_of_memory_alone_is_a_failure(tmp_path: Path) -> None:
    """What is larger than the GPU is not tried again."""
    folder = greedy(tmp_path)
    told = orch(folder, "run", "part=2", "--workers=2", "--json", code=1)
    (ended,) = events(told, "ended")
    assert ended["state"] == "failed"
    assert "out-of-memory: torch.OutOfMemoryError: CUDA out of memory" in ended["reason"]
    assert events(told, "retrying") == []


def test_gpu_that_others_fill_is_waited_for(tmp_path: Path) -> None:
    """The slot says why; when the memory is free again, the run starts."""
    (tmp_path / "found-out").touch()
    folder = greedy(tmp_path, more="  gpu_memory: 8 GiB\n")
    foreign = subprocess.Popen(
        [sys.executable, "-c", FOREIGN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with foreign:
        assert foreign.stdout is not None
        assert foreign.stdout.readline() == "full\n"
        grid = subprocess.Popen(
            [Path(sys.executable).with_name("orch"), "run", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        with grid:
            assert grid.stdout is not None
            (blocked,) = events(grid.stdout.readline(), "blocked")
            assert "other programs use the rest; a run needs 8.0" in blocked["reason"]
            foreign.kill()
            rest = grid.stdout.read()
        assert grid.returncode == 0
    assert [event["state"] for event in events(rest, "ended")] == ["done"]


def test_process_that_forks_leaves_the_gpu_alone(tmp_path: Path) -> None:
    """While a run computes, it alone is seen on the GPU: CUDA does not survive a fork."""
    folder = greedy(tmp_path, "train:look", "  preload: [torch, trainer.trainer]\n")
    (folder / "train.py").write_text(
        "import os, torch\n"
        "from orchestrator.execution.visible_gpus import Nvml\n\n"
        "def look():\n"
        "    torch.ones(1, device='cuda')\n"
        "    use = Nvml().use(Nvml().found()[0])\n"
        "    print(os.getpid(), sorted(use.processes))\n"
    )
    orch(folder, "run", "--workers=1", "--gpus=all")
    (log,) = folder.glob("results/*/training/*/logs/attempt-001.log")
    pid, seen = log.read_text().split(maxsplit=1)
    assert json.loads(seen) == [int(pid)]


def test_second_run_imports_nothing_on_the_gpu_that_the_first_did(tmp_path: Path) -> None:
    """What the GPU makes PyTorch import is learned, and loaded before the fork, which leaves it alone."""
    folder = greedy(tmp_path, "train:look", "  preload: [torch]\n")
    (folder / "train.py").write_text(
        "import sys, torch\n\n"
        "def look():\n"
        "    before = {*sys.modules}\n"
        "    model = torch.nn.Conv2d(3, 8, 3, device='cuda')\n"
        "    model(torch.ones(2, 3, 9, 9, device='cuda')).sum().backward()\n"
        "    torch.optim.Adam(model.parameters(), fused=True).step()\n"
        "    torch.cuda.synchronize()\n"
        "    print(len({*sys.modules} - before))\n"
    )
    orch(folder, "run", "seed=range(12)", "--workers=1", "--gpus=all")
    began = {
        read(log.parents[1] / "status.json")["started_at"]: int(log.read_text())
        for log in folder.glob("results/*/training/*/logs/attempt-001.log")
    }
    first, *_, last = (count for _, count in sorted(began.items()))
    assert last <= first // 2
