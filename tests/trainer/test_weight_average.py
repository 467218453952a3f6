"""The average of the weights is that of PyTorch, is used where asked, and is the same after a kill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import results_of
from thinning import combined
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import trainer as package
from trainer.config_file import read_config
from trainer.ema_settings import EmaSettings
from trainer.trainer import ModularTaskTrainer
from trainer.weight_average import WeightAverage

if TYPE_CHECKING:
    from run_files import Interrupt, MakeRun, Train

EMA = {"decay": 0.8}
BATCH_NORM = {"model": {"_target_": "stand_ins.Normed"}}
ADAM = {"optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01}}
MODELS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "tied": {"model": {"_target_": "stand_ins.TiedGpt"}},
    "norms": BATCH_NORM,
    "dropout": {"model__dropout": 0.4},
    "folding": {"model": {"_target_": "odd_modules.Folding"}},
    "merging": {"model": {"_target_": "odd_modules.Merging"}},
    "replacing": {"model": {"_target_": "odd_modules.Replacing"}},
}


def averaged(model: nn.Module, decay: float = 0.8) -> WeightAverage:
    """Return an average that has begun."""
    average = WeightAverage(model, EmaSettings(decay))
    average.begin_iteration(1)
    return average


def test_average_is_that_of_pytorch() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8))  # type: ignore[no-untyped-call] # PyTorch's
    ours = averaged(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        model.zero_grad()
        model(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()

    take = ours.after(step)
    for _ in range(5):
        take()
        theirs.update_parameters(model)
    wanted = {name: weights.clone() for name, weights in theirs.module.named_parameters()}
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    with ours.evaluated():
        for name, weights in model.named_parameters():
            assert torch.equal(weights, wanted[name])
        assert not torch.equal(model[0].weight, before["0.weight"])
    assert all(torch.equal(weights, before[name]) for name, weights in model.named_parameters())


def test_weights_come_back_if_the_evaluation_fails() -> None:
    model = nn.Linear(2, 2)
    average, before = averaged(model), model.weight.detach().clone()
    average.after(lambda: None)()
    nn.init.ones_(model.weight)

    def fail() -> None:
        with average.evaluated():
            assert torch.equal(model.weight, before)
            raise RuntimeError("x")

    with pytest.raises(RuntimeError, match="x"):
        fail()
    assert torch.equal(model.weight, torch.ones(2, 2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_coarse_weights_have_a_fine_average(dtype: torch.dtype) -> None:
    """In their own type, it would stand still."""
    model = nn.Linear(1, 1, bias=False).to(dtype)
    nn.init.ones_(model.weight)
    average = averaged(model, 0.999)
    take = average.after(lambda: None)
    take()
    nn.init.constant_(model.weight, 2)
    for _ in range(100):
        take()
    assert average.state_dict()["weights"]["weight"].item() == pytest.approx(2 - 0.999**100)


def test_parameter_that_is_added_or_gone_is_no_error() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    average = averaged(model)
    take = average.after(lambda: None)
    take()
    model.append(nn.Linear(2, 2))
    take()
    assert {*average.state_dict()["weights"]} == {*dict(model.named_parameters())}
    del model[1]
    take()
    assert {*average.state_dict()["weights"]} == {"0.weight", "0.bias"}
    with average.evaluated():
        pass


@pytest.mark.parametrize(
    ("model", "event", "ema"),
    combined(
        model=MODELS,
        event=["step_end", "iteration_end"],
        ema=[EMA, EMA | {"from_iteration": 3}, EMA | {"evaluate": False}],
    ),
)
def test_interrupted_run_ends_with_the_same_bits(
    interrupt: Interrupt, model: str, event: str, ema: dict[str, Any]
) -> None:
    interrupt(event, 3, ema=ema, **ADAM, **MODELS[model])


def test_average_is_evaluated_only_where_asked(make_run: MakeRun, train: Train) -> None:
    tested = {}
    choices: dict[str, dict[str, Any]] = {
        "none": {},
        "not used": {"ema": EMA | {"evaluate": False}},
        "not begun": {"ema": EMA | {"from_iteration": 99}},
        "used": {"ema": EMA},
    }
    for name, changes in choices.items():
        tested[name] = train(make_run(name, test_with="last", **changes))
    assert tested["none"] == tested["not used"] == tested["not begun"] != tested["used"]


@pytest.mark.parametrize(
    "model", [MODELS["mlp"], MODELS["merging"], MODELS["replacing"], MODELS["folding"]]
)
def test_training_is_the_same_with_an_average(
    make_run: MakeRun, train: Train, model: dict[str, Any]
) -> None:
    """Also that of a model which changes its weights for evaluations."""
    losses = []
    for name, changes in (("with", {"ema": EMA}), ("without", {})):
        train(run_dir := make_run(name, **changes, **model))
        losses.append(results_of(run_dir)["final"]["train/loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("weights", ["best", "last"])
@pytest.mark.parametrize("model", ["mlp", "tied", "merging", "folding"])
def test_model_of_a_finished_run_has_the_weights_that_were_tested(
    make_run: MakeRun, train: Train, weights: str, model: str
) -> None:
    run_dir = make_run(test_with=weights, ema=EMA, **MODELS[model])
    tested = train(run_dir)["test/loss"]
    loaded = package.load(run_dir, weights=weights)
    data = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir).data
    samples, labels = data.test.tensors  # type: ignore[attr-defined] # of a TensorDataset
    with torch.no_grad():
        loss = nn.functional.cross_entropy(loaded(samples), labels)
    assert loss.item() == pytest.approx(tested, rel=1e-5)


def test_parameter_of_another_shape_is_not_exchanged() -> None:
    """Its average begins again with the next update."""
    model = nn.Sequential(nn.Linear(2, 2))
    average = averaged(model)
    average.after(lambda: None)()
    model[0] = nn.Linear(2, 3)
    with average.evaluated():
        assert model[0].weight.shape == (3, 2)
    average.after(lambda: None)()
    assert average.state_dict()["weights"]["0.weight"].shape == (3, 2)
