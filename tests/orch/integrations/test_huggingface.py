"""The callback for Hugging Face, on a stand-in of its trainer."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orch import run as run_module

STEPS = 6  # in two epochs


class TrainerCallback:
    pass


class Trainer:
    """Calls the hooks of a callback in the order of the trainer of Transformers."""

    def __init__(
        self, callback: Any, on_step: Callable[[int], object] = bool, **arguments: Any
    ) -> None:
        defaults = {"output_dir": "out", "save_strategy": "no", "save_total_limit": None}
        self.args = SimpleNamespace(**{**defaults, "world_size": 1, **arguments})
        self.state = SimpleNamespace(global_step=0, max_steps=STEPS, is_world_process_zero=True)
        self.control = SimpleNamespace(should_save=False)
        self._callback, self._on_step = callback, on_step
        self._call("on_init_end")

    def train(self, resume_from_checkpoint: str | None) -> None:
        if resume_from_checkpoint:
            state = json.loads((Path(resume_from_checkpoint) / "trainer_state.json").read_text())
            self.state.global_step = state["global_step"]
        while self.state.global_step < STEPS:
            self.state.global_step += 1
            self._on_step(self.state.global_step)
            self._call("on_step_end")
            self._call("on_log", logs={"loss": 0.5, "note": "text"})
            self._save()
            if self.state.global_step % 3 == 0:
                self._call("on_epoch_end")
                self._call("on_evaluate", metrics={"eval_loss": 1 / self.state.global_step})
                self._save()
        self._call("on_train_end")

    def _save(self) -> None:
        if self.control.should_save:
            self.control.should_save = False
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            folder.mkdir(parents=True)
            state = {"global_step": self.state.global_step}
            (folder / "trainer_state.json").write_text(json.dumps(state))
            self._call("on_save")

    def _call(self, hook: str, **others: Any) -> None:
        if method := getattr(self._callback, hook, None):
            method(self.args, self.state, self.control, model=None, **others)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    transformers: Any = types.ModuleType("transformers")
    transformers.TrainerCallback = TrainerCallback
    monkeypatch.setitem(sys.modules, "transformers", transformers)
    monkeypatch.delitem(sys.modules, "orch.integrations.huggingface", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield importlib.import_module("orch.integrations.huggingface")
    signal.signal(signal.SIGTERM, before)
    sys.modules.pop("orch.integrations.huggingface", None)
    run_module.current_run.cache_clear()


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCH_RUN_DIR", str(tmp_path))
    run_module.current_run.cache_clear()
    return tmp_path


def points(run_dir: Path) -> list[tuple[str, int]]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [(point["key"], point["step"]) for point in map(json.loads, lines)]


def test_training_is_recorded_and_saved_in_the_run_directory(run_dir: Path, module: Any) -> None:
    """Checkpoints of an output_dir elsewhere move there; runs would overwrite each other's."""
    callback = module.OrchCallback()
    trainer = Trainer(callback)
    assert callback.checkpoint is None
    trainer.train(callback.checkpoint)
    assert points(run_dir) == [("loss", step) for step in range(1, STEPS + 1)]
    progress = json.loads((run_dir / "progress.json").read_text())
    assert (progress["iteration"], progress["iterations"], progress["saved"]) == (6, 6, 6)
    results = json.loads((run_dir / "results.json").read_text())
    assert results["test"] == {"eval_loss": pytest.approx(1 / 6)}
    assert callback.checkpoint == str(run_dir / "checkpoints/checkpoint-6")
    assert trainer.args.save_total_limit == 2


def test_output_dir_in_the_run_directory_stays(run_dir: Path, module: Any) -> None:
    callback = module.OrchCallback()
    mine = str(run_dir / "mine")
    trainer = Trainer(callback, output_dir=mine, save_strategy="epoch")
    trainer.train(None)
    assert (trainer.args.output_dir, trainer.args.save_total_limit) == (mine, None)
    assert callback.checkpoint == f"{mine}/checkpoint-6"


def test_run_that_is_asked_to_stop_saves_its_step_and_resumes(
    run_dir: Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(step: int) -> None:
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as stopped:
        Trainer(module.OrchCallback(), ask).train(None)
    assert stopped.value.code == 143
    assert not (run_dir / "results.json").exists()
    run_module.current_run.cache_clear()
    monkeypatch.setenv("ORCH_ATTEMPT", "2")
    begun: list[int] = []
    callback = module.OrchCallback()
    trainer = Trainer(callback, begun.append)
    assert callback.checkpoint == str(run_dir / "checkpoints/checkpoint-4")
    trainer.train(callback.checkpoint)
    assert begun == [5, 6]
    assert points(run_dir) == [("loss", step) for step in range(1, STEPS + 1)]


@pytest.mark.parametrize("state", [None, "", '{"global_'])
def test_partial_checkpoint_is_not_resumed_from(
    run_dir: Path, module: Any, state: str | None
) -> None:
    """The trainer writes into its folder, and the state last."""
    for step in (3, 6):
        (run_dir / f"checkpoints/checkpoint-{step}").mkdir(parents=True)
    (run_dir / "checkpoints/checkpoint-3/trainer_state.json").write_text("{}")
    if state is not None:
        (run_dir / "checkpoints/checkpoint-6/trainer_state.json").write_text(state)
    assert module.OrchCallback().checkpoint == str(run_dir / "checkpoints/checkpoint-3")


def test_outside_orch_it_does_nothing(
    tmp_path: Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORCH_RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    run_module.current_run.cache_clear()
    callback = module.OrchCallback()
    trainer = Trainer(callback)
    trainer.train(callback.checkpoint)
    assert callback.checkpoint is None
    assert (trainer.args.output_dir, trainer.args.save_total_limit) == ("out", None)
    assert [*tmp_path.iterdir()] == []
