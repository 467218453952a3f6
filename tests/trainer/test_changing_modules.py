"""Modules that change during a training are resumed, and what is measured is what they say."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from run_files import Interrupt, MakeRun, Train, results_of
from thinning import combined
from user_modules import Interrupted, sabotage

from trainer.config_file import read_config
from trainer.errors import CheckpointError
from trainer.trainer import ModularTaskTrainer

LAST = {"test_with": "last", "model__dropout": 0.2}
FREE = {"_target_": "changing_modules.ScheduleFree", "lr": 0.1}
CHANGING: dict[str, dict[str, Any]] = {
    "a group is added": {"curriculum": {"_target_": "changing_modules.Unfreezing"}, **LAST},
    "weights are pruned": {"curriculum": {"_target_": "changing_modules.Pruning"}, **LAST},
    "an average is measured": {"curriculum": {"_target_": "changing_modules.Averaging"}},
    "an optimizer without a schedule": {"optimizer": FREE},
    "the same by steps": {"optimizer": FREE, "training_type": "step"},
}


@pytest.mark.parametrize(("iteration", "way"), combined(iteration=[2, 3, 4], way=CHANGING))
def test_run_whose_modules_change_is_resumed(
    make_run: MakeRun, train: Train, tmp_path: Path, way: str, iteration: int
) -> None:
    """Before the change, in the iteration of the change, and after it."""
    whole = make_run("whole", **CHANGING[way])
    train(whole)
    fragile = sabotage(tmp_path, "step_end", iteration, "raise")
    data = fragile | {"_target_": "user_modules.FragileTiny"}
    broken = make_run("broken", data=data, **CHANGING[way])
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    assert results_of(broken)["digest"] == results_of(whole)["digest"]
    assert results_of(broken)["test"] == results_of(whole)["test"]


@pytest.mark.parametrize(("name", "role"), [("Unfreezing", "optimizer"), ("Pruning", "model")])
def test_change_that_is_not_made_again_is_one_line(
    make_run: MakeRun, train: Train, name: str, role: str
) -> None:
    """It names the module, and says what to do."""
    curriculum = {"_target_": f"changing_modules.{name}"}
    run_dir = make_run(curriculum=curriculum, **LAST)
    train(run_dir)
    config: Any = OmegaConf.to_container(OmegaConf.load(run_dir / "config.yaml"))
    trainer = ModularTaskTrainer(config, run_dir)
    trainer.curriculum.forgetful = True  # type: ignore[union-attr, attr-defined]
    with pytest.raises(CheckpointError, match=f"^{role}: its state after iteration 4") as caught:
        trainer.train()
    assert "let cb_on_train_begin change it" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_best_weights_that_do_not_fit_any_more_are_one_line(
    make_run: MakeRun, train: Train
) -> None:
    """The model was another one when it was the best."""
    metric = {"metric": "train/loss", "mode": "max"}
    run_dir = make_run(curriculum={"_target_": "changing_modules.Pruning"}, checkpoint=metric)
    with pytest.raises(CheckpointError, match=r"^model: its state after iteration 1 "):
        train(run_dir)


def test_callbacks_hear_of_every_evaluation(make_run: MakeRun) -> None:
    """Of the test too, and what they add is reported."""
    run_dir = make_run(curriculum={"_target_": "changing_modules.Averaging"}, iterations=2)
    config: Any = OmegaConf.to_container(OmegaConf.load(run_dir / "config.yaml"))
    trainer = ModularTaskTrainer(config, run_dir)
    trainer.train()
    heard: Any = trainer.curriculum
    measured = ("validation/loss", "validation/accuracy")
    assert heard.heard == [
        *(("validation", 1), ("validation", 1, *measured)),
        *(("validation", 2), ("validation", 2, *measured)),
        *(("test", 2), ("test", 2, "test/loss", "test/accuracy")),
    ]
    assert trainer.evaluating is None
    results = results_of(run_dir)
    assert results["final"]["validation/averages"] == 6
    assert results["test"]["test/averages"] == 6
    assert trainer.model is not None


def test_schedule_free_optimizer_is_switched_for_steps_and_evaluations(make_run: MakeRun) -> None:
    """What is saved are the weights that are evaluated."""
    run_dir = make_run(
        optimizer=FREE, curriculum={"_target_": "changing_modules.Modes"}, iterations=2
    )
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    trainer.train()
    modes: Any = trainer.curriculum
    assert modes.seen == {"step": {True}, "evaluation": {False}, "saving": {False}}


def test_test_measures_what_the_best_validation_measured(make_run: MakeRun, train: Train) -> None:
    """The average of the best iteration belongs to its weights."""
    first_is_best = {"metric": "train/loss", "mode": "max"}
    digests = {}
    for iterations in (1, 3):
        run_dir = make_run(
            f"run-{iterations}",
            curriculum={"_target_": "changing_modules.Averaging"},
            iterations=iterations,
            checkpoint=first_is_best,
        )
        digests[iterations] = train(run_dir)
    assert digests[1] == digests[3]


@pytest.mark.parametrize("kind", ["Freezing", "TwoPhases"])
def test_parameters_that_a_callback_has_frozen_stay_so(interrupt: Interrupt, kind: str) -> None:
    """No module's state says it; that an optimizer has no gradient any more is as before."""
    frozen = {"_target_": f"changing_modules.{kind}"}
    interrupt("step_end", 3, role="data", by="user_modules.FragileTiny", curriculum=frozen)
