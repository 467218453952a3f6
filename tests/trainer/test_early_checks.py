"""What can be told early is told before a whole iteration is lost, in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch
from run_files import MakeRun, Train, checkpoints_of, results_of
from torch import nn

from trainer.early_checks import check_metric, check_numbers, check_restorable, check_savable
from trainer.errors import CheckpointError, ConfigError, Diverged, TrainerError

RECALL = {"recall": {"_target_": "torchmetrics.classification.BinaryRecall"}}


def steps_of(name: str) -> dict[str, Any]:
    """Return the configuration of a module that counts its steps in a file."""
    return {"_target_": f"early_modules.{name}"}


def unlikely(name: str) -> dict[str, Any]:
    """Return the configuration of an unlikely module."""
    return {"_target_": f"unlikely_modules.{name}"}


WEIGHTLESS = {
    "_target_": "torch.utils.data.WeightedRandomSampler",
    "weights": [0.0] * 44,
    "num_samples": 8,
}
BUILT_IN = {
    "_target_": "torch.optim.lr_scheduler.LambdaLR",
    "lr_lambda": {"_target_": "hydra.utils.get_method", "path": "math.exp"},
}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"checkpoint": {"metric": "validation/f1", "mode": "max"}}, ConfigError, "no metric 'va"),
        ({"checkpoint": {"metric": "loss", "mode": "min"}}, ConfigError, "no metric 'loss'"),
        ({"curriculum": steps_of("Unsavable")}, CheckpointError, r"\['steps'\] is a numpy.float64"),
        (
            {"criterion": steps_of("ShapeOne")},
            ConfigError,
            r"the loss of ShapeOne has the shape \[1",
        ),
        ({"criterion": steps_of("PerSample")}, ConfigError, r"of PerSample has the shape \[8\]"),
        (
            {"criterion": steps_of("Plain")},
            ConfigError,
            "the loss of Plain is a float, not a tensor",
        ),
        ({"criterion": steps_of("Cut")}, ConfigError, "the loss of Cut does not have a gradient"),
    ],
)
def test_what_cannot_work_is_told_before_the_first_step(
    make_run: MakeRun,
    train: Train,
    changes: dict[str, Any],
    error: type[TrainerError],
    message: str,
) -> None:
    """Nothing is trained, and nothing is saved."""
    data = {"_target_": "early_modules.Counted"}
    run_dir = make_run(**{"data": data, **changes})
    with pytest.raises(error, match=message) as caught:
        train(run_dir)
    assert "\n" not in str(caught.value)
    assert checkpoints_of(run_dir) == []
    assert not (run_dir / "metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("metric", "measured"),
    [
        ("train/loss", []),
        ("lr", []),
        ("validation/recall", ["recall"]),
        ("validation/coco/map", ["coco"]),
        (None, []),
    ],
)
def test_metric_that_may_be_there_is_let_through(metric: str | None, measured: list[str]) -> None:
    """Also one of several values of a metric."""
    check_metric(metric, measured)


def test_metric_of_a_callback_is_looked_for_when_it_should_be_there(
    make_run: MakeRun, train: Train
) -> None:
    """Nobody knows before what a callback adds."""
    counter = {"_target_": "user_modules.Counter"}
    train(
        make_run("a", curriculum=counter, checkpoint={"metric": "curriculum/steps", "mode": "max"})
    )
    with pytest.raises(ConfigError, match="no metric 'curriculum/loss'"):
        train(make_run("b", curriculum=counter, checkpoint={"metric": "curriculum/loss"}))


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"\udce4": 0.5}, "which is not a name without control characters"),
        ({"a\nb": 0.5}, "which is not a name without control characters"),
        ({"\x1b[31m": 0.5}, "which is not a name without control characters"),
        ({"": 0.5}, "which is not a name without control characters"),
        ({" ": 0.5}, "which is not a name without control characters"),
        ({"x": 10**400}, "'x', and 1"),
        ({3: 0.5}, "^metrics: a callback has added 0.5 under the key 3, which is not a name"),
        ({("a", 1): 0.5}, r"under the key \('a', 1\), which"),
        ({None: 1}, "under the key None, which"),
        ({"a": "much"}, "^metrics: a callback has added 'a', and 'much' is not a number"),
        ({"a": None}, "'a', and None is not a number"),
        ({"a": torch.ones(2)}, r"'a', and tensor\(\[1., 1.\]\) is not a number"),
        ({"a": [1.0]}, r"'a', and \[1.0\] is not a number"),
    ],
)
def test_metrics_are_numbers_with_names(metrics: Any, message: str) -> None:
    """The line names the key."""
    with pytest.raises(ConfigError, match=message):
        check_numbers(metrics)


def test_metric_with_a_gradient_is_a_number() -> None:
    """PyTorch warns where such a tensor is made one."""
    metrics = {"a": torch.ones(1, requires_grad=True) * 2}
    check_numbers(metrics)
    assert float(metrics["a"]) == 2


@pytest.mark.parametrize("event", ["iteration_end", "evaluation_end", "train_end"])
def test_metric_without_a_name_is_refused(make_run: MakeRun, train: Train, event: str) -> None:
    """Whatever event it was added at; no file is left that nobody can read."""
    run_dir = make_run(curriculum={"_target_": "early_modules.Nameless", "event": event})
    with pytest.raises(ConfigError, match="under the key 5, which is not a name"):
        train(run_dir)
    progress = run_dir / "progress.json"
    assert event == "train_end" or not progress.exists()


@pytest.mark.parametrize("after", [1, 1030])
def test_loss_that_is_no_number_is_noticed_when_it_is_summed_up(
    make_run: MakeRun, train: Train, after: int
) -> None:
    """Not at the end of the iteration, which may be hours later."""
    run_dir = make_run(
        criterion={"_target_": "early_modules.NanAfter", "after": after},
        training_type="step",
        eval_every=10_000,
        batch_size=44,
    )
    with pytest.raises(Diverged, match=r"^iteration 1: the training loss is nan\. "):
        train(run_dir)
    assert results_at(run_dir) <= (after // 1024 + 2) * 1024


def results_at(run_dir: Path) -> int:
    """Return how many losses were computed."""
    return int((run_dir / "losses").read_text())


def test_weights_that_are_not_finite_are_not_saved(make_run: MakeRun, train: Train) -> None:
    """Each retry would begin with them."""
    run_dir = make_run(curriculum={"_target_": "early_modules.Spoiling", "iteration": 2})
    with pytest.raises(Diverged, match=r"^iteration 2: .*weight has values that are not finite"):
        train(run_dir)
    assert [path.name[:6] for path in checkpoints_of(run_dir)] == ["000001"]


def test_state_that_is_not_ready_yet_is_asked_for_later(make_run: MakeRun, train: Train) -> None:
    """A module may have its state only after its first iteration."""
    run_dir = make_run(curriculum={"_target_": "early_modules.LateState"})
    train(run_dir)
    assert results_of(run_dir)["iterations"] == 4


def test_checking_a_state_changes_and_copies_nothing() -> None:
    """Whatever it holds."""
    model = nn.Sequential(nn.LazyLinear(3), nn.BatchNorm1d(3))
    model[1].weight.grad = torch.ones(3)
    check_savable(model.state_dict)
    assert torch.equal(model[1].weight.grad, torch.ones(3))
    with pytest.raises(CheckpointError, match=r"state\['a'\]\[1\] is a builtins.object"):
        check_savable(lambda: {"a": (torch.ones(2), object())})


class LoadsItself(nn.Module):
    """Keeps an expanded tensor, and replaces it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(1).expand(3))

    def _load_from_state_dict(self, state: Any, prefix: str, *_: Any) -> None:
        self.scale = state[f"{prefix}scale"].clone()


