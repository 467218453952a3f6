"""A training keeps its modules: callbacks change them, and put no others in their places."""

import pytest
from run_files import MakeRun, Train, results_of


@pytest.mark.parametrize(
    "role", ["data", "model", "optimizer", "scheduler", "criterion", "curriculum"]
)
def test_module_is_not_exchanged(make_run: MakeRun, train: Train, role: str) -> None:
    """The training would go on with the one before; the error is the callback's own."""
    run_dir = make_run(curriculum={"_target_": "meddling.Meddling", "deed": role})
    with pytest.raises(
        AttributeError, match=f"^'{role}' of .* can be read, but not assigned"
    ) as caught:
        train(run_dir)
    assert "meddling.py" in [entry.path.name for entry in caught.traceback]
    assert not (run_dir / "results.json").exists()


def test_own_metrics_stay(make_run: MakeRun, train: Train) -> None:
    """A run where nobody meddles has them all."""
    train(run_dir := make_run(iterations=1))
    assert {"train/loss", "validation/loss", "lr"} < results_of(run_dir)["final"].keys()
