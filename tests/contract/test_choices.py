"""Every choice of every group of `conf` fits every other one."""

import math
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from orchestrator.config.load import load_experiment
from orchestrator.grid.axes import expand
from trainer.trainer import ModularTaskTrainer

CONF = Path(__file__).parents[2] / "conf"
CHOICES = {
    folder.name: sorted(path.stem for path in folder.iterdir())
    for folder in sorted(CONF.iterdir())
    if folder.is_dir() and folder.name != "training"
}
# What a choice cannot know: where the user's files are, and what is in them.
GIVEN = {
    "data=npz": ["data.path={folder}/digits.npz", "data.input_shape=[1,8,8]", "data.classes=10"],
    "data=folder": [
        "data.path={folder}/digits",
        "data.loader=numpy.load",
        "data.input_shape=[1,8,8]",
        "data.classes=10",
    ],
    "curriculum=file": ["curriculum.scores.path={folder}/scores.npy"],
    "curriculum=loss": ["curriculum.scores.path={folder}/teacher"],
}
SMALL = {
    "data=digits": ["data.held_out=1600", "data.validation=50"],
    "model=cnn10": ["model.width=0.05"],
    "model=resnet": ["model.blocks=1", "model.width=4"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that choices are given."""
    folder = tmp_path_factory.mktemp("given")
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(60, 1, 8, 8)), np.arange(60) % 10
    np.savez(folder / "digits.npz", x=images, y=labels)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / "digits" / str(label)).mkdir(parents=True, exist_ok=True)
        np.save(folder / "digits" / str(label) / f"{number}.npy", image)
    return folder


def given(folder: Path, choices: list[str]) -> list[str]:
    """Return the overrides that choices need."""
    return [text.format(folder=folder) for choice in choices for text in GIVEN.get(choice, [])]


def compose(choices: dict[str, str], folder: Path, *more: str) -> dict[str, Any]:
    """Compose the configuration of a combination."""
    chosen = [f"{group}={choice}" for group, choice in choices.items()]
    experiment = load_experiment(CONF, "config", [*chosen, *given(folder, chosen), *more])
    (point,) = expand(experiment.axes)
    return dict(experiment.composer.resolve(point))


def pairs_of(choices: dict[str, str]) -> set[Any]:
    """Return every two choices of a combination."""
    return {*combinations(choices.items(), 2)}


def in_pairs() -> Iterator[dict[str, str]]:
    """Yield few combinations in which every two choices of different groups meet."""
    every = [dict(zip(CHOICES, names, strict=True)) for names in product(*CHOICES.values())]
    pairs = [pairs_of(choices) for choices in every]
    missing = set().union(*pairs)
    while missing:
        best = max(range(len(every)), key=lambda at: len(pairs[at] & missing))
        missing -= pairs[best]
        yield every[best]


@pytest.mark.soak
def test_every_combination_of_choices_composes(folder: Path) -> None:
    """One choice of each group, all of them with all others."""
    groups = [group for group in CHOICES if group not in ("data", "curriculum")]
    count = 0
    for data, curriculum in product(CHOICES["data"], CHOICES["curriculum"]):
        chosen = [f"data={data}", f"curriculum={curriculum}"]
        axes = [f"{group}={','.join(CHOICES[group])}" for group in groups]
        experiment = load_experiment(CONF, "config", [*chosen, *axes, *given(folder, chosen)])
        for point in expand(experiment.axes):
            assert {*CHOICES} <= {*experiment.composer.resolve(point)}
            count += 1
    assert count == math.prod(len(names) for names in CHOICES.values()) > 400


def train(run_dir: Path, choices: dict[str, str], folder: Path) -> dict[str, float]:
    """Train an iteration of a combination, on few samples."""
    small = [text for each in choices.items() for text in SMALL.get(f"{each[0]}={each[1]}", [])]
    if choices["curriculum"] == "file":
        small.append(f"curriculum.scores.path={scores_for(run_dir, choices)}")
    cfg = OmegaConf.create(compose(choices, folder, *small, "iterations=1"))
    run_dir.mkdir()
    OmegaConf.save(cfg, run_dir / "config.yaml")
    return ModularTaskTrainer(cfg, run_dir).train()


def scores_for(run_dir: Path, choices: dict[str, str]) -> Path:
    """Write scores for the training samples of a data set."""
    count = 147 if choices["data"] == "digits" else 42
    path = run_dir.with_suffix(".npy")
    np.save(path, np.arange(count))
    return path


def test_every_two_choices_train_together(folder: Path, tmp_path: Path) -> None:
    """An iteration of each combination, and its metrics."""
    combined = [*in_pairs()]
    plain = combined[0] | {"curriculum": "none", "metrics": "none", "data": "npz", "model": "mlp"}
    train(folder / "teacher", plain, folder)
    for number, choices in enumerate(combined):
        results = train(tmp_path / str(number), choices, folder)
        assert math.isfinite(results["test/loss"])
        assert ("test/f1" in results) == (choices["metrics"] == "classification")
