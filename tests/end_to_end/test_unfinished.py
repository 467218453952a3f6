"""A training is done only when its results are there, however its process ended."""

import json
import subprocess
import sys
from pathlib import Path

ORCH = Path(sys.executable).with_name("orch")
CONFIG = """
results_dir: results
experiment_id: unfinished
seed: 0
batch_size: 64
iterations: 3
training_type: epoch
device: cpu
data: {_target_: trainer.data.digits.Digits, classes: 10, input_shape: [1, 8, 8], held_out: 397, validation: 100}
model: {_target_: leaving.Model}
optimizer: {_target_: torch.optim.SGD, lr: 0.1}
criterion: {_target_: torch.nn.CrossEntropyLoss}
orch:
  tracking: {enabled: false}
"""
MODULE = """
import os
from torch import nn

class Model(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 10))

    def cb_on_iteration_end(self, trainer, iteration, metrics):
        if iteration == 2 and os.environ["ORCH_ATTEMPT"] == "1":
            os._exit(0)
"""


def test_process_that_ends_with_code_0_and_no_results_has_failed(tmp_path: Path) -> None:
    """Not even ``os._exit`` makes a training done; the next attempt goes on."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(CONFIG)
    (tmp_path / "leaving.py").write_text(MODULE)
    for code, state, attempt in ((1, "failed", 1), (0, "done", 2)):
        ended = subprocess.run([ORCH, "run"], cwd=tmp_path, capture_output=True, check=False)
        assert ended.returncode == code, ended.stdout
        (status,) = tmp_path.glob("results/unfinished/training/*/status.json")
        found = json.loads(status.read_text())
        assert (found["state"], found["attempt"]) == (state, attempt)
    assert list(tmp_path.glob("results/unfinished/training/*/results.json"))
