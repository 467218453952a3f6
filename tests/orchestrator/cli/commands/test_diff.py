"""``orch diff`` tells in what two runs differ."""

import json
from collections.abc import Callable

from .conftest import Grid, leave


def test_configs_and_outcomes_are_compared(grid: Grid, output: Callable[[], str]) -> None:
    """What is the same is not told."""
    one, other = grid.make(0.1, 0), grid.make(0.2, 0)
    leave(one, loss=1.5, same=1)
    leave(other, loss=2.5, same=1)
    assert grid.orch("diff", one.run_id, other.run_id, "--json") == 0
    assert json.loads(output()) == {
        "schema": 1,
        "runs": [one.run_id, other.run_id],
        "config": [{"key": "lr", "before": "0.1", "now": "0.2"}],
        "outcome": [{"key": "loss", "before": "1.5", "now": "2.5"}],
    }
    grid.orch("diff", one.run_id, other.run_id)
    lines = [line.split() for line in output().splitlines()]
    assert lines == [[one.run_id[:8], other.run_id[:8]], ["lr", "0.1", "0.2"], ["loss", "1.5", "2.5"]]  # fmt: skip


def test_metrics_have_the_digits_that_tell_them_apart(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Values of configs, and words, stay as they are."""
    one, other = grid.make(0.123456789, 0), grid.make(0.2, 0)
    leave(one, loss=1 / 3, near=0.123456, far=1)
    leave(other, loss=2 / 3, near=0.123457, far="NaN")
    grid.orch("diff", one.run_id, other.run_id)
    assert [line.split()[1:] for line in output().splitlines()[1:]] == [
        ["0.123456789", "0.2"],
        ["0.3333", "0.6667"],
        ["0.123456", "0.123457"],
        ["1", '"NaN"'],
    ]


def test_run_does_not_differ_from_itself(grid: Grid, output: Callable[[], str]) -> None:
    """That is said, and no empty table drawn."""
    run_id = grid.make(0.1, 0).run_id
    grid.orch("diff", run_id, run_id)
    assert output() == "their configs are equal\n"
