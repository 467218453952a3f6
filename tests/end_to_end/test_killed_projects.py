"""Projects as their users have them, killed with everything around them: the same command ends them.

Small stand-ins of five widely used projects, each with at most one setting or line for ``orch``. What each
framework allows differs: it resumes with the same numbers, or starts again from the beginning.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from thinning import alternate_in_soak

ORCH = Path(sys.executable).with_name("orch")
ROOT = Path(__file__).parents[2]
MARK = "MARK_OF_THIS_TEST"
# Each program calls it after each step; in the first attempt, it waits for its death in step 3.
WAITING = """
import os, pathlib, time
def step_is_over(step):
    with open(os.environ["ORCH_RUN_DIR"] + "/steps-" + os.environ["ORCH_ATTEMPT"], "a") as file:
        file.write(f"{step} ")
    if step == 3 and pathlib.Path("hold").exists() and os.environ.get("ORCH_ATTEMPT") == "1":
        pathlib.Path(f"waiting-{os.getpid()}").touch()
        time.sleep(600)
"""
# The manner of nanoGPT: a file that executes another one takes --key=value; it resumes if it is told to.
CONFIGURED = {
    "configurator.py": """
for arg in sys.argv[1:]:
    if "=" not in arg:
        exec(open(arg).read())
    else:
        key, val = arg[2:].split("=")
        assert key in globals()
        globals()[key] = type(globals()[key])(val)
""",
    "config/small.py": "max_iters = 5\n",
    "train.py": """
import json, os, sys
import waiting
out_dir, init_from, learning_rate, max_iters = "out", "scratch", 6e-4, 600000
exec(open("configurator.py").read())
os.makedirs(out_dir, exist_ok=True)
ckpt = os.path.join(out_dir, "ckpt.json")
begin, x = json.load(open(ckpt)) if init_from == "resume" else (0, 1.0)
for step in range(begin, max_iters):
    x -= learning_rate * x
    print(f"step {step + 1}: train loss {x:.6f}, val loss {2 * x:.6f}", flush=True)
    json.dump((step + 1, x), open(ckpt + ".tmp", "w"))
    os.replace(ckpt + ".tmp", ckpt)
    waiting.step_is_over(step + 1)
""",
    "conf/config.yaml": r"""
results_dir: results
experiment_id: e
learning_rate: 0.1
orch:
  command: [sh, -c, 'exec python train.py config/small.py --out_dir=$ORCH_RUN_DIR/out "$@"
    $(test -e $ORCH_RUN_DIR/out/ckpt.json && echo --init_from=resume)', nanogpt, "--learning_rate={learning_rate}"]
  metrics_from_output: 'step (?P<step>\d+): train loss (?P<train>\S+), val loss (?P<val>\S+)'
""",
}
# The manner of a language model in the examples of PyTorch: it saves its model, and never resumes.
FORGETFUL = {
    "main.py": """
import argparse
import waiting
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=20)
parser.add_argument("--save", default="model.pt")
args = parser.parse_args()
x = 1.0
for epoch in range(1, 6):
    x -= args.lr * x
    print("-" * 89)
    print("| end of epoch {:3d} | valid loss {:5.6f} | valid ppl".format(epoch, x), flush=True)
    open(args.save, "w").write(str(x))
    waiting.step_is_over(epoch)
""",
    "conf/config.yaml": r"""
results_dir: results
experiment_id: e
lr: 20
orch:
  command: [python, main.py, "--lr={lr}", "--save={run_dir}/model.pt"]
  metrics_from_output: 'end of epoch +(?P<step>\d+) .* valid loss +(?P<valid>\S+)'
""",
}
# A script with the trainer of Transformers, and one line: the callback, which also knows the checkpoint.
HUGGING = {
    "transformers.py": """
