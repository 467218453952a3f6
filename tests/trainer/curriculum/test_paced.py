"""A curriculum restricts what passes take, and survives whatever the training survives."""

from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from run_files import MakeRun, Start, Train, points_of, results_of
from thinning import combined
from user_modules import Interrupted, run_program, sabotage

from trainer.config_file import read_config
from trainer.curriculum.paced import PacedCurriculum
from trainer.curriculum.scores import RandomScores
from trainer.errors import ConfigError
from trainer.trainer import ModularTaskTrainer

SCORES = {"_target_": "trainer.curriculum.scores.RandomScores"}


def paced(**changes: Any) -> dict[str, Any]:
    """Return the configuration of a curriculum."""
    target = "trainer.curriculum.paced.PacedCurriculum"
    return {"_target_": target, "scores": SCORES, "initial": 0.3, "full_at": 3, **changes}


@pytest.mark.parametrize("first", ["easy", "hard"])
def test_passes_take_the_samples_that_are_allowed(
    make_run: MakeRun, tmp_path: Path, first: str
) -> None:
    """Of 44 samples, 13, then 29, then all; by the scores of a file, from one end or the other."""
    scores = torch.randperm(44, generator=torch.Generator().manual_seed(0))
    (tmp_path / "scores.txt").write_text("\n".join(str(score) for score in scores.tolist()))
    by_file = {
        "_target_": "trainer.curriculum.scores.FileScores",
        "path": str(tmp_path / "scores.txt"),
    }
    run_dir = make_run(
        iterations=4,
        curriculum=paced(scores=by_file, first=first),
        data={"_target_": "user_modules.Watched"},
    )
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    trainer.train()
    taken: list[list[int]] = trainer.data.taken  # type: ignore[attr-defined]
    assert [len(indices) for indices in taken] == [13, 29, 44, 44]
    for indices in taken:
        rank = sorted(scores[indices].tolist(), reverse=first == "hard")
        end = range(44) if first == "easy" else range(43, -1, -1)
        assert rank == [*end][: len(indices)]
    sizes = [point["value"] for point in points_of(run_dir) if point["key"].startswith("curric")]
    assert sizes == [13, 29, 44, 44]


def test_curriculum_that_allows_all_changes_nothing(make_run: MakeRun, train: Train) -> None:
    """The order of a pass is that of a training without one."""
    plain, full = make_run("plain"), make_run("full", curriculum=paced(initial=1))
    train(plain)
    train(full)
    points = [point for point in points_of(full) if point["key"] != "curriculum/samples"]
    assert [(each["key"], each["value"]) for each in points] == [
        (each["key"], each["value"]) for each in points_of(plain)
    ]


@pytest.mark.parametrize(
    "choice", [*product(("epoch", "step"), ("SGD", "Adam"), ("linear", "step", None))]
)
def test_resumed_curriculum_ends_with_the_same_digest(
    make_run: MakeRun, train: Train, tmp_path: Path, choice: tuple[str, str, str | None]
) -> None:
    """Interrupted in the middle of an iteration, and in the middle of a pass, nothing changes."""
    training_type, optimizer, pacing = choice
    changes = {
        "training_type": training_type,
        "eval_every": 3,
        "iterations": 6,
        "optimizer": {"_target_": f"torch.optim.{optimizer}", "lr": 0.01},
        "curriculum": paced(pacing=pacing, full_at=5) if pacing else {"name": "none"},
    }
    whole = make_run("whole", **changes)
    train(whole)
    random = Random(str(choice))  # noqa: S311 - no secret
    for attempt in range(2):
        deed = sabotage(tmp_path, "step_end", random.randint(1, 6), "raise")
        data = deed | {"_target_": "user_modules.FragileTiny"}
        broken = make_run(f"broken-{attempt}", data=data, **changes)
        with pytest.raises(Interrupted):
            train(broken)
        train(broken)
        assert results_of(broken)["digest"] == results_of(whole)["digest"]


@pytest.mark.parametrize(
    ("training_type", "data"), combined(training_type=["epoch", "step"], data=["Tiny", "Noisy"])
)
def test_number_of_loader_workers_changes_nothing_under_a_curriculum(
    make_run: MakeRun, start: Start, data: str, training_type: str
) -> None:
    """None, one and two worker processes give one digest."""
    digests = set()
    for workers in (0, 1, 2):
        run_dir = make_run(
            f"workers-{workers}",
            iterations=2,
            data={"_target_": f"user_modules.{data}"},
            training_type=training_type,
            dataloader={"name": "default", "num_workers": workers},
            curriculum=paced(),
        )
        assert start(run_program, str(run_dir)) == 0
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 1


def test_run_that_goes_on_needs_its_scores_no_more(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """The order is in the checkpoint: a scored run may be removed once the training has begun."""
    teacher = make_run("teacher", iterations=1)
    train(teacher)
    by_loss = {"_target_": "trainer.curriculum.losses.LossScores", "path": str(teacher)}
    whole = make_run("whole", curriculum=paced(scores=by_loss))
    train(whole)
    deed = sabotage(tmp_path, "step_end", 2, "raise") | {"_target_": "user_modules.FragileTiny"}
    broken = make_run("broken", data=deed, curriculum=paced(scores=by_loss))
    with pytest.raises(Interrupted):
        train(broken)
    teacher.rename(tmp_path / "gone")
    train(broken)
    assert results_of(broken)["digest"] == results_of(whole)["digest"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pacing": "fast"}, "^curriculum.pacing: 'fast' is not one of linear, quadratic, root, "),
        ({"first": "all"}, "^curriculum.first: 'all' is not one of easy, hard"),
        ({"initial": 0}, "^curriculum.initial: 0 is not a share above 0 and up to 1"),
        ({"initial": 20}, "^curriculum.initial: 20 is not a share"),
        ({"full_at": 0.5}, "^curriculum.full_at: 0.5 is not an iteration"),
        ({"scores": {"path": "x"}}, r"^curriculum.scores: .* does not have score\(\)"),
    ],
)
def test_wrong_key_is_an_error(changes: dict[str, Any], message: str) -> None:
    """The line names the key and what it may be."""
    with pytest.raises(ConfigError, match=message):
        PacedCurriculum(**{"scores": RandomScores(), **changes})


def test_too_few_samples_for_a_batch_are_an_error(make_run: MakeRun, train: Train) -> None:
    """With `drop_last`, the first pass would have no batch at all."""
    run_dir = make_run(curriculum=paced(initial=0.1), dataloader={"drop_last": True})
    with pytest.raises(
        ConfigError, match=r"4 training samples are too few for a batch\. Allow more of them"
    ):
        train(run_dir)