def test_saved_tensor_that_nothing_can_be_copied_into_is_refused() -> None:
    """At the end of all iterations, the best weights could not be restored."""
    model = nn.Sequential(nn.Linear(1, 1), nn.LazyLinear(1), LoadsItself())
    model[0].register_buffer("scale", torch.ones(1).expand(3), persistent=False)
    odd = {
        "column": torch.arange(6.0).reshape(2, 3)[:, 0],
        "row": torch.ones(3).expand(1, 3),
        "unfolded": torch.arange(6.0).unfold(0, 3, 1),
        "empty": torch.zeros(0, 1).expand(0, 4),
    }
    for name, each in odd.items():
        model[0].register_buffer(name, each)
        each.copy_(each.clone())
    check_restorable({"model": model, "curriculum": object()})
    model[0].register_buffer("kept", torch.ones(1).expand(3))
    with pytest.raises(CheckpointError, match=r"^model\.0\.kept is expanded: .*Register its clone"):
        check_restorable({"model": model})


@pytest.mark.parametrize(
    ("event", "deed", "message"),
    [
        ("evaluation_end", "clear", "^metrics: a callback has removed 'validation/loss', which"),
        ("iteration_end", "clear", "^metrics: a callback has removed 'train/loss', which"),
        ("evaluation_end", "text", "'x', and '0.5' is not a number"),
        ("iteration_end", "text", "'x', and '0.5' is not a number"),
    ],
)
def test_metrics_are_only_added_to(
    make_run: MakeRun, train: Train, event: str, deed: str, message: str
) -> None:
    """What the trainer measured stays, and what is added is a number."""
    meddling = {"_target_": "meddling.Meddling", "deed": deed, "event": event}
    with pytest.raises(ConfigError, match=message):
        train(make_run(curriculum=meddling))


