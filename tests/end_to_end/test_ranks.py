"""A run of several processes, which `torchrun` starts: as many as it has GPUs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONFIG = """\
results_dir: results
experiment_id: ranks
world_size: 2
orch:
  gpus_per_run: ${world_size}
  command: [TORCHRUN, --standalone, --nproc-per-node, "{gpus}", rank.py]
  tracking: {enabled: false}
"""
# A rank of the first attempt is killed while the other one waits for it.
RANK = """\
import os, pathlib, signal
if os.environ["ORCH_ATTEMPT"] == "1":
    os.kill(os.getpid(), signal.SIGKILL) if os.environ["RANK"] == "1" else signal.pause()
pathlib.Path(os.environ["ORCH_RUN_DIR"], "rank-" + os.environ["RANK"]).write_text(os.environ["WORLD_SIZE"])
"""


def test_killed_rank_is_a_killed_run_and_is_retried(tmp_path: Path) -> None:
    """Although `torchrun` exits with 1; the number of ranks is part of the run ID."""
    scripts = Path(sys.executable).parent
    (tmp_path / "conf").mkdir()
    config = CONFIG.replace("TORCHRUN", str(scripts / "torchrun"))
    (tmp_path / "conf/config.yaml").write_text(config)
    (tmp_path / "rank.py").write_text(RANK)
    command = [scripts / "orch", "run", "--json", "--retries=1", "--gpus=none", "--workers=1"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=250
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    (retrying,) = [event for event in events if event["event"] == "retrying"]
    assert retrying["reason"].startswith("killed: by SIGKILL")
    (run_dir,) = tmp_path.glob("results/ranks/training/*")
    assert [(run_dir / f"rank-{rank}").read_text() for rank in range(2)] == ["2", "2"]
    assert "world_size: 2" in (run_dir / "config.yaml").read_text()


TRAINER = """\
results_dir: results
experiment_id: ranks
data: {_target_: trainer.data.digits.Digits}
model: {_target_: trainer.models.mlp.Mlp, input_shape: [1, 8, 8], classes: 10, hidden: 16, dropout: 0.2}
optimizer: {_target_: torch.optim.Adam, lr: 0.01}
criterion: {_target_: torch.nn.CrossEntropyLoss}
curriculum: {_target_: saboteur.Saboteur}
seed: 0
batch_size: 64
iterations: 4
device: cpu
world_size: 2
orch:
  gpus_per_run: ${world_size}
  tracking: {enabled: false}
"""
# Acts in the third iteration of the first attempt, on the second rank: kills it, or interrupts `orch run`.
SABOTEUR = """\
import os, pathlib, signal
from torch import distributed

def orchestrator():
    pid = os.getpid()
    while b"orch\\0run" not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid

class Saboteur:
    def cb_on_iteration_begin(self, trainer, iteration):
        if iteration != 3 or distributed.get_rank() != 1 or os.environ["ORCH_ATTEMPT"] != "1":
            return
        if pathlib.Path("kill").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if pathlib.Path("interrupt").exists():
            os.kill(orchestrator(), signal.SIGINT)
"""


def train(folder: Path, *options: str, code: int = 0) -> list[dict[str, Any]]:
    """Run the trainer with two ranks, and return the events."""
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf/config.yaml").write_text(TRAINER)
    (folder / "saboteur.py").write_text(SABOTEUR)
    ended = subprocess.run(
        [Path(sys.executable).with_name("orch"), "run", "--json", "--workers=1", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def read_results(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("results/ranks/training/*/results.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the results of a run with two ranks that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    train(folder)
    return read_results(folder)


def test_trainer_with_a_killed_rank_is_retried_and_ends_with_the_same_bits(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    """The other rank, which waits for its gradients, does not hide why."""
    (tmp_path / "kill").touch()
    events = train(tmp_path, "--retries=1")
    (retrying,) = [event for event in events if event["event"] == "retrying"]
    assert retrying["reason"].startswith("killed: by SIGKILL")
    found = read_results(tmp_path)
    assert found["digest"] == undisturbed["digest"]
    assert found["environment"]["ranks"] == "2"


def test_interrupted_trainer_leaves_a_checkpoint_of_all_ranks(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    """They stop after the same iteration, and the next `orch run` ends with the same bits."""
    (tmp_path / "interrupt").touch()
    train(tmp_path, code=128 + signal.SIGINT)
    (run_dir,) = tmp_path.glob("results/ranks/training/*")
    assert json.loads((run_dir / "status.json").read_text())["state"] == "interrupted"
    assert json.loads((run_dir / "progress.json").read_text())["iteration"] == 3
    assert not (run_dir / "results.json").exists()
    train(tmp_path)
    assert read_results(tmp_path)["digest"] == undisturbed["digest"]
