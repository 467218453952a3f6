"""A run that was interrupted ends with the same bits as one that never was."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from run_files import (
    Interrupt,
    MakeRun,
    Start,
    Train,
    checkpoints_of,
    places_of,
    points_of,
    results_of,
)
from thinning import combined
from user_modules import Interrupted, run_program, sabotage

import trainer
from trainer.checkpoints.reading import read_model_state

SCHEDULERS: dict[str, dict[str, Any]] = {
    "none": {"name": "none"},
    "cosine": {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": 4},
    "plateau": {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "patience": 0},
}
EVENTS = ("iteration_begin", "iteration_end", "step_end")


@pytest.mark.parametrize("choice", [*product(("epoch", "step"), (0.0, 0.4), SCHEDULERS)])
def test_resumed_run_ends_with_the_same_digest(
    interrupt: Interrupt, choice: tuple[str, float, str]
) -> None:
    """Weights, optimizer and metrics are equal after an interruption at a random place."""
    training_type, dropout, scheduler = choice
    random = Random(str(choice))  # noqa: S311 - no secret
    interrupt(
        random.choice(EVENTS),
        random.randint(1, 4),
        training_type=training_type,
        model__dropout=dropout,
        scheduler=SCHEDULERS[scheduler],
    )


@pytest.mark.parametrize("model", [{"_target_": "trainer.models.cnn10.Cnn10", "width": 0.02}])
def test_resumed_cnn10_ends_with_the_same_digest(
    interrupt: Interrupt, model: dict[str, Any]
) -> None:
    """Batch normalisation, dropout and Adam go on as if nothing had happened."""
    interrupt(
        "step_end",
        2,
        iterations=2,
        batch_size=64,
        data={"_target_": "trainer.data.digits.Digits", "held_out": 1500},
        model=model | {"input_shape": [1, 8, 8], "classes": 10},
        optimizer={"_target_": "torch.optim.Adam", "lr": 0.003},
    )


def test_model_that_changes_its_weights_for_evaluations_is_the_same(interrupt: Interrupt) -> None:
    """It is saved as it was trained, and evaluated from there."""
    broken = interrupt("iteration_begin", 3, model={"_target_": "odd_modules.Merging"})
    weights = trainer.load(broken).train().state_dict()
    saved = read_model_state(broken / "checkpoints" / "best.pt")
    for name, each in saved.items():
        torch.testing.assert_close(weights[name], each)


def test_state_of_a_curriculum_survives(interrupt: Interrupt) -> None:
    """A module with a state that changes the training has it again after an interruption."""
    broken = interrupt(
        "step_end",
        3,
        role="data",
        by="user_modules.FragileTiny",
        curriculum={"_target_": "user_modules.Counter"},
    )
    assert results_of(broken)["final"]["curriculum/steps"] == 24


def test_random_samples_are_the_same_after_an_interruption(interrupt: Interrupt) -> None:
    """What augmentation draws from the global generators depends on the place alone."""
    interrupt("step_end", 2, data={"_target_": "user_modules.Noisy"}, training_type="step")


@pytest.mark.parametrize(
    ("data", "training_type"), combined(data=["Tiny", "Noisy"], training_type=["epoch", "step"])
)
def test_number_of_loader_workers_changes_nothing(
    make_run: MakeRun, start: Start, data: str, training_type: str
) -> None:
    """One worker process or four give the digest that none give."""
    digests = set()
    for workers in (0, 1, 4):
        run_dir = make_run(
            f"workers-{workers}",
            iterations=2,
            data={"_target_": f"user_modules.{data}"},
            training_type=training_type,
            dataloader={"name": "default", "num_workers": workers},
        )
        assert start(run_program, str(run_dir)) == 0
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 1


@pytest.mark.parametrize(("before", "after"), [(4, 0), (0, 2)])
def test_number_of_loader_workers_may_change_at_a_resume(
    make_run: MakeRun, start: Start, tmp_path: Path, before: int, after: int
) -> None:
    """Samples that workers had fetched ahead are made again by others, or by none."""
    changes = {"training_type": "step", "data": {"_target_": "user_modules.Noisy"}}
    whole = make_run("whole", **changes)
    assert start(run_program, str(whole)) == 0
    killed = make_run(
        "killed",
        dataloader={"num_workers": before},
        curriculum=sabotage(tmp_path, "step_end", 3, "kill"),
        **changes,
    )
    assert start(run_program, str(killed)) == -9
    OmegaConf.save(
        OmegaConf.merge(
            OmegaConf.load(killed / "config.yaml"), {"dataloader": {"num_workers": after}}
        ),
        killed / "config.yaml",
    )
    assert start(run_program, str(killed)) == 0
    assert "\nresuming after iteration " in (killed / "out.log").read_text()
    assert results_of(killed)["digest"] == results_of(whole)["digest"]


@pytest.mark.parametrize("event", EVENTS)
def test_killed_run_is_resumed(
    make_run: MakeRun, train: Train, start: Start, tmp_path: Path, event: str
) -> None:
    """After SIGKILL in iteration 3 the run goes on, and every point stands there once."""
    whole = make_run("whole")
    train(whole)
    killed = make_run("killed", curriculum=sabotage(tmp_path, event, 3, "kill"))
    assert start(run_program, str(killed)) == -9
    before = points_of(killed)
    assert start(run_program, str(killed)) == 0
    assert results_of(killed)["digest"] == results_of(whole)["digest"]
    assert places_of(killed) == places_of(whole)
    assert points_of(killed)[: len(before)] == before


def cut(path: Path) -> None:
    """Leave half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    """Leave nothing in a file."""
    path.write_bytes(b"")


