"""Trainings with the modules that we ship end with the same bits after an interruption."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_files import MakeRun, Start, Train, results_of
from user_modules import Interrupted, run_program, sabotage

CLASSES = 4
BALANCED = {
    "_target_": "trainer.criteria.class_balanced.ClassBalancedCrossEntropy",
    "classes": CLASSES,
    "beta": 0.9,
}
RESNET = {
    "_target_": "trainer.models.resnet.ResNet",
    "input_shape": [1, 6, 6],
    "classes": CLASSES,
    "blocks": 1,
    "width": 2,
}
MLP = {
    "_target_": "trainer.models.mlp.Mlp",
    "input_shape": [1, 6, 6],
    "classes": CLASSES,
    "hidden": 8,
    "dropout": 0.2,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with images of four classes, rare and frequent, as arrays and as files."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), [20, 12, 8, 4])
    images = random.normal(size=(len(labels), 6, 6)) + labels[:, None, None]
    np.savez(folder / "a.npz", x=images, y=labels)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / "files" / f"class-{label}").mkdir(parents=True, exist_ok=True)
        text = " ".join(str(value) for value in image.flat)
        (folder / "files" / f"class-{label}" / f"{number:02d}.txt").write_text(text)
    return folder


def configuration(data: str, folder: Path) -> dict[str, Any]:
    """Return what a run is made of that has its data from a file or from a folder."""
    shape = {"input_shape": [1, 6, 6], "classes": CLASSES}
    if data == "npz":
        return {
            "data": {"_target_": "trainer.data.npz.Npz", "path": str(folder / "a.npz"), **shape},
            "model": RESNET,
            "criterion": BALANCED,
            "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01},
        }
    source = {"path": str(folder / "files"), "loader": "user_modules.load_image"}
    return {
        "data": {"_target_": "trainer.data.folder.Folder", **source, **shape},
        "model": MLP,
        "criterion": BALANCED,
        "training_type": "step",
        "eval_every": 3,
    }


@pytest.mark.parametrize("data", ["npz", "folder"])
def test_resumed_run_of_shipped_modules_ends_with_the_same_digest(
    make_run: MakeRun, train: Train, tmp_path: Path, folder: Path, data: str
) -> None:
    """Batch normalisation, class weights, shuffled splits and augmenting loaders go on."""
    changes = configuration(data, folder)
    whole = make_run("whole", **changes)
    train(whole)
    broken = make_run("broken", curriculum=sabotage(tmp_path, "step_end", 3, "raise"), **changes)
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    assert results_of(broken)["digest"] == results_of(whole)["digest"]


@pytest.mark.parametrize("data", ["npz", "folder"])
def test_loader_workers_change_nothing_for_shipped_modules(
    make_run: MakeRun, start: Start, folder: Path, data: str
) -> None:
    """None, one and two of them give one digest."""
    digests = set()
    for workers in (0, 1, 2):
        changes = configuration(data, folder) | {"dataloader": {"num_workers": workers}}
        run_dir = make_run(f"workers-{workers}", iterations=2, **changes)
        assert start(run_program, str(run_dir)) == 0
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 1
