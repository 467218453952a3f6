"""An iteration in progress is saved between its steps, and a kill there changes no bits."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from run_files import checkpoints_of, results_of
from thinning import combined
from user_modules import Interrupted, run_program, sabotage

from trainer.config_file import read_config
from trainer.errors import ConfigError, Stopped
from trainer.settings import read_settings
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from pathlib import Path

    from run_files import Interrupt, MakeRun, Start, Train

EACH = {"every": 1, "within_iteration": 1}
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"model__dropout": 0.4},
    "steps": {"training_type": "step", "eval_every": 5},
    "accumulated": {"accumulate": 4, "training_type": "step", "eval_every": 5},
    "norms": {"model": {"_target_": "stand_ins.Normed"}},
    "per update": {
        "scheduler": {
            "_target_": "torch.optim.lr_scheduler.OneCycleLR",
            "max_lr": 0.2,
            "total_steps": 24,
        }
    },
    "random samples": {"data": {"_target_": "user_modules.Noisy"}},
    "stream": {"data": {"_target_": "streaming.Streams", "how": "noisy"}},
    "stream by steps": {
        "data": {"_target_": "streaming.Streams", "how": "buffered"},
        "training_type": "step",
        "eval_every": 5,
    },
    "float16": {"precision": "float16"},
    "average": {"ema": {"decay": 0.9}},
    "drawing": {"model": {"_target_": "odd_modules.DrawingAlways"}},
    "adversaries": {
        "model": {
            "_target_": "adversaries.Adversaries",
            "critic_optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01, "_partial_": True},
        },
    },
}


def paced() -> dict[str, Any]:
    """Return the configuration of a curriculum that restricts the samples."""
    return {
        "_target_": "trainer.curriculum.paced.PacedCurriculum",
        "scores": {"_target_": "trainer.curriculum.scores.RandomScores"},
        "initial": 0.3,
        "full_at": 3,
    }


@pytest.mark.parametrize(
    ("way", "within", "iteration"), combined(way=WAYS, within=(1, 2, 3), iteration=(1, 3))
)
def test_interrupted_run_ends_with_the_same_bits(
    interrupt: Interrupt, capsys: pytest.CaptureFixture[str], way: str, within: int, iteration: int
) -> None:
    checkpoint = {"within_iteration": within}
    broken = interrupt("late_step_end", iteration, checkpoint=checkpoint, **WAYS[way])
    said = capsys.readouterr().out
    assert f"of iteration {iteration}\n" in said.partition("resuming after step")[2]
    assert not [*(broken / "checkpoints").glob("within*")]


def test_optimizer_whose_parameters_were_all_frozen_within_an_iteration_goes_on(
    interrupt: Interrupt,
) -> None:
    frozen = {"_target_": "changing_modules.TwoPhases", "step": 1}
    sabotaged = {"role": "data", "by": "user_modules.FragileTiny", "curriculum": frozen}
    interrupt("late_step_end", 1, checkpoint=EACH, **sabotaged)


@pytest.mark.parametrize("model", ["DrawingAlways", "KeptBackbone"])
def test_how_often_it_is_saved_changes_no_result(
    make_run: MakeRun, train: Train, model: str
) -> None:
    digests = []
    for name, checkpoint in (("never", {}), ("often", EACH)):
        changes = {"model": {"_target_": f"odd_modules.{model}"}, "checkpoint": checkpoint}
        train(run_dir := make_run(name, **changes))
        digests.append(results_of(run_dir)["digest"])
    assert digests[0] == digests[1]


def test_curriculum_that_restricts_the_samples_goes_on(interrupt: Interrupt) -> None:
    interrupt(
        "late_step_end",
        2,
        role="data",
        by="user_modules.FragileTiny",
        curriculum=paced(),
        batch_size=4,
        checkpoint=EACH,
    )


@pytest.mark.parametrize("workers", [0, 1])
def test_killed_run_goes_on_within_the_iteration(
    make_run: MakeRun, start: Start, tmp_path: Path, workers: int
) -> None:
    changes = {
        "data": {"_target_": "user_modules.Noisy"},
        "dataloader": {"num_workers": workers},
        "checkpoint": EACH,
    }
    whole = make_run("whole", **changes)
    assert start(run_program, str(whole)) == 0
    killing = sabotage(tmp_path, "late_step_end", 3, "kill")
    killed = make_run("killed", curriculum=killing, **changes)
    assert start(run_program, str(killed)) == -signal.SIGKILL
    assert start(run_program, str(killed)) == 0
    said = (killed / "out.log").read_text()
    assert re.search("resuming after step [123] of iteration 3\n", said)
    assert results_of(killed)["digest"] == results_of(whole)["digest"]


@pytest.mark.parametrize("damage", ["cut", "other run", "older numbers", "no iteration before"])
def test_state_that_cannot_be_used_is_passed_over(
    make_run: MakeRun,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damage: str,
) -> None:
    """The run goes on from the iteration before."""
    whole = make_run("whole", checkpoint=EACH)
    train(whole)
    saboteur = sabotage(tmp_path, "late_step_end", 3, "raise")
    broken = make_run("broken", checkpoint=EACH, curriculum=saboteur)
    with monkeypatch.context() as patch:
        if damage == "older numbers":
            patch.setattr("trainer.checkpoints.state.NUMBERS", 0)
        with pytest.raises(Interrupted):
            train(broken)
    (path,) = (broken / "checkpoints").glob("within*")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    if damage == "other run":
        config = broken / "config.yaml"
        config.write_text(config.read_text().replace("lr: 0.1", "lr: 0.2"))
    if damage == "no iteration before":
        for each in checkpoints_of(broken):
            each.unlink()
    capsys.readouterr()
    train(broken)
    assert "resuming after step" not in capsys.readouterr().out
    assert (results_of(broken)["digest"] == results_of(whole)["digest"]) is (damage != "other run")


def test_run_that_is_asked_to_stop_does_not_wait_for_the_iteration(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, stopped = make_run("whole", checkpoint=EACH), make_run("stopped", checkpoint=EACH)
    ModularTaskTrainer(read_config(whole / "config.yaml"), whole).train()
    trainer = ModularTaskTrainer(read_config(stopped / "config.yaml"), stopped)
    trainer.stop_requested = True
    with pytest.raises(Stopped, match="iteration 0 of 4"):
        trainer.train()
    trainer = ModularTaskTrainer(read_config(stopped / "config.yaml"), stopped)
    trainer.stop_requested = False
    take = trainer.update.take

    def take_and_ask(*arguments: Any) -> Any:
        trainer.stop_requested = True
        return take(*arguments)

    trainer._steps._take_update = take_and_ask
    with pytest.raises(Stopped, match="stopped after step 1 of iteration 1, as asked"):
        trainer.train()
    ModularTaskTrainer(read_config(stopped / "config.yaml"), stopped).train()
    assert "resuming after step 1 of iteration 1" in capsys.readouterr().out
    assert results_of(stopped)["digest"] == results_of(whole)["digest"]


def test_seconds_decide_if_they_are_configured(make_run: MakeRun, train: Train) -> None:
    """None has passed here, so nothing is saved within an iteration."""
    train(make_run(checkpoint={"within_iteration": "10h"}))


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ({"within_iteration": 0}, "^checkpoint.within_iteration: 0 is neither a number of steps"),
        ({"within_iteration": "soon"}, "^checkpoint.within_iteration: 'soon' is neither"),
        ({"within_iteration": True}, "^checkpoint.within_iteration: True is neither"),
        ({"within_iteration": 5, "every": 2}, "Set checkpoint.every to 1, or remove one"),
        ({"within_iteration": 5, "every": "10m"}, "Set checkpoint.every to 1, or remove one"),
    ],
)
def test_wrong_key_is_refused_in_one_line(checkpoint: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read_settings({"seed": 0, "iterations": 1, "checkpoint": checkpoint})
    assert "\n" not in str(caught.value)


def test_what_a_callback_keeps_from_step_to_step_is_told(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be lost, where one that is kept in a state_dict is not."""
    for name, told in (("counting_modules.Count", 1), ("user_modules.Counter", 0)):
        curriculum = {"_target_": name}
        train(make_run(name, checkpoint=EACH, curriculum=curriculum))
        assert capsys.readouterr().out.count("note: curriculum.steps changed") == told
