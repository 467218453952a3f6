"""Configured metrics are measured from the start each time, and cost nothing without them."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from run_files import MakeRun, Start, Train, points_of, results_of
from sklearn.metrics import f1_score
from torch import nn
from user_modules import Interrupted, run_program, sabotage

from trainer.configured_metrics import Measures, build_measures
from trainer.errors import ConfigError
from trainer.evaluation import evaluate
from trainer.model_call import ModelCall
from trainer.unsaved_state import UnsavedState, code_beside

CPU = torch.device("cpu")
CALL = ModelCall(nn.Identity(), nn.CrossEntropyLoss())
F1 = {
    "_target_": "torchmetrics.classification.MulticlassF1Score",
    "num_classes": 3,
    "average": "macro",
}


def test_metric_of_torchmetrics_is_measured_anew_each_time() -> None:
    """Two evaluations after each other give what scikit-learn gives for each."""
    measures = build_measures({"metrics": {"f1": F1, "each": F1 | {"average": None}}}, CPU, None)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        logits = torch.randn(50, 3, generator=generator)
        labels = torch.randint(3, (50,), generator=generator)
        batches = [*zip(logits.split(7), labels.split(7), strict=True)]
        values = evaluate(CALL, batches, CPU, measures)
        guesses = logits.argmax(dim=1)
        assert values["f1"] == pytest.approx(f1_score(labels, guesses, average="macro"))
        each = [values[f"each/{place}"] for place in range(3)]
        assert each == pytest.approx(f1_score(labels, guesses, average=None).tolist())


class Extreme:
    """A metric that keeps the least value of all evaluations, as torchmetrics' `MinMaxMetric` does."""

    def __init__(self) -> None:
        self.least = torch.full((), torch.inf)

    def reset(self) -> None:
        pass

    def update(self, outputs: torch.Tensor, _: torch.Tensor) -> None:
        self.least = torch.minimum(self.least, outputs.min())

    def compute(self) -> torch.Tensor:
        return self.least


