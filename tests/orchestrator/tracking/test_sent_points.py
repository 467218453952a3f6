"""Each point of a file is sent once, and a value that contradicts MLflow's is a conflict."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.tracking.metrics_file_points import MetricPoint
from orchestrator.tracking.sent_points import ConflictError, SentPoints


def point(step: int, value: float = 1.0, key: str = "loss") -> MetricPoint:
    return MetricPoint(key, value, step, 1000 + step)


def test_only_points_that_were_not_sent_are_chosen() -> None:
    sent = SentPoints()
    steps, missing = sent.choose([point(1), point(2), point(1, 9.0)])
    assert (steps, missing) == ([("loss", 1), ("loss", 2)], [point(1), point(2)])
    sent.add(steps)
    assert sent.choose([point(2), point(3)]) == ([("loss", 3)], [point(3)])
    assert sent.keys == {"loss"}


def test_points_count_as_sent_only_when_they_are_added() -> None:
    """A batch that was rejected is chosen again."""
    sent = SentPoints()
    assert sent.choose([point(1)]) == sent.choose([point(1)])
    assert sent.keys == set()


@pytest.mark.parametrize("value", [1.0, math.nan, math.inf])
def test_point_that_mlflow_has_is_not_sent_again(value: float) -> None:
    sent = SentPoints({("loss", 1): value})
    assert sent.choose([point(1, value), point(2)]) == ([("loss", 1), ("loss", 2)], [point(2)])


def test_other_value_in_mlflow_is_a_conflict() -> None:
    with pytest.raises(ConflictError, match="loss at step 1"):
        SentPoints({("loss", 1): 2.0}).choose([point(1, 1.0)])


def test_points_before_the_position_are_read_again(lines: Callable[..., Path]) -> None:
    """An interrupted sender is continued by another process, which knows the position only."""
    texts = [f'{{"key": "loss", "value": 1.0, "step": {step}, "timestamp": 1}}' for step in (1, 2)]
    path = lines(*texts)
    sent, heard = SentPoints(), []
    sent.reread(path, len(texts[0]) + 1, lambda: heard.append(1))
    assert sent.choose([point(1), point(2)])[0] == [("loss", 2)]
    assert heard