import json, os
from types import SimpleNamespace as N
import waiting
class TrainerCallback: pass
class Trainer:
    def __init__(self, lr, callbacks):
        self.lr, self.callbacks = lr, callbacks
        self.args = N(output_dir="out", save_strategy="epoch", save_total_limit=None, world_size=1)
        self.state = N(global_step=0, max_steps=5, is_world_process_zero=True)
        self.control = N(should_save=False)
        self.call("on_init_end")
    def call(self, hook, **others):
        for each in self.callbacks:
            getattr(each, hook, lambda *_, **__: None)(self.args, self.state, self.control, **others)
    def train(self, resume_from_checkpoint=None):
        x = 1.0
        if resume_from_checkpoint:
            saved = json.load(open(resume_from_checkpoint + "/trainer_state.json"))
            x, self.state.global_step = saved["x"], saved["step"]
        while self.state.global_step < 5:
            x -= self.lr * x
            self.state.global_step += 1
            self.call("on_step_end")
            self.call("on_log", logs={"loss": x})
            self.call("on_epoch_end")
            if self.control.should_save:
                folder = f"{self.args.output_dir}/checkpoint-{self.state.global_step}"
                os.makedirs(folder, exist_ok=True)
                json.dump({"x": x, "step": self.state.global_step}, open(folder + "/trainer_state.json", "w"))
                self.call("on_save")
            waiting.step_is_over(self.state.global_step)
        self.call("on_evaluate", metrics={"eval_loss": x})
        self.call("on_train_end")
""",
    "run.py": """
import sys
from transformers import Trainer
from orch.integrations.huggingface import OrchCallback
trainer = Trainer(float(sys.argv[1]), callbacks=[callback := OrchCallback()])
trainer.train(resume_from_checkpoint=callback.checkpoint)
""",
    "conf/config.yaml": """
results_dir: results
experiment_id: e
lr: 20
orch: {command: [python, run.py, "{lr}"]}
""",
}
# The manner of a template for Lightning and Hydra, unchanged: ckpt_path=last is a choice of its own.
TEMPLATE = {
    "src/train.py": """
import json, os, sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import hydra, waiting

@hydra.main(version_base="1.3", config_path="../configs", config_name="train.yaml")
def main(cfg):
    folder = Path(cfg.paths.output_dir, "checkpoints")
    last = folder / "last.ckpt"
    begin, x = json.loads(last.read_text()) if cfg.ckpt_path == "last" and last.exists() else (0, 1.0)
    folder.mkdir(exist_ok=True)
    for epoch in range(begin + 1, cfg.trainer.max_epochs + 1):
        x -= cfg.model.optimizer.lr * x
        print(f"epoch {epoch} val/loss {x:.6f}", flush=True)
        Path(f"{last}.tmp").write_text(json.dumps((epoch, x)))
        os.replace(f"{last}.tmp", last)
        waiting.step_is_over(epoch)

if __name__ == "__main__":
    main()
""",
    "configs/train.yaml": """
# @package _global_
defaults: [_self_, {model: mnist}, {trainer: default}, {paths: default}, {hydra: default}]
ckpt_path: null
""",
    "configs/model/mnist.yaml": "optimizer: {lr: 0.001}\n",
    "configs/trainer/default.yaml": "max_epochs: 5\ndefault_root_dir: ${paths.output_dir}\n",
    "configs/paths/default.yaml": "output_dir: ${hydra:runtime.output_dir}\n",
    "configs/hydra/default.yaml": "run: {dir: 'logs/${now:%H}'}\nsweep: {dir: x, subdir: '${hydra.job.num}'}\n",
}
# Configs in Python with a resolver of their own.
STRUCTURED = {
    "app.py": """
import json, os, sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
import hydra, waiting
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import MISSING, OmegaConf

OmegaConf.register_new_resolver("product", lambda one, other: one * other)

@dataclass
class Sgd:
    lr: float = 0.1

@dataclass
class Config:
    defaults: list[Any] = field(default_factory=lambda: ["_self_", {"optimizer": "sgd"}])
    steps: int = "${product:5,${factor}}"
    factor: int = 1
    optimizer: Any = MISSING

ConfigStore.instance().store(name="config", node=Config)
ConfigStore.instance().store(group="optimizer", name="sgd", node=Sgd)

