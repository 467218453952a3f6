"""The callback for Lightning, on a stand-in of Lightning, and on Lightning itself where it is there."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from orch import run as run_module


class Callback:
    def state_dict(self) -> dict[str, Any]:
        return {}


class Checkpoint(Callback):
    pass


class Strategy:
    def barrier(self) -> None:
        pass

    def reduce_boolean_decision(self, decision: bool, *, all: bool) -> bool:  # noqa: A002, FBT001
        assert not all
        return decision


class Trainer:
    """Calls the hooks of its callbacks in Lightning's order; checkpoint callbacks come last."""

    def __init__(self, callback: Any, epochs: int, on_epoch: Callable[[int], object]) -> None:
        self.callbacks: list[Any] = [Checkpoint(), callback]
        self.strategy, self.is_global_zero = Strategy(), True
        self.max_epochs, self.max_steps = epochs, -1
        self.current_epoch = self.global_step = 0
        self.callback_metrics: dict[str, float] = {}
        self._callback, self._on_epoch = callback, on_epoch

    def save_checkpoint(self, path: str) -> None:
        Path(path).write_text(str(self.current_epoch + 1))

    def fit(self, ckpt_path: str | None) -> None:
        for each in self.callbacks:
            self._call(each, "setup", "fit")
        first = int(Path(ckpt_path).read_text()) if ckpt_path else 0
        for hook in ("on_fit_start", "on_train_start"):
            self._call(self._callback, hook)
        for epoch in range(first, self.max_epochs):
            self.current_epoch = epoch
            self._on_epoch(epoch)
            self.callback_metrics = {"loss": 1 / (epoch + 1)}
            for each in self.callbacks:
                self._call(each, "on_train_epoch_end")

    def test(self) -> None:
        self.callback_metrics = {"test_loss": 0.25}
        self._call(self._callback, "on_test_end")

    def _call(self, callback: Any, hook: str, *arguments: Any) -> None:
        if method := getattr(callback, hook, None):
            method(self, None, *arguments)


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return the module of the callback, imported beside a stand-in under either name."""
    for name in [*sys.modules]:
        if name.split(".")[0] in ("lightning", "pytorch_lightning"):
            monkeypatch.delitem(sys.modules, name)
    parts = request.param.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    callbacks: Any = types.ModuleType(f"{request.param}.callbacks")
    callbacks.Callback, callbacks.Checkpoint = Callback, Checkpoint
    monkeypatch.setitem(sys.modules, f"{request.param}.callbacks", callbacks)
    monkeypatch.delitem(sys.modules, "orch.integrations.lightning", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield importlib.import_module("orch.integrations.lightning")
    signal.signal(signal.SIGTERM, before)
    sys.modules.pop("orch.integrations.lightning", None)
    run_module.current_run.cache_clear()


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCH_RUN_DIR", str(tmp_path))
    run_module.current_run.cache_clear()
    return tmp_path


def points(run_dir: Path) -> list[tuple[str, int]]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [(point["key"], point["step"]) for point in map(json.loads, lines)]


def test_epochs_are_recorded_and_saved(run_dir: Path, module: Any) -> None:
    """Of the checkpoints, the last one is kept; the test is the result of the run."""
    callback = module.OrchCallback()
    assert callback.ckpt_path is None
    trainer = Trainer(callback, 3, lambda _: None)
    trainer.fit(callback.ckpt_path)
    trainer.test()
    assert points(run_dir) == [("loss", 1), ("loss", 2), ("loss", 3)]
    progress = json.loads((run_dir / "progress.json").read_text())
    assert (progress["iteration"], progress["iterations"]) == (3, 3)
    assert [path.name for path in (run_dir / "checkpoints").iterdir()] == ["orch-000003.ckpt"]
    assert json.loads((run_dir / "results.json").read_text())["test"] == {"test_loss": 0.25}


def test_run_that_is_asked_to_stop_ends_after_its_epoch_and_resumes(
    run_dir: Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = module.OrchCallback()

    def ask(epoch: int) -> None:
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as stopped:
        Trainer(callback, 4, ask).fit(None)
    assert stopped.value.code == 143
    assert not (run_dir / "results.json").exists()
    run_module.current_run.cache_clear()
    monkeypatch.setenv("ORCH_ATTEMPT", "2")
    begun: list[int] = []
    again = module.OrchCallback()
    assert again.ckpt_path == str(run_dir / "checkpoints/orch-000002.ckpt")
    Trainer(again, 4, begun.append).fit(again.ckpt_path)
    assert begun == [2, 3]
    assert points(run_dir) == [("loss", epoch) for epoch in (1, 2, 3, 4)]


def test_partial_checkpoint_is_not_resumed_from(run_dir: Path, module: Any) -> None:
    (run_dir / "checkpoints").mkdir()
    (run_dir / "checkpoints/orch-000002.ckpt.tmp").write_text("2")
    assert module.OrchCallback().ckpt_path is None


def test_other_processes_of_a_distributed_training_write_nothing(
    run_dir: Path, module: Any
) -> None:
    callback = module.OrchCallback()
    trainer = Trainer(callback, 1, lambda _: None)
    trainer.is_global_zero = False
    (run_dir / "checkpoints").mkdir()
    trainer.fit(None)
    assert not (run_dir / "metrics.jsonl").exists()


def test_outside_orch_it_does_nothing(
    tmp_path: Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORCH_RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    run_module.current_run.cache_clear()
    before = signal.getsignal(signal.SIGTERM)
    callback = module.OrchCallback()
    trainer = Trainer(callback, 2, lambda _: None)
    trainer.fit(callback.ckpt_path)
    trainer.test()
    assert callback.ckpt_path is None
    assert callback.state_dict() == {}
    assert signal.getsignal(signal.SIGTERM) is before
    assert [*tmp_path.iterdir()] == []


REAL = """
import hashlib, os, signal, sys
import lightning.pytorch as pl, torch
from torch.utils.data import DataLoader, TensorDataset
from orch.integrations.lightning import OrchCallback

class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    def training_step(self, batch, number):
        if os.environ.get("DIE") == f"{self.current_epoch}.{number}":
            os.kill(os.getpid(), signal.SIGKILL)
        loss = self.net(batch[0]).square().mean()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.1)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)]

pl.seed_everything(0)
data = DataLoader(TensorDataset(torch.randn(32, 4)), 8, shuffle=True)
callback = OrchCallback()
quiet = dict(logger=False, enable_progress_bar=False, enable_model_summary=False)
trainer = pl.Trainer(max_epochs=5, callbacks=[callback], enable_checkpointing=False, **quiet)
model = Net()
trainer.fit(model, data, ckpt_path=callback.ckpt_path)
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
"""


@pytest.mark.skipif(find_spec("lightning") is None, reason="needs Lightning")
def test_killed_training_of_lightning_ends_with_the_same_bits(tmp_path: Path) -> None:
    """Dropout and shuffling included: the states of the random generators are saved."""

    def train(name: str, attempt: int, **environment: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / name).mkdir(exist_ok=True)
        variables = {"ORCH_RUN_DIR": str(tmp_path / name), "ORCH_ATTEMPT": str(attempt)}
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", REAL],
            env={**os.environ, **variables, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    undisturbed = train("undisturbed", 1)
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert train("killed", 1, DIE="3.1").returncode == -signal.SIGKILL
    assert train("killed", 2).stdout.splitlines()[-1] == undisturbed.stdout.splitlines()[-1]
    assert points(tmp_path / "killed") == points(tmp_path / "undisturbed")
