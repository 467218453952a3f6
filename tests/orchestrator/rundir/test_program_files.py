"""What a program left says how far it is, and whether it can resume."""

import json
import os
from itertools import permutations
from pathlib import Path

import pytest

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.program_files import find_checkpoint
from orchestrator.rundir.state import Record, Status


def leave(run_dir: Path, *names: str) -> None:
    """Create files in a run directory; a name that ends with a slash is an empty folder."""
    for name in names:
        path = run_dir / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")


@pytest.mark.parametrize(
    "name",
    [
        "checkpoints/state.json",
        "checkpoints/000003-deadbeef.pt",
        "checkpoints/anything",
        "last.ckpt",
        "ckpt.pt",
        "model.pth.tar",
        "state.json",
        "out/lightning_logs/version_0/checkpoints/epoch=1-step=20.ckpt",
        "checkpoint-500/trainer_state.json",
        "output/checkpoint-500/model.safetensors",
    ],
)
def test_what_is_named_like_a_checkpoint_can_be_resumed_from(tmp_path: Path, name: str) -> None:
    leave(tmp_path, "config.yaml", "run.json", "run.lock", name)
    found = find_checkpoint(f"{tmp_path}")
    assert found
    assert name.startswith(found)


@pytest.mark.parametrize("folder", ["checkpoints", "out/version_0"])
@pytest.mark.parametrize(
    "order", list(permutations(("epoch=9.ckpt", "epoch=10.ckpt", "best.ckpt")))
)
def test_newest_one_is_named_in_whatever_order_the_file_system_lists_them(
    tmp_path: Path, folder: str, order: tuple[str, ...]
) -> None:
    """The best one is what a run has reached, not where it continues."""
    leave(tmp_path, *(f"{folder}/{name}" for name in order))
    for age, name in enumerate(("best.ckpt", "epoch=10.ckpt", "epoch=9.ckpt")):
        os.utime(tmp_path / folder / name, (1_000 - age, 1_000 - age))
    assert find_checkpoint(f"{tmp_path}") == f"{folder}/epoch=10.ckpt"


def test_best_one_is_better_than_none(tmp_path: Path) -> None:
    leave(tmp_path, "checkpoints/best.ckpt")
    assert find_checkpoint(f"{tmp_path}") == "checkpoints/best.ckpt"


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("progress.json", "metrics.jsonl", "results.json", "status.json"),
        ("status.json.unreadable-20260101T000000", "logs/attempt-001.log"),
        ("checkpoints/", "logs/"),
        ("checkpoints/state.json.tmp", "checkpoints/.hidden"),
        ("last.ckpt.tmp", "checkpoint-500/"),
        (".hydra/config.yaml", ".new/last.ckpt", "train.log", "plots/loss.png"),
        ("earlier/checkpoints/000001-deadbeef.pt",),
    ],
)
def test_other_files_are_not_checkpoints(tmp_path: Path, names: tuple[str, ...]) -> None:
    leave(tmp_path, "config.yaml", "run.json", "run.lock", *names)
    assert not find_checkpoint(f"{tmp_path}")


def test_links_are_not_followed(tmp_path: Path) -> None:
    leave(tmp_path, "other/last.ckpt")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/out").symlink_to(tmp_path / "other")
    (tmp_path / "run/circle").symlink_to(tmp_path / "run")
    assert not find_checkpoint(f"{tmp_path}/run")


def test_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert not find_checkpoint(f"{tmp_path}/missing")


@pytest.mark.parametrize(
    ("progress", "names", "saved", "reason"),
    [
        (None, (), 0, "nothing is saved yet"),
        (None, ("last.ckpt",), 0, "resumes if the program loads last.ckpt"),
        ((30, 30, None), (), 0, "progress 30 of 30, restarts from the beginning"),
        ((30, 30, None), ("train.log",), 0, "progress 30 of 30, restarts from the beginning"),
        (
            (3, 30, None),
            ("out/best.pt",),
            3,
            "progress 3 of 30, resumes if the program loads out/best.pt",
        ),
        (
            (3, 30, None),
            ("checkpoints/a",),
            3,
            "progress 3 of 30, resumes if the program loads checkpoints/a",
        ),
        ((3, 30, None, True), ("checkpoints/a",), 3, "3 of 30 iterations are saved"),
        ((3, 30, None, True), (), 0, "progress 3 of 30, restarts from the beginning"),
        ((0, 30, None), (), 0, "nothing is saved yet"),
        ((9, 30, 5), ("checkpoints/state",), 5, "5 of 30 iterations are saved"),
        ((9, 30, 5), (), 5, "5 of 30 iterations are saved"),  # it keeps them elsewhere
        ((9, 30, 0), ("model.pt",), 0, "progress 9 of 30, restarts from the beginning"),
        ((9, 30, "5"), (), 0, "progress 9 of 30, restarts from the beginning"),
        ((9, 30, -1), ("a.ckpt",), 9, "progress 9 of 30, resumes if the program loads a.ckpt"),
        ((9, 30, True), ("a.ckpt",), 9, "progress 9 of 30, resumes if the program loads a.ckpt"),
    ],
)
def test_only_what_can_be_resumed_from_is_called_saved(
    experiment: ExperimentDirectory,
    runs: list[Run],
    progress: tuple[object, ...] | None,
    names: tuple[str, ...],
    saved: int,
    reason: str,
) -> None:
    """A program that keeps no checkpoint was said to have saved all that it had done."""
    directory: RunDirectory = experiment.create(runs[0])
    directory.write_status(Status(Record.INTERRUPTED, 1, "then", "box", 1))
    if progress is not None:
        names_of = ("iteration", "iterations", "saved", "resumes")
        content = dict(zip(names_of, progress, strict=False))
        (directory.path / "progress.json").write_text(json.dumps(content))
    leave(directory.path, *names)
    seen = directory.observe()
    assert seen.saved == saved
    assert seen.reason == f"it was asked to stop, {reason}"


def test_run_that_is_done_is_not_searched(experiment: ExperimentDirectory, runs: list[Run]) -> None:
    """There may be ten thousand of them."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(Record.DONE, 1, "then", "box", 1))
    leave(directory.path, "checkpoints/state")
    assert not directory.observe().checkpoint
