"""Scores that are the losses of a model that was trained before."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from run_files import MakeRun, Train, checkpoints_of
from torch import nn

import trainer as package
from trainer.config_file import read_config
from trainer.curriculum.losses import LossScores
from trainer.errors import TrainerError
from trainer.trainer import ModularTaskTrainer


def training(count: int = 4, seed: int = 1) -> Any:
    """Make what scores ask a trainer for."""
    data = SimpleNamespace(train=range(count))
    return SimpleNamespace(data=data, settings=SimpleNamespace(seed=seed))


def test_losses_are_those_of_a_model_that_was_trained_before(
    make_run: MakeRun, train: Train
) -> None:
    """A run gives its best weights, a checkpoint its own; nothing random is used up."""
    teacher = make_run("teacher", model__hidden=5, model__dropout=0.5)
    train(teacher)
    student = make_run("student")
    trainer = ModularTaskTrainer(read_config(student / "config.yaml"), student)
    before = torch.get_rng_state()
    best = LossScores(str(teacher)).score(trainer)
    assert torch.equal(torch.get_rng_state(), before)
    for path in checkpoints_of(teacher):
        state = torch.load(path, weights_only=True)["state"]["modules"]["model"]
        model = nn.Sequential(
            *(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 2))
        )
        model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
        samples, targets = trainer.data.train[:]
        losses = nn.CrossEntropyLoss(reduction="none")(model(samples), targets)
        found = LossScores(str(path)).score(trainer)
        assert torch.allclose(found.float(), losses, atol=1e-6)
        is_best = path.samefile(teacher / "checkpoints" / "best.pt")
        assert torch.equal(found, best) == is_best


def test_checkpoint_without_a_run_is_read_with_our_model(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """A copy under another name gives the same scores, whatever config lies near it."""
    teacher = make_run("teacher")
    train(teacher)
    copies = tmp_path / "copies"
    copies.mkdir()
    (tmp_path / "config.yaml").write_text("model: {}\n")
    shutil.copy(checkpoints_of(teacher)[-1], copies / "copy.pt")
    trainer = ModularTaskTrainer(read_config(teacher / "config.yaml"), teacher)
    copied = LossScores(str(copies / "copy.pt")).score(trainer)
    assert torch.equal(copied, LossScores(str(checkpoints_of(teacher)[-1])).score(trainer))


def test_run_that_cannot_score_is_an_error(make_run: MakeRun, train: Train, tmp_path: Path) -> None:
    """The line names the run or checkpoint and what is wrong with it."""
    teacher = make_run("teacher", iterations=1)
    student = ModularTaskTrainer(read_config(teacher / "config.yaml"), make_run("student"))
    wide = make_run(
        "wide",
        iterations=1,
        data={"_target_": "trainer.data.digits.Digits", "held_out": 1700, "validation": 50},
        model={"_target_": "trainer.models.mlp.Mlp", "input_shape": [1, 8, 8], "classes": 10},
    )
    wrong = {"teacher": "the run .*/teacher is not done", "none": "does not exist"}
    (tmp_path / "empty").mkdir()
    for name, message in (wrong | {"empty": "is not a run directory"}).items():
        with pytest.raises(TrainerError, match=message):
            LossScores(str(tmp_path / name)).score(student)
    train(teacher)
    train(wide)
    (checkpoint,) = checkpoints_of(teacher)
    content = bytearray(checkpoint.read_bytes())
    weights = torch.load(checkpoint, weights_only=True)["state"]["modules"]["model"]
    content[content.index(next(iter(weights.values())).numpy().tobytes())] ^= 1
    damaged = [checkpoint, tmp_path / "copy.pt", teacher]
    for path in damaged[:2]:
        path.write_bytes(content)
    (tmp_path / "text.pt").write_text("text")
    torch.save({"weights": 1}, tmp_path / "weights.pt")
    wrong = {
        **{str(path): "it cannot be used: .* is damaged" for path in damaged},
        str(tmp_path / "text.pt"): "text.pt: it cannot be used",
        str(tmp_path / "weights.pt"): "weights.pt: it cannot be used",
        str(wide): "cannot score the samples: mat1 and mat2 shapes cannot be multiplied",
    }
    for name, message in wrong.items():
        with pytest.raises(TrainerError, match=message) as caught:
            LossScores(name).score(student)
        assert "\n" not in str(caught.value)


def test_model_that_folds_its_weights_scores_as_it_was_evaluated(
    make_run: MakeRun, train: Train
) -> None:
    train(run_dir := make_run(model={"_target_": "odd_modules.Folding"}))
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    samples, targets = trainer.data.train[:]
    losses = nn.CrossEntropyLoss(reduction="none")(package.load(run_dir)(samples), targets)
    assert torch.allclose(LossScores(str(run_dir)).score(trainer).float(), losses, atol=1e-6)
