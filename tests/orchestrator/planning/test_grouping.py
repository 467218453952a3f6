"""Runs are grouped by every key in which they differ, whether or not it is an axis."""

from functools import partial
from typing import Any

import pytest

from orchestrator.grid.config_diff import leaves
from orchestrator.planning.grouping import RunConfig
from orchestrator.planning.results_table import compare
from orchestrator.planning.run_results import RunResults


def _run(overrides: dict[str, Any], config: dict[str, Any], value: float = 1.0) -> RunResults:
    text = "".join(f"{key}: {value}\n" for key, value in config.items())
    return RunResults(overrides, {"loss": value}, RunConfig(text, lambda: config))


def rows(*outcomes: RunResults, over: list[str] | None = None) -> list[tuple[Any, int]]:
    return [(dict(row.overrides), row.runs) for row in compare(outcomes, over or ()).rows]


def test_runs_of_other_values_are_not_averaged_though_these_were_no_axes() -> None:
    """Three commands, each with a value of its own for ``lr`` and the same seeds."""
    outcomes = [
        _run({"seed": seed}, {"seed": seed, "lr": lr, "size": 1}, loss)
        for lr, loss in ((0.1, 1.0), (0.2, 3.0), (0.3, 5.0))
        for seed in (0, 1)
    ]
    assert rows(*outcomes) == [({"lr": 0.1}, 2), ({"lr": 0.2}, 2), ({"lr": 0.3}, 2)]
    assert compare(outcomes).over == ("seed",)
    assert rows(*outcomes, over=["lr"]) == [({"seed": 0}, 3), ({"seed": 1}, 3)]


def test_key_with_a_dot_is_not_a_nested_one() -> None:
    """Their runs have two IDs, so they are two rows."""
    configs = [leaves(config) for config in ({"a.b": 1}, {"a": {"b": 1}})]
    assert rows(*(_run({}, config) for config in configs)) == [({'"a.b"': 1}, 1), ({"a.b": 1}, 1)]


def test_mapping_with_such_a_key_is_shown_as_it_is() -> None:
    values: list[dict[str, Any]] = [{"a.b": 1}, {'"x': {'y"': 1}}, {"a": {"b": 1}}]
    for value in values:
        config = RunConfig("", partial(leaves, {"q": value}))
        assert config.at("q") == value


def test_axis_of_one_command_is_the_default_of_another() -> None:
    """The same value is the same value, however it came about."""
    assert rows(
        _run({"lr": 0.1, "seed": 0}, {"lr": 0.1, "seed": 0}),
        _run({"seed": 1}, {"lr": 0.1, "seed": 1}),
    ) == [({"lr": 0.1}, 2)]


def test_seeds_that_were_given_one_by_one_are_averaged_over() -> None:
    """They are not axes of any command, and are named nevertheless."""
    outcomes = [_run({}, {"seed": seed, "lr": 0.1}) for seed in (0, 1, 2)]
    assert rows(*outcomes) == [({}, 3)]
    assert compare(outcomes).over == ("seed",)


@pytest.mark.parametrize(
    ("one", "other", "is_split"),
    [
        ("run-0", "run-1", False),
        ("/runs/seed0/x", "/runs/seed1/x", False),
        (0, 1, False),
        ("0.5", "1.5", True),
        (0.0001, 0.03, True),
        ("run-0", "other-1", True),
        (None, 1, True),
    ],
)
def test_what_follows_from_the_seed_splits_no_row(one: Any, other: Any, *, is_split: bool) -> None:
    """A name that contains the seed is not another setting; a number that happens to contain it is."""
    outcomes = [
        _run({"seed": seed}, {"seed": seed, "name": name}) for seed, name in ((0, one), (1, other))
    ]
    assert len(rows(*outcomes)) == (2 if is_split else 1)


def test_config_is_read_only_where_it_differs() -> None:
    """Ten thousand runs that differ in their axes and seeds are compared by their texts."""

    def read() -> dict[str, Any]:
        raise AssertionError

    outcomes = [
        RunResults({"lr": lr, "seed": seed}, {}, RunConfig(f"lr: {lr}\nseed: {seed}\nx: 1\n", read))
        for lr in (0.1, 0.2)
        for seed in (0, 1)
    ]
    assert rows(*outcomes) == [({"lr": 0.1}, 2), ({"lr": 0.2}, 2)]
    with pytest.raises(AssertionError):
        rows(*outcomes, RunResults({"lr": 0.1, "seed": 3}, {}, RunConfig("x: 2", read)))


def test_config_that_cannot_be_read_does_not_differ() -> None:
    """It says nothing about values, so it makes no columns."""
    outcomes = [
        _run({"lr": 0.1, "seed": 0}, {"lr": 0.1, "seed": 0, "size": 1}),
        _run({"lr": 0.1, "seed": 1}, {}),
        _run({"lr": 0.2, "seed": 0}, {"lr": 0.2, "seed": 0, "size": 1}),
    ]
    assert rows(*outcomes) == [({"lr": 0.1}, 2), ({"lr": 0.2}, 1)]