@hydra.main(version_base=None, config_name="config")
def main(cfg: Config) -> None:
    state = Path(HydraConfig.get().runtime.output_dir, "state.json")
    begin, x = json.loads(state.read_text()) if state.exists() else (0, 1.0)
    for step in range(begin + 1, cfg.steps + 1):
        x -= cfg.optimizer.lr * x
        print("step", step, "x", f"{x:.6f}", flush=True)
        Path(f"{state}.tmp").write_text(json.dumps((step, x)))
        os.replace(f"{state}.tmp", state)
        waiting.step_is_over(step)

if __name__ == "__main__":
    main()
""",
}


@dataclass(frozen=True)
class Project:
    """A project, what is typed for it, its metric, and what the second attempt begins with."""

    files: dict[str, str]
    key: str
    typed: tuple[str, ...]
    metric: str
    begins_after: int = 3


PROJECTS = {
    "nanogpt": Project(CONFIGURED, "learning_rate", (), "train"),
    "word language model": Project(FORGETFUL, "lr", (), "valid", begins_after=0),
    "transformers": Project(HUGGING, "lr", (), "loss"),
    "lightning template": Project(
        TEMPLATE,
        "model.optimizer.lr",
        (
            "--app=src/train.py",
            "ckpt_path=last",
            r"orch.metrics_from_output='epoch (?P<step>\d+) val/loss (?P<x>\S+)'",
        ),
        "x",
    ),
    "config store": Project(
        STRUCTURED,
        "optimizer.lr",
        ("--app=app.py", r"orch.metrics_from_output='step (?P<step>\d+) x (?P<x>\S+)'"),
        "x",
    ),
}


def _processes() -> list[int]:
    """Return the processes of this test: they have inherited its mark."""
    found = []
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            if (
                path.name.isdecimal()
                and f"{MARK}={os.getpid()}\0".encode() in (path / "environ").read_bytes()
            ):
                found.append(int(path.name))
    return [pid for pid in found if pid != os.getpid()]


def _is_output_kept(folder: Path, project: Project) -> bool:
    """Tell whether the metrics that are read from the output have come out of the pipe, if any are."""
    if not any(each.startswith("orch.metrics_from_output") for each in project.typed):
        return True
    logs = [path.read_text() for path in folder.glob("results/*/training/*/logs/*")]
    return sum(bool(re.search(r"^(epoch|step) 3 ", log, re.MULTILINE)) for log in logs) == 2


def _kill_everything(grid: subprocess.Popen[bytes]) -> None:
    while found := _processes():
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        grid.wait()
        time.sleep(0.01)  # others are reaped by init


@pytest.mark.parametrize("name", alternate_in_soak(PROJECTS))
def test_killed_project_ends_as_if_undisturbed(tmp_path: Path, name: str) -> None:
    """Each step stands once, with the value that an undisturbed run has."""
    project = PROJECTS[name]
    for file, text in {**project.files, "waiting.py": WAITING, "hold": ""}.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    path = os.pathsep.join((str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")))
    binaries = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, MARK: str(os.getpid()), "PYTHONPATH": path, "PATH": binaries}
    command = [str(ORCH), "run", f"{project.key}=0.5,0.25", *project.typed]
    command += ["orch.tracking.enabled=false", "--quiet", "--workers=2"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as grid:
        while len(list(tmp_path.glob("waiting-*"))) < 2 or not _is_output_kept(tmp_path, project):
            assert grid.poll() is None
            time.sleep(0.01)
        _kill_everything(grid)
    (tmp_path / "hold").unlink()
    again = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (again.returncode, again.stdout) == (0, "2 of 2 runs are done.\n"), again.stderr
    runs = list(tmp_path.glob("results/*/training/*"))
    rates = [_check(run, project) for run in runs]
    assert sorted(rates) == [0.25, 0.5]


def _check(run: Path, project: Project) -> float:
    """Compare the steps and metrics of a run with those of an undisturbed one; return its rate."""
    assert (run / "steps-1").read_text() == "1 2 3 "
    executed = [str(step) for step in range(project.begins_after + 1, 6)]
    assert (run / "steps-2").read_text().split() == executed
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    points = [(line["step"], line["value"]) for line in lines if line["key"] == project.metric]
    rate = 1 - points[0][1]
    assert points == [(step, pytest.approx((1 - rate) ** step, abs=1e-6)) for step in range(1, 6)]
    return float(rate)
