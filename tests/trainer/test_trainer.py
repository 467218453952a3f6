"""A run's results follow from its configuration alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from run_files import MakeRun, Train, checkpoints_of, results_of

from trainer.errors import ConfigError, Diverged
from trainer.trainer import ModularTaskTrainer

CONF = Path(__file__).parents[2] / "conf"


def shipped(**groups: str) -> dict[str, Any]:
    """Read groups of the shipped configuration."""
    return {group: OmegaConf.load(CONF / group / f"{name}.yaml") for group, name in groups.items()}


@pytest.mark.parametrize("model", ["mlp", "cnn10"])
@pytest.mark.parametrize(("optimizer", "scheduler"), [("sgd", "none"), ("adam", "cosine")])
def test_shipped_configuration_trains(
    tmp_path: Path, model: str, optimizer: str, scheduler: str
) -> None:
    """Every group that we ship fits the others."""
    groups = shipped(
        data="digits",
        model=model,
        optimizer=optimizer,
        scheduler=scheduler,
        criterion="cross_entropy",
        curriculum="none",
        dataloader="default",
    )
    cfg = OmegaConf.create({"seed": 0, "iterations": 1, "batch_size": 64, **groups})
    results = ModularTaskTrainer(cfg, tmp_path).train()
    assert [*results] == ["test/loss", "test/accuracy"]
    assert 0 < results["test/accuracy"] <= 1


def test_same_configuration_gives_the_same_digest(make_run: MakeRun, train: Train) -> None:
    """Runs are repeatable, and another seed is another run."""
    digests = []
    for name, seed in (("first", 1), ("second", 1), ("third", 2)):
        run_dir = make_run(name, seed=seed)
        train(run_dir)
        digests.append(results_of(run_dir)["digest"])
    assert digests[0] == digests[1] != digests[2]


def test_best_weights_are_tested_unless_the_last_are_asked_for(
    make_run: MakeRun, train: Train
) -> None:
    """The metric that chooses the best iteration decides which weights are tested."""
    tested = {}
    for test_with in ("best", "last"):
        worst_first = {"metric": "train/loss", "mode": "max"}
        run_dir = make_run(test_with, test_with=test_with, checkpoint=worst_first)
        tested[test_with] = train(run_dir)["test/loss"]
        assert results_of(run_dir)["best"]["iteration"] == 1
    assert tested["best"] > tested["last"]


def test_diverged_run_keeps_its_last_good_checkpoint(make_run: MakeRun, train: Train) -> None:
    """A loss that is NaN ends the run before anything of it is saved."""
    run_dir = make_run(criterion={"_target_": "user_modules.Exploding"})
    with pytest.raises(Diverged, match=r"^iteration 1: the training loss is nan\. Lower"):
        train(run_dir)
    assert checkpoints_of(run_dir) == []


@pytest.mark.parametrize("device", ["cuda", "cuda:99"])
def test_missing_gpu_is_an_error(make_run: MakeRun, train: Train, device: str) -> None:
    """A user who asks for a GPU does not silently get a CPU."""
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ConfigError, match=r"^device: .*there .*Set device: auto, or cpu"):
        train(make_run(device=device))


@pytest.mark.parametrize(
    "changes", [{"accumulate": 2}, {"clip_norm": 0.1}, {"precision": "bfloat16"}]
)
def test_each_key_of_the_update_changes_the_result_and_still_learns(
    make_run: MakeRun, train: Train, changes: dict[str, Any]
) -> None:
    """No key is read and forgotten."""
    digests = set()
    for name, keys in (("with", changes), ("without", {})):
        run_dir = make_run(name, **keys)
        assert train(run_dir)["test/accuracy"] > 0.7
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 2