def test_what_a_metric_of_a_library_keeps_for_good_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`reset()` leaves it."""
    monkeypatch.setattr(Extreme, "__module__", "torch.nn")  # it is installed
    measures = build_measures({"metrics": {"x": {"_target_": f"{__name__}.Extreme"}}}, CPU, None)
    unsaved = UnsavedState({}, lambda: code_beside(SimpleNamespace(), {}, measures))  # type: ignore[arg-type]  # it has attributes
    unsaved.begin()
    evaluate(CALL, [(torch.eye(3), torch.arange(3))], CPU, measures)
    unsaved.tell()
    assert capsys.readouterr().out.startswith(
        "note: metrics.x.least changed in the first iteration,"
    )


def test_value_with_a_gradient_is_a_number() -> None:
    """PyTorch warns where such a tensor is made one."""
    metric = SimpleNamespace(compute=lambda: torch.ones(1, requires_grad=True) * 2)
    assert Measures({"a": metric}).compute() == {"a/0": 2}


def test_chosen_metric_decides_which_iteration_is_the_best(
    make_run: MakeRun, train: Train, tmp_path: Any
) -> None:
    """It is reported, tested, and the same after an interruption."""
    changes: dict[str, Any] = {
        "metrics": {"name": "mine", "margin": {"_target_": "user_modules.Margin"}},
        "checkpoint": {"metric": "validation/margin", "mode": "min"},
    }
    whole = make_run("whole", **changes)
    assert "test/margin" in train(whole)
    margins = {
        point["step"]: point["value"]
        for point in points_of(whole)
        if point["key"] == "validation/margin"
    }
    assert len(margins) == 4
    best = results_of(whole)["best"]
    assert best["iteration"] == min(margins, key=lambda step: margins[step])
    broken = make_run("broken", curriculum=sabotage(tmp_path, "step_end", 3, "raise"), **changes)
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    assert results_of(broken)["digest"] == results_of(whole)["digest"]


def run_without_metrics(run_dir: str) -> None:
    """Train, and end with another code if that has imported torchmetrics."""
    try:
        run_program(run_dir)
    except SystemExit as end:
        sys.exit(3 if "torchmetrics" in sys.modules else end.code)


def test_whoever_names_no_metric_does_not_wait_for_torchmetrics(
    make_run: MakeRun, start: Start
) -> None:
    """It takes seconds to import, so only a configuration that names it does."""
    assert start(run_without_metrics, str(make_run(iterations=1))) == 0


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"f1": F1 | {"num_clases": 2}}, "^metrics.f1: torchmetrics.*num_clases"),
        ({"f1": F1 | {"average": "mean"}}, "^metrics.f1: torchmetrics.*average"),
        (
            {"f1": F1 | {"_target_": "torchmetrics.F2"}},
            "^metrics.f1._target_: .* does not have 'F2'",
        ),
        ({"f1": {"name": "F1"}}, "^metrics.f1._target_: missing"),
        ({"f1": "f1"}, "^metrics.f1._target_: missing"),
        ({"loss": F1}, "^metrics.loss: the trainer measures this itself"),
        ({"x": {"_target_": "builtins.dict"}}, r"it returns a dict, which does not have reset\(\)"),
        ("f1", "^metrics: expected keys with values, not 'f1'"),
    ],
)
def test_metric_that_cannot_be_built_is_an_error(metrics: Any, message: str) -> None:
    """The line names the metric, and what is wrong with it."""
    with pytest.raises(ConfigError, match=message) as caught:
        build_measures({"metrics": metrics}, CPU, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "MulticlassF1Score",
            r"^metrics.mine: it cannot measure outputs \[2, 5\] against targets ",
        ),
        ("MulticlassConfusionMatrix", r"^metrics.mine: it returns an array \[5, 5\], not a number"),
    ],
)
def test_metric_that_does_not_fit_is_an_error(target: str, message: str) -> None:
    """The line says what was to be measured, or what came out."""
    settings = {
        "_target_": f"torchmetrics.classification.{target}",
        "num_classes": 3 if target == "MulticlassF1Score" else 5,
    }
    measures = build_measures({"metrics": {"mine": settings}}, CPU, None)
    batches = [(torch.zeros(2, 5), torch.tensor([4, 4]))]
    with pytest.raises(ConfigError, match=message) as caught:
        evaluate(CALL, batches, CPU, measures)
    assert "\n" not in str(caught.value)


def test_metric_that_a_library_cannot_compute_is_an_error() -> None:
    """Some look at their batches only at the end."""
    settings = {"_target_": "torchmetrics.classification.BinaryAUROC", "validate_args": False}
    measures = build_measures({"metrics": {"mine": settings}}, CPU, None)
    batches = [(torch.rand(2, 2), torch.tensor([1, 0]))]
    with pytest.raises(
        ConfigError, match=r"^metrics.mine: BinaryAUROC cannot be computed"
    ) as caught:
        evaluate(CALL, batches, CPU, measures)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("criterion", "metrics", "expected"),
    [
        (nn.CrossEntropyLoss(), {}, 0.5),
        (nn.CrossEntropyLoss(), {"accuracy": False}, None),
        (nn.CrossEntropyLoss(), {"accuracy": None}, None),
        (nn.MSELoss(), {}, None),
        (nn.MSELoss(), {"accuracy": True}, 0.5),
        (nn.CrossEntropyLoss(), {"accuracy": {"_target_": "user_modules.CountedBatches"}}, 1),
    ],
)
def test_accuracy_can_be_switched_on_off_or_replaced(
    criterion: Any, metrics: Any, expected: float | None
) -> None:
    """By default the criterion decides."""
    measures = build_measures({"metrics": metrics}, CPU, criterion)
    measures.reset()
    measures.update(torch.eye(2), torch.tensor([0, 0]))
    assert measures.compute().get("accuracy") == expected


@pytest.mark.parametrize("value", ["yes", 1, [True]])
def test_accuracy_is_neither_on_nor_off(value: Any) -> None:
    """In one line."""
    with pytest.raises(ConfigError, match=r"^metrics.accuracy"):
        build_measures({"metrics": {"accuracy": value}}, CPU, nn.CrossEntropyLoss())


@pytest.mark.parametrize("criterion", ["meddling.Focal", "torch.nn.CrossEntropyLoss"])
def test_accuracy_that_decides_is_measured(make_run: MakeRun, train: Train, criterion: str) -> None:
    """Naming it is asking for it, also with a criterion of the user's own."""
    run_dir = make_run(
        criterion={"_target_": criterion}, checkpoint={"metric": "validation/accuracy"}
    )
    assert 0 < train(run_dir)["test/accuracy"] <= 1
    assert results_of(run_dir)["best"]["validation/accuracy"] > 0.5


def test_accuracy_is_not_measured_unasked_with_a_criterion_of_the_users_own(
    make_run: MakeRun, train: Train
) -> None:
    """The line about another metric says how it is asked for."""
    criterion = {"_target_": "meddling.Focal"}
    assert [*train(make_run("a", criterion=criterion))] == ["test/loss"]
    metric = {"metric": "validation/f1"}
    with pytest.raises(
        ConfigError, match=r"; validation/accuracy, with metrics\.accuracy: true; or"
    ):
        train(make_run("b", criterion=criterion, checkpoint=metric))


@pytest.mark.parametrize(("target", "times"), [([0.0, 1.0], 1), ([0, 1], 0)])
def test_accuracy_that_is_asked_for_in_vain_is_told_once(
    capsys: pytest.CaptureFixture[str], target: list[float], times: int
) -> None:
    """The run goes on: another criterion of the same grid may have one."""
    measures = build_measures({"metrics": {"accuracy": True}}, CPU, nn.MSELoss())
    for _ in range(2):
        measures.reset()
        measures.update(torch.zeros(2, 2), torch.tensor(target))
        measures.compute()
    assert capsys.readouterr().out.count("note: metrics.accuracy: nothing was counted") == times


def test_accuracy_that_cannot_be_measured_is_refused_with_the_reason(
    make_run: MakeRun, train: Train
) -> None:
    """Outputs or targets are not classes."""
    run_dir = make_run(
        data={"_target_": "user_modules.Tiny"},
        model={"_target_": "torch.nn.Linear", "in_features": 6, "out_features": 1},
        criterion={"_target_": "meddling.Distance"},
        checkpoint={"metric": "validation/accuracy"},
    )
    with pytest.raises(
        ConfigError, match="'validation/accuracy': the outputs are not one number per"
    ):
        train(run_dir)
