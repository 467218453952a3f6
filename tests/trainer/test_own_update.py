"""A module may make the updates itself, with several optimizers; a kill changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import results_of

from trainer.config_file import read_config
from trainer.errors import CallbackError, ConfigError
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from run_files import Interrupt, MakeRun, Train

ADAM = {"_target_": "torch.optim.Adam", "lr": 0.01, "_partial_": True}
ADVERSARIES: dict[str, Any] = {
    "model": {"_target_": "adversaries.Adversaries", "critic_optimizer": ADAM},
    "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.02},
}


def returning(what: str) -> dict[str, Any]:
    """Return the configuration of adversaries that return something as their loss."""
    return {"model": {**ADVERSARIES["model"], "returns": what}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training_type": "step"},
        {"accumulate": 2},
        {"ema": {"decay": 0.9}},
        {
            "scheduler": {
                "_target_": "torch.optim.lr_scheduler.CosineAnnealingLR",
                "T_max": 24,
                "interval": "step",
            }
        },
    ],
)
def test_interrupted_run_ends_with_the_same_bits(
    interrupt: Interrupt, changes: dict[str, Any]
) -> None:
    interrupt("step_end", 3, **{**ADVERSARIES, **changes})


def test_parameters_of_the_models_own_optimizer_are_left_to_it(make_run: MakeRun) -> None:
    run_dir = make_run(**ADVERSARIES)
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    names = {id(each): name for name, each in trainer.model.named_parameters()}
    given = [names[id(each)] for each in trainer.optimizer.param_groups[0]["params"]]
    assert given == [name for name in names.values() if name.startswith("generator")]


def test_groups_select_among_the_other_parameters(make_run: MakeRun) -> None:
    groups = [{"kinds": "bias", "lr": 0.5}]
    run_dir = make_run(
        **{**ADVERSARIES, "optimizer": {**ADVERSARIES["optimizer"], "groups": groups}}
    )
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    assert [len(group["params"]) for group in trainer.optimizer.param_groups] == [2, 2]


def test_loss_that_is_returned_is_reported(make_run: MakeRun, train: Train) -> None:
    losses = {}
    for what in ("", "number", "number of NumPy", "nothing is left"):
        run_dir = make_run(f"returns {what}", **{**ADVERSARIES, **returning(what)})
        train(run_dir)
        losses[what] = results_of(run_dir)["final"]["train/loss"]
    assert [*losses.values()] == pytest.approx([losses[""]] * 4)


@pytest.mark.parametrize("what", ["text", "nothing", "vector"])
def test_something_else_than_a_loss_is_refused(make_run: MakeRun, train: Train, what: str) -> None:
    with pytest.raises(
        CallbackError, match=r"^cb_on_update returns .*, which is not a loss"
    ) as caught:
        train(make_run(**{**ADVERSARIES, **returning(what)}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["clip_norm", "precision"])
def test_key_without_effect_is_refused(make_run: MakeRun, train: Train, key: str) -> None:
    changes = {"clip_norm": 1.0} if key == "clip_norm" else {"precision": "bfloat16"}
    with pytest.raises(ConfigError, match=f"^{key}: it has no effect on an update that cb_on"):
        train(make_run(**{**ADVERSARIES, **changes}))


def test_only_one_module_makes_the_updates(make_run: MakeRun, train: Train) -> None:
    with pytest.raises(CallbackError, match=r"^2 modules define cb_on_update, but"):
        train(make_run(**{**ADVERSARIES, "curriculum": {"_target_": "adversaries.Updating"}}))


def test_model_without_the_hook_is_trained_as_before(make_run: MakeRun) -> None:
    """Its optimizer gets all parameters, whatever the model holds."""
    run_dir = make_run(model={"_target_": "adversaries.Holding"})
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    assert len(trainer.optimizer.param_groups[0]["params"]) == 2
    assert isinstance(trainer.model.optimizer, torch.optim.SGD)


def test_model_that_trains_all_of_itself_is_refused(make_run: MakeRun, train: Train) -> None:
    with pytest.raises(ConfigError, match=r"^optimizer: Alone trains all parameters by"):
        train(make_run(model={"_target_": "adversaries.Alone"}))
