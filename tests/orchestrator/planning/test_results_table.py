"""Runs that differ only in their seed make a row, the best row stands first."""

import math
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.planning.results_json import results_as_json
from orchestrator.planning.results_table import Cell, choose_columns, compare
from orchestrator.planning.run_results import GPU_MEMORY, RunResults


def _outcome(lr: float, seed: int, metrics: Any) -> RunResults:
    return RunResults({"lr": lr, "seed": seed}, metrics)


OUTCOMES = [
    _outcome(0.1, 0, {"accuracy": 0.5, "loss": 3.0}),
    _outcome(0.1, 1, {"accuracy": 0.7, "loss": 1.0}),
    _outcome(0.2, 0, {"accuracy": 0.9, "loss": 2.5}),
    _outcome(0.2, 1, None),
    _outcome(0.3, 0, None),
]


def test_row_has_the_mean_and_the_deviation_of_a_sample() -> None:
    """What has no results counts among the runs, and in no mean."""
    first, second, third = compare(OUTCOMES).rows
    assert (first.overrides, first.runs, first.with_results) == ({"lr": 0.2}, 2, 1)
    assert first.cells["accuracy"] == Cell(0.9, None)
    cell = second.cells["accuracy"]
    assert (cell.mean, cell.std) == (pytest.approx(0.6), pytest.approx(math.sqrt(0.02)))
    assert (third.runs, third.with_results, third.cells) == (1, 0, {})


@pytest.mark.parametrize(
    ("metric", "order"),
    [(None, [0.2, 0.1, 0.3]), ("accuracy", [0.2, 0.1, 0.3]), ("loss", [0.1, 0.2, 0.3])],
)
def test_best_row_stands_first_and_the_empty_one_last(metric: Any, order: list[float]) -> None:
    """Of a loss less is better, of anything else more."""
    rows = compare(OUTCOMES, sort_by=metric).rows
    assert [row.overrides["lr"] for row in rows] == order


def test_rows_without_results_are_in_the_order_of_their_values() -> None:
    """Runs come in the order of their IDs, which means nothing."""
    ranks = [("b", 10.0), ("a", 9.0), ("b", 9.0), ("a", 10.0)]
    runs = [RunResults({"model": model, "lr": lr}, None) for model, lr in ranks]
    assert [(*row.overrides.values(),) for row in compare(runs).rows] == sorted(ranks)
    rows = compare([*runs, RunResults({"model": "z", "lr": 1.0}, {"loss": 1.0})]).rows
    assert [(*row.overrides.values(),) for row in rows] == [("z", 1.0), *sorted(ranks)]


def test_any_axis_may_be_averaged_over() -> None:
    """The seeds are an axis like others then."""
    compared = compare(OUTCOMES, ["lr"], "accuracy")
    assert (compared.axes, compared.over) == (("seed",), ("lr",))
    assert [(row.overrides, row.runs) for row in compared.rows] == [
        ({"seed": 0}, 3),
        ({"seed": 1}, 2),
    ]


def test_seed_inside_of_a_group_is_a_seed() -> None:
    """``data.seed`` is averaged over without asking, ``seeds`` is not."""
    outcomes = [RunResults({"data.seed": n, "seeds": n}, {"x": 1.0}) for n in (1, 2)]
    assert compare(outcomes).over == ("data.seed",)


def test_runs_of_grids_with_other_axes_stand_side_by_side() -> None:
    """An axis that a run does not have is empty, and no reason to leave it out."""
    rows = compare([RunResults({"lr": 1}, {"x": 1.0}), RunResults({"width": 2}, {"x": 2.0})]).rows
    assert [row.overrides for row in rows] == [{"width": 2}, {"lr": 1}]


