"""Which metrics are those of the test set follows from their names."""

import pytest

from orchestrator.planning.run_results import is_of_test


@pytest.mark.parametrize("metric", ["test/loss", "test", "test_accuracy", "Test/F1", "test.loss"])
def test_metric_of_the_test_set_is_recognized(metric: str) -> None:
    assert is_of_test(metric)


@pytest.mark.parametrize("metric", ["validation/test", "testing/loss", "tested", "latest", "loss"])
def test_other_metrics_are_not(metric: str) -> None:
    assert not is_of_test(metric)