def zero(path: Path) -> None:
    """Leave a file's length, and nothing else."""
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    "damaged", [*product(("newest", "all", "best"), (cut, flip, empty, zero, Path.unlink))]
)
def test_damaged_checkpoint_is_noticed_and_the_one_before_is_used(
    make_run: MakeRun,
    train: Train,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damaged: tuple[str, Callable[[Path], None]],
) -> None:
    """The run ends with the same digest and no point stands there twice."""
    which, damage = damaged
    whole = make_run("whole", iterations=5)
    train(whole)
    saboteur = sabotage(tmp_path, "iteration_begin", 5, "raise")
    broken = make_run("broken", iterations=5, curriculum=saboteur)
    with pytest.raises(Interrupted):
        train(broken)
    paths = checkpoints_of(broken)
    best = [path for path in paths if path.samefile(broken / "checkpoints" / "best.pt")]
    for path in {"newest": paths[-1:], "all": paths, "best": best}[which]:
        damage(path)
    capsys.readouterr()
    train(broken)
    said = capsys.readouterr().out
    assert damage is Path.unlink or "cannot be used: " in said
    assert which != "all" or "resuming" not in said
    assert results_of(broken)["digest"] == results_of(whole)["digest"]
    assert results_of(broken)["test"] == results_of(whole)["test"]
    assert places_of(broken) == places_of(whole)


def test_checkpoint_of_another_run_is_not_used(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """A whole checkpoint in the wrong directory is noticed by its configuration."""
    other = make_run("other", seed=1)
    train(other)
    run_dir = make_run("run")
    (other / "checkpoints").rename(run_dir / "checkpoints")
    train(run_dir)
    assert "another configuration" in capsys.readouterr().out


def test_points_recomputed_from_an_older_checkpoint_keep_their_first_timestamp(
    make_run: MakeRun, train: Train
) -> None:
    """A reader that has passed a point on never sees it again."""
    run_dir = make_run("run")
    train(run_dir)
    before = points_of(run_dir)
    for path in checkpoints_of(run_dir):
        flip(path)
    train(run_dir)
    assert points_of(run_dir) == before


@pytest.mark.parametrize("kept", [0, 1, 40])
def test_torn_last_line_of_metrics_is_cut_off(make_run: MakeRun, train: Train, kept: int) -> None:
    """What a kill left of the last lines is written again, with the checkpoint's timestamps."""
    run_dir = make_run("run")
    train(run_dir)
    before = points_of(run_dir)
    path = run_dir / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-4]) + lines[-4][:kept])
    train(run_dir)
    assert places_of(run_dir) == [(point["key"], point["step"]) for point in before]
    assert points_of(run_dir)[:-2] == before[:-2]


def test_finished_run_only_tests_again(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is trained when the last iteration is saved; the results come out the same."""
    run_dir = make_run("run")
    train(run_dir)
    before = results_of(run_dir)
    (run_dir / "results.json").unlink()
    capsys.readouterr()
    train(run_dir)
    assert results_of(run_dir) == before
    assert capsys.readouterr().out.startswith("resuming after iteration 4, from checkpoints/000004")


def test_changed_environment_is_said_and_noted(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The results say that a run was resumed with other arithmetic."""
    run_dir = make_run("run", threads=1, curriculum=sabotage(tmp_path, "step_end", 2, "raise"))
    with pytest.raises(Interrupted):
        train(run_dir)
    config = run_dir / "config.yaml"
    config.write_text(config.read_text().replace("threads: 1", "threads: 2"))
    train(run_dir)
    assert "has changed: threads was 1, is 2" in capsys.readouterr().out
    assert results_of(run_dir)["environment_changes"] == ["after iteration 1: threads was 1, is 2"]