@pytest.mark.parametrize(
    ("number", "word"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
def test_number_that_is_none_spoils_no_table(number: float, word: str) -> None:
    """NaN stands last; JSON has the words that it has everywhere."""
    outcomes = [_outcome(lr, seed, {"x": value}) for lr, seed, value in
                ((0.1, 0, number), (0.1, 1, 1.0), (0.2, 0, 1.0), (0.2, 1, 1.0))]  # fmt: skip
    compared = compare(outcomes)
    assert len(compared.rows) == 2
    if math.isnan(number):
        assert [row.overrides["lr"] for row in compared.rows] == [0.2, 0.1]
    assert f"'mean': '{word}'" in str(results_as_json(compared))


@pytest.mark.parametrize(
    ("over", "metric", "message"),
    [
        (["sede"], None, "no run has the axis 'sede'. Did you mean seed[?] Choose one of lr, seed"),
        (
            [],
            "acuracy",
            "no run has the metric 'acuracy'. Did you mean accuracy[?] Choose one of accuracy, loss",
        ),
    ],
)
def test_axis_or_metric_that_no_run_has_is_refused(over: Any, metric: Any, message: str) -> None:
    """The message names those there are."""
    with pytest.raises(UsageError, match=message):
        compare(OUTCOMES, over, metric)


def test_nothing_at_all_is_compared_to_nothing() -> None:
    """An experiment without runs is not an error."""
    assert compare([]).rows == ()


def test_versions_of_the_arithmetic_are_told_apart() -> None:
    """Numbers that different trainers computed are averaged, but not in silence."""
    outcomes = [
        RunResults({"seed": seed}, {}, None, frozenset({version}))
        for seed, version in ((0, 1), (1, 2))
    ]
    (row,) = compare(outcomes).rows
    assert row.versions == {1, 2}
    assert results_as_json(compare(outcomes))["rows"][0]["numbers"] == [1, 2]  # type: ignore[index]


@pytest.mark.parametrize(
    ("metrics", "chosen"),
    [
        (["test/acc", "loss", "val_loss", "best/val_loss"], "best/val_loss"),
        (["test/acc", "loss", "val_loss"], "val_loss"),
        (["test_acc", "loss"], "loss"),
        (["testimony", "test"], "testimony"),
        (["test/acc", "test_loss", "Test"], None),
    ],
)
def test_rows_are_never_ranked_by_the_test_set_unless_asked(
    metrics: list[str], chosen: str | None
) -> None:
    """The metric that chose the checkpoint comes first, then the validation, then any other."""
    runs = [RunResults({"lr": lr}, dict.fromkeys(metrics, float(lr))) for lr in (1, 0, 2)]
    assert compare(runs).sorted_by == chosen
    assert compare(runs, sort_by=metrics[0]).sorted_by == metrics[0]
    if chosen is None:
        assert [row.overrides["lr"] for row in compare(runs).rows] == [1, 0, 2]


@pytest.mark.parametrize(
    ("metrics", "tested", "chosen"),
    [
        (["score", "loss"], {"score"}, "loss"),
        (["score", GPU_MEMORY], {"score"}, "score"),
        (["val", "val_loss", "loss"], {"val"}, "val_loss"),
        (["test/score", GPU_MEMORY], {"test/score"}, None),
    ],
)
def test_what_is_logged_ranks_before_results_at_the_end(
    metrics: list[str], tested: set[str], chosen: str | None
) -> None:
    """Which rank where nothing is logged; the memory of GPUs ranks nothing unless asked."""
    only = frozenset(tested)
    runs = [RunResults({"lr": n}, dict.fromkeys(metrics, float(n)), tested=only) for n in (1, 2)]
    assert compare(runs).sorted_by == chosen


@pytest.mark.parametrize(("mode", "first"), [("min", 1), ("max", 2), (None, 2)])
def test_config_says_which_values_of_the_chosen_metric_are_better(mode: Any, first: int) -> None:
    """The name says nothing here; without a word in the config, the largest comes first."""
    runs = [RunResults({"lr": lr}, {"best/what": float(lr)}) for lr in (1, 2)]
    assert compare(runs, mode=mode).rows[0].overrides["lr"] == first


def test_single_runs_are_rows_of_their_own() -> None:
    """Nothing is averaged, the seed is an axis like others."""
    compared = compare(OUTCOMES, each=True)
    assert compared.over == ()
    assert compared.axes == ("lr", "seed")
    assert [row.overrides for row in compared.rows][:2] == [
        {"lr": 0.2, "seed": 0},
        {"lr": 0.1, "seed": 1},
    ]


def test_columns_are_chosen_by_name_or_pattern() -> None:
    """In the order in which they are asked for, after that of the ranking; one that matches nothing is a mistake."""
    compared = compare([RunResults({}, {"val/a": 1.0, "val/b": 2.0, "test/a": 3.0})], (), "val/b")
    assert compared.metrics == ("val/b", "val/a", "test/a")
    assert choose_columns(compared, ["test/a", "val/a"]).metrics == ("test/a", "val/a")
    assert choose_columns(compared, ["test/a", "val/*"]).metrics == ("val/b", "test/a", "val/a")
    with pytest.raises(UsageError, match="no run has the metric 'vla/\\*'"):
        choose_columns(compared, ["vla/*"])
