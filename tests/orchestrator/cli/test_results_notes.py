"""What a table of results says of its numbers."""

from dataclasses import replace

import pytest

from orchestrator.cli.results_notes import (
    HOW_TO_REPORT,
    describe_lack,
    iterations_of,
    notes_on_table,
    warnings_of,
)
from orchestrator.planning.paired_difference import PairedDifference
from orchestrator.planning.results_table import compare
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import State

OF_BEST = "best/... and test/... are of the best iteration, all others of the last one"


@pytest.mark.parametrize(
    ("metrics", "seeds", "step", "told"),
    [
        (
            {"val_loss": 1.0},
            2,
            None,
            ["mean ± standard deviation over seed, smallest val_loss first"],
        ),
        ({"val_loss": 1.0}, 0, None, ["smallest val_loss first"]),
        ({"best/val_loss": 1.0}, 0, None, ["smallest best/val_loss first", OF_BEST]),
        (
            {"val_loss": 1.0},
            0,
            3,
            ["smallest val_loss first", "all metrics are those of iteration 3"],
        ),
        (
            {},
            2,
            None,
            [f"4 runs are done and report no metrics: {HOW_TO_REPORT}"],
        ),
    ],
)
def test_numbers_are_told(
    metrics: dict[str, float], seeds: int, step: int | None, told: list[str]
) -> None:
    """Averaged over what, in which order, of which iteration."""
    chosen = [{"seed": seed} for seed in range(seeds)] or [{}]
    runs = [RunResults({"lr": lr, **each}, metrics) for lr in (1, 2) for each in chosen]
    assert list(notes_on_table(compare(runs), None, step)) == told


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (("test/loss",), "test/... are of the best iteration"),
        (("test/loss", "loss"), "test/... are of the best iteration, all others of the last one"),
        (("loss",), ""),
        (("best/loss", "test/loss"), OF_BEST),
    ],
)
def test_columns_that_are_left_out_change_no_meaning(shown: tuple[str, ...], told: str) -> None:
    """A table for a paper may have the results of the test only."""
    metrics = {"best/loss": 1.0, "test/loss": 2.0, "loss": 3.0}
    compared = compare([RunResults({"lr": lr}, metrics) for lr in (1, 2)])
    assert iterations_of(replace(compared, metrics=shown), None) == told


def test_mean_is_told_only_where_a_row_has_several_runs() -> None:
    """Of a condition that leaves one run, the numbers are its own."""
    alone = compare([RunResults({"lr": 1, "seed": 0}, {"val_loss": 1.0})])
    assert list(notes_on_table(alone, None, None)) == ["smallest val_loss first"]


def test_pairs_are_told() -> None:
    """What the interval is, and why some pairs do not count."""
    compared = compare([RunResults({"lr": lr}, {"val_loss": lr}) for lr in (1.0, 2.0)])
    _, *told = notes_on_table(compared, [None, PairedDifference(1.0, 0.5, 2, 3)], None)
    assert told == [
        "to the best: paired by seed, ± half of the 95 % confidence interval",
        "2 of 3: of the pairs, the others have a value that is NaN or infinite",
    ]
    _, *told = notes_on_table(compared, [None, PairedDifference(1.0, None, 1, 1)], None)
    assert told == ["to the best: paired by seed, one pair has no interval"]


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([State.PENDING, State.RUNNING], "no run has results yet"),
        (
            [State.PENDING, State.FAILED],
            "no run has results yet, and 1 run failed: orch status says why",
        ),
        (
            [State.FAILED, State.FAILED],
            "all 2 runs have failed: orch status says why, and orch run starts failed runs again",
        ),
    ],
)
def test_failed_runs_are_not_said_to_be_without_results_yet(states: list[State], told: str) -> None:
    runs = [RunResults({"lr": at}, None, state=state) for at, state in enumerate(states)]
    assert describe_lack(compare(runs)) == told


def test_what_is_wrong_is_told() -> None:
    runs = [RunResults({"lr": lr}, {"loss": 1.0}, run_id="a" * 16) for lr in (1, 2)]
    assert list(warnings_of(compare(runs))) == []
    refused = RunResults({"lr": 3}, {}, run_id="b" * 16, refused=("metrics.jsonl",))
    assert list(warnings_of(compare([*runs, refused]))) == [
        "metrics.jsonl of run bbbbbbbb cannot be read, so values are missing"
    ]