@pytest.mark.parametrize("kind", ["deep", "itself", "in a list"])
def test_state_without_an_end_is_refused_before_the_first_step(kind: str) -> None:
    """Its digest could never be computed."""
    state: dict[str, Any] = {}
    inner = state
    for _ in range(1000):
        inner["a"] = {}
        inner = inner["a"]
    if kind == "itself":
        state = {}
        state["a"] = state
    if kind == "in a list":
        state = {"a": []}
        state["a"].append(state)
    with pytest.raises(CheckpointError, match="nested in more than 100 levels, or contains itself"):
        check_savable(lambda: state)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": unlikely("Spoiling")}, "^model: the gradients of Spoiling .*inplace"),
        ({"criterion": unlikely("Complex")}, "^model: the gradients of .*real scalar"),
        ({"criterion": unlikely("Eager")}, "^model: the gradients of .*second time"),
        (
            {"optimizer": {"_target_": "torch.optim.SparseAdam"}},
            "^optimizer: SparseAdam cannot step",
        ),
        ({"optimizer": unlikely("Forgetting")}, "^optimizer: Forgetting has no learning rate"),
        ({"optimizer": unlikely("Textual")}, "^optimizer: Textual has no learning rate"),
        ({"data": unlikely("Beyond")}, "^data: Subset cannot make samples"),
        (
            {"dataloader": {"sampler": WEIGHTLESS}},
            "^dataloader.sampler: WeightedRandomSampler yields no",
        ),
        ({"scheduler": BUILT_IN}, r"^scheduler: LambdaLR\.state_dict\(\) fails"),
        ({"curriculum": unlikely("Valueless")}, "without values, on the device meta"),
    ],
)
def test_error_of_a_library_is_one_line(
    make_run: MakeRun, train: Train, changes: dict[str, Any], said: str
) -> None:
    """Where no line of the user's code is in the traceback."""
    run_dir = make_run(iterations=1, **changes)
    with pytest.raises(TrainerError, match=said) as caught:
        train(run_dir)
    assert "\n" not in str(caught.value)
    assert not (run_dir / "results.json").exists()


def test_metric_in_a_tensor_of_one_is_reported(make_run: MakeRun, train: Train) -> None:
    """As any other number."""
    run_dir = make_run(iterations=1, curriculum=unlikely("Boxing"))
    train(run_dir)
    assert results_of(run_dir)["final"]["boxed"] == 1.0
