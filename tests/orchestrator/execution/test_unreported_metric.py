"""A metric that finished runs like those of a grid have not reported is refused; any other may come."""

import json
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.unreported_metric import refuse_unreported
from orchestrator.rundir import code_record
from orchestrator.runner.project_files import digest

from .finished_plans import finish, make_config, plan

GRID = ("seed=range(5)", "lr=0.1,0.2")


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_config(tmp_path, monkeypatch)
    (tmp_path / "loss.py").write_text("x = 1\n")


def leave(*overrides: str, program: str = "true", names: tuple[str, ...] = ("loss",)) -> None:
    """Leave finished runs of some code that have reported some metrics."""
    planned = plan(*overrides)
    finish(planned)
    files = {"loss.py": digest("loss.py")}
    told = {"program": [program], "directory": str(Path.cwd()), "files": files}
    for run in planned.experiment.runs():
        code_record.begin(run.path, 1, json.dumps(told), {})
        points = [{"key": key, "value": 1.0, "step": 1, "timestamp": 1} for key in names]
        run.metrics.write_text("".join(f"{json.dumps(point)}\n" for point in points))


def refusal(metric: str, *overrides: str, first: int = 3) -> str:
    """Return why a metric is refused; empty if it is not."""
    try:
        refuse_unreported(plan(*overrides), "halving", metric, first)
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "before", [("seed=7", "lr=0.1"), ("seed=8", "lr=0.7"), ("lr=0.2", "epochs=4")]
)
def test_metric_that_runs_alike_have_not_reported_is_refused(before: tuple[str, ...]) -> None:
    """In one line with the nearest name; they differ in axes, the seed and the number of iterations."""
    leave(*before, names=("loss", "accuracy", "test/loss"))
    said = refusal("los", *GRID)
    assert "which is done and like these, has not reported 'los'. Did you mean 'loss'? They" in said
    assert "\n" not in said
    assert refusal("f1", *GRID).endswith("Choose one of loss, accuracy.")
    assert refusal("accuracy", *GRID) == ""


def test_runs_that_report_nothing_at_all_tell_it_too() -> None:
    leave("seed=7", "lr=0.1", names=())
    assert "has not reported 'loss'. They report none. Let the program log it" in refusal(
        "loss", *GRID
    )


@pytest.mark.parametrize("other", ["model=cnn", "+more=1", "name=x", "experiment_id=two"])
def test_runs_of_another_config_tell_nothing(other: str) -> None:
    """A key, a choice or a text may be what makes the program report the metric."""
    leave("seed=7", "lr=0.1", other)
    assert refusal("accuracy", *GRID) == ""


def test_value_on_an_axis_that_none_of_them_has_may_report_it() -> None:
    """A choice, as of a task, may decide what is reported; a number does not."""
    leave("model=mlp", "lr=0.7")
    assert refusal("accuracy", "model=cnn,vit", "lr=0.1,0.2") == ""
    assert refusal("accuracy", "model=cnn,mlp", "lr=0.1,0.2")


def test_one_run_that_reported_it_is_enough() -> None:
    """However many have not."""
    leave("seed=range(7,15)", "lr=0.1")
    leave("seed=range(30,31)", "lr=0.1", names=("accuracy",))
    reported = {run.metrics: run.metrics.read_text() for run in plan().experiment.runs()}
    assert refusal("accuracy", *GRID) == ""
    for metrics in reported:
        metrics.write_text(metrics.read_text().replace("accuracy", "loss"))
    assert refusal("accuracy", *GRID)


def test_runs_of_other_code_tell_nothing() -> None:
    leave("seed=7", "lr=0.1", program="false")
    assert refusal("accuracy", *GRID) == ""
    leave("seed=8", "lr=0.1")
    assert refusal("accuracy", *GRID)
    Path("loss.py").write_text("x = 2\n")
    assert refusal("accuracy", *GRID) == ""


def test_runs_that_have_not_come_to_the_first_rung_tell_nothing() -> None:
    """Some programs evaluate every tenth iteration."""
    leave("seed=7", "lr=0.1")
    assert refusal("accuracy", *GRID, first=11) == ""
    assert refusal("accuracy", *GRID, first=10)


def test_metrics_that_are_read_from_the_output_may_come() -> None:
    leave("seed=7", "lr=0.1")
    pattern = "orch.metrics_from_output=['accuracy=(?P<accuracy>\\S+)']"
    assert refusal("accuracy", *GRID, pattern) == ""
