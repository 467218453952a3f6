"""The end of an iteration reports its metrics, and is where a run stops or pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from run_files import points_of, results_of

from trainer.config_file import read_config
from trainer.errors import ConfigError, Stopped, TrainingPaused
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from run_files import MakeRun, Train


def test_each_iteration_reports_its_metrics(make_run: MakeRun, train: Train) -> None:
    """Four metrics an iteration, with the learning rate that it was trained with."""
    cosine = {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": 4}
    run_dir = make_run(scheduler=cosine)
    train(run_dir)
    rates = [point["value"] for point in points_of(run_dir) if point["key"] == "lr"]
    assert rates == pytest.approx([0.1, 0.0853553, 0.05, 0.0146447], rel=1e-4)
    assert len(points_of(run_dir)) == 4 * 4 + 2


def test_metric_that_does_not_exist_is_an_error(make_run: MakeRun, train: Train) -> None:
    """The message lists the metrics there are."""
    run_dir = make_run(checkpoint={"metric": "accuracy"})
    with pytest.raises(
        ConfigError, match=r"no metric 'accuracy'. Choose one of train/loss, lr, valid"
    ):
        train(run_dir)


def test_run_pauses_after_the_iteration_that_it_was_told_unless_it_is_over(
    make_run: MakeRun, train: Train
) -> None:
    whole, paused = make_run("whole"), make_run("paused")
    train(whole)
    for after, error in ((1, TrainingPaused), (3, TrainingPaused), (4, None)):
        trainer = ModularTaskTrainer(read_config(paused / "config.yaml"), paused)
        trainer.stop_after = after
        if error is None:
            trainer.train()
        else:
            with pytest.raises(error, match=f"paused after iteration {after} of 4"):
                trainer.train()
    assert results_of(paused)["digest"] == results_of(whole)["digest"]


def test_run_that_is_asked_to_stop_is_saved_although_no_checkpoint_was_due(
    make_run: MakeRun,
) -> None:
    run_dir = make_run(checkpoint={"every": 100})
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    trainer.stop_after = 2
    with pytest.raises(Stopped):
        trainer.train()
    assert [*(run_dir / "checkpoints").glob("000002-*.pt")]


def test_metric_that_is_not_a_number_is_told_once(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """No iteration is the best one then, and the last weights are tested."""
    run_dir = make_run(criterion={"_target_": "idle_modules.NanInEvaluation"}, iterations=3)
    train(run_dir)
    told = (
        "note: validation/loss is not a number in iteration 1, which therefore cannot be the best"
    )
    assert capsys.readouterr().out.count(told) == 1
    assert results_of(run_dir)["best"]["iteration"] is None
