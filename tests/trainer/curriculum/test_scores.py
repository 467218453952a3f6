"""Scores come from a file, at random, or from a model that was trained before."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from run_files import MakeRun, Train, checkpoints_of
from torch import nn

from trainer.config_file import read_config
from trainer.curriculum.losses import LossScores
from trainer.curriculum.scores import FileScores, RandomScores
from trainer.errors import TrainerError
from trainer.trainer import ModularTaskTrainer


def training(count: int = 4, seed: int = 1) -> Any:
    """Make what scores ask a trainer for."""
    data = SimpleNamespace(train=range(count))
    return SimpleNamespace(data=data, settings=SimpleNamespace(seed=seed))


def test_file_holds_a_number_for_each_sample(tmp_path: Path) -> None:
    """As an array, or as lines."""
    np.save(tmp_path / "a.npy", np.array([3, 1, 2, 0]))
    (tmp_path / "a.txt").write_text("3\n1e0\n\n2\n0.0\n")
    for name in ("a.npy", "a.txt"):
        scores = FileScores(str(tmp_path / name)).score(training())
        assert scores.tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.npy", None, "none.npy: No such file or directory. Correct path"),
        ("a.txt", b"1\n2\n3\n", r"a.txt has scores \[3\] for 4 training samples"),
        ("a.txt", b"1\n2\n3\n4\n5\n", r"a.txt has scores \[5\] for 4 training samples"),
        ("a.txt", b"", r"a.txt has scores \[0\] for 4"),
        ("a.txt", b"1\nnan\n3\n4\n", "a.txt has nan for training sample 1"),
        ("a.txt", b"1\n2\n3\ninf\n", "a.txt has inf for training sample 3"),
        ("a.txt", b"1\n2\n3\nhard\n", "a.txt: could not convert string to float: 'hard'"),
        ("a.txt", b"\xff\xfe", "a.txt: 'utf-8' codec can't decode"),
        ("a.npy", b"", "a.npy: No data left in file"),
        ("a.npy", b"\x93NUMPY", "a.npy: "),
        ("a.npy", np.zeros((4, 1)), r"a.npy has scores \[4, 1\] for 4"),
        ("a.npy", np.array(list("abcd")), "a.npy: its type is <U1, not a number"),
    ],
)
def test_file_without_a_score_for_each_sample_is_an_error(
    tmp_path: Path, name: str, content: Any, message: str
) -> None:
    """The line names the file and what is wrong in it."""
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(TrainerError, match=rf"^curriculum.scores: .*{message}") as caught:
        FileScores(str(path)).score(training())
    assert "\n" not in str(caught.value)


def test_random_scores_are_a_function_of_the_seed() -> None:
    """They take nothing from the training's generators."""
    before = torch.get_rng_state()
    first, again, other = (RandomScores().score(training(9, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


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
    """A copy under another name gives the same scores."""
    teacher = make_run("teacher")
    train(teacher)
    shutil.copy(checkpoints_of(teacher)[-1], tmp_path / "copy.pt")
    trainer = ModularTaskTrainer(read_config(teacher / "config.yaml"), teacher)
    copied = LossScores(str(tmp_path / "copy.pt")).score(trainer)
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
