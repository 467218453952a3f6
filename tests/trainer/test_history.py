"""The history remembers the best iteration and the digest of all metrics."""

from math import nan

import pytest

from trainer.history import History


def history(values: list[float], mode: str) -> History:
    """Make the history of one metric."""
    made = History("m", mode)
    for step, value in enumerate(values, start=1):
        made.add(step, {"m": value}, timestamp=step * 1000)
    return made


@pytest.mark.parametrize(
    ("values", "mode", "best"),
    [
        ([1, 3, 2], "max", 2),
        ([3, 1, 2], "min", 2),
        ([2, 2], "max", 1),
        ([nan, 1], "max", 2),
        ([nan], "max", None),
    ],
)
def test_first_of_the_best_values_wins(values: list[float], mode: str, best: int | None) -> None:
    """NaN is never the best."""
    assert history(values, mode).best_iteration == best


def test_restored_history_goes_on_to_the_same_digest() -> None:
    """The digest covers every point but no time."""
    whole, first = history([1, 2, 3], "max"), history([1, 2], "max")
    resumed = History("m", "max")
    resumed.load_state_dict(first.state_dict())
    resumed.add(3, {"m": 3}, timestamp=9)
    assert resumed.digest == whole.digest != history([1, 1, 3], "max").digest


@pytest.mark.parametrize(("key", "best"), [("validation/accuracy", 2), ("validation/loss", 1)])
def test_accuracy_decides_where_there_is_one_and_nothing_was_chosen(key: str, best: int) -> None:
    """And the loss, the smaller the better, where there is none; also after a resume."""
    first, resumed = History(), History()
    for step, value in enumerate((1.0, 2.0), start=1):
        first.add(step, {"validation/loss": value, key: value}, timestamp=step)
    resumed.load_state_dict(first.state_dict())
    for each in (first, resumed):
        each.add_test(2, {"test/loss": 0.0}, timestamp=9)
        assert (each.metric, each.best_iteration) == (key, best)
