"""Tables of results for other programs are well-formed, whatever names and values hold."""

import csv
import io
import math

import pytest

from orchestrator.cli.report_tables import results_of_rows
from orchestrator.cli.results_formats import (
    csv_of,
    latex_of,
    markdown_of,
    shown_cell,
    shown_runs,
)
from orchestrator.cli.results_notes import PARTIAL, notes_on_table
from orchestrator.planning.paired_difference import PairedDifference
from orchestrator.planning.results_table import Cell, ResultsTable, choose_columns, compare
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import State


def _table(*, each: bool = False) -> ResultsTable:
    runs = [
        RunResults({"a|b_c": "x|y&z", "seed": seed}, {"val_loss%": value}, run_id=f"id{seed}")
        for seed, value in enumerate((0.25, 0.75))
    ]
    return compare([*runs, RunResults({"a|b_c": "none", "seed": 0}, None)], each=each)


def test_markdown_has_a_cell_per_column() -> None:
    """A ``|`` in a name or value does not begin another cell."""
    lines = markdown_of(_table()).splitlines()
    assert lines == [
        r"| a\|b_c | runs | val_loss% |",
        "| --- | --- | --- |",
        r"| x\|y&z | 2 | 0.5 ± 0.35 |",
        "| none | 0 of 1 | - |",
    ]


def test_mean_over_fewer_runs_than_have_results_says_so_in_every_format() -> None:
    """Of two seeds, one lacks the metric; another metric, and other rows, have all."""
    runs = [
        RunResults({"lr": 1, "seed": 0}, {"loss": 1.0, "acc": 0.5}),
        RunResults({"lr": 1, "seed": 1}, {"loss": 3.0}),
        RunResults({"lr": 2, "seed": 0}, {"loss": 4.0, "acc": 0.25}),
        RunResults({"lr": 2, "seed": 1}, None),
        RunResults({"lr": 3, "seed": 0}, {"loss": 5.0}),
    ]
    compared = compare(runs, sort_by="loss")
    expected = ["0.5, 1 of 2", "0.25", "-"]
    assert [shown_cell(row.cells.get("acc")) for row in compared.rows] == expected
    assert [
        line.split(" | ")[3][:-2] for line in markdown_of(compared).splitlines()[2:]
    ] == expected
    assert "& 0.5, 1 of 2 \\\\" in latex_of(compared)
    assert [row[3].text for row in results_of_rows(compared).rows] == expected
    assert PARTIAL in results_of_rows(compared).caption
    assert PARTIAL in [*notes_on_table(compared, None, None)]
    assert PARTIAL not in [*notes_on_table(choose_columns(compared, ["loss"]), None, None)]
    rows = [*csv.DictReader(io.StringIO(csv_of(compared)))]
    assert [row["acc_runs"] for row in rows] == ["1", "1", "0"]
    assert "loss_runs" not in rows[0]


@pytest.mark.parametrize("each", [False, True])
def test_runs_are_told_alike_in_every_format(*, each: bool) -> None:
    """How many have results, and which states the others are in; of single runs ID and state."""
    states = [State.DONE, State.DONE, State.FAILED, State.RUNNING, State.DONE]
    runs = [
        RunResults(
            {"lr": at // 4, "seed": at},
            {"loss": float(at)} if it is State.DONE else None,
            run_id=f"{at:016}",
            state=it,
        )
        for at, it in enumerate(states)
    ]
    compared = compare(runs, each=each)
    told = shown_runs(compared)
    assert told == (
        ["done", "done", "done", "failed", "running"]
        if each
        else ["2 of 4, 1 running, 1 failed", "1"]
    )
    name = "state" if each else "runs"
    header, _, *lines = [line[2:-2].split(" | ") for line in markdown_of(compared).splitlines()]
    assert [line[header.index(name)] for line in lines] == told
    assert all(f" & {text} & " in latex_of(compared) for text in told)
    assert results_of_rows(compared).headers[: len(header)] == header
    assert [row[header.index(name)].text for row in results_of_rows(compared).rows] == told
    counts = [row["states"] for row in csv.DictReader(io.StringIO(csv_of(compared)))]
    assert counts == (
        ["1 done", "1 done", "1 done", "1 failed", "1 running"]
        if each
        else ["1 running, 1 failed, 2 done", "1 done"]
    )


def test_notes_stand_below_markdown_and_in_comments_of_latex() -> None:
    """What the numbers are, in lines that no name breaks."""
    notes = ("over a|b", "of\nthe last")
    told = markdown_of(_table(), None, notes)
    assert told == f"{markdown_of(_table())}\nover a\\|b\n\nof?the last\n"
    assert latex_of(_table(), None, notes) == f"% over a|b\n% of?the last\n{latex_of(_table())}"


def test_latex_escapes_what_has_a_meaning_there() -> None:
    """Its rules are those of booktabs; text is left-aligned, numbers are right-aligned."""
    lines = latex_of(_table()).splitlines()
    assert lines[0] == r"\begin{tabular}{lrr}"
    assert lines[2] == r"a|b\_c & runs & val\_loss\% \\"
    assert lines[4] == r"x|y\&z & 2 & 0.5 $\pm$ 0.35 \\"
    assert lines[-1] == r"\end{tabular}"


def test_csv_of_single_runs_names_each() -> None:
    """By run ID and path; nothing is averaged."""
    rows = list(csv.DictReader(io.StringIO(csv_of(_table(each=True)))))
    assert [(row["run_id"], row["seed"], row["val_loss%"]) for row in rows] == [
        ("id0", "0", "0.25"),
        ("id1", "1", "0.75"),
        ("", "0", ""),
    ]


def test_csv_does_not_mix_up_what_looks_alike() -> None:
    """Text and a number, null and no value, NaN and no metric."""
    values = [{"lr": "1"}, {"lr": 1}, {"lr": None}, {}, {"lr": "x"}]
    runs = [
        RunResults(each, {"loss": float(at), "bad": math.nan}) for at, each in enumerate(values)
    ]
    rows = list(csv.DictReader(io.StringIO(csv_of(compare([*runs, RunResults({"lr": 2}, {})])))))
    assert {row["lr"] for row in rows} == {'"1"', "1", "null", "", "x", "2"}
    assert [row["bad"] for row in rows] == ["NaN"] * 5 + [""]


def test_csv_has_no_column_twice() -> None:
    """A metric may have the name of an axis, as in ``orch.load``, and an axis that of a count."""
    runs = [RunResults({"lr": lr, "runs": 5, "seed": 0}, {"lr": 0.5}) for lr in (1, 2)]
    rows = list(csv.DictReader(io.StringIO(csv_of(compare(runs)))))
    assert [(row["config.lr"], row["lr"], row["config.runs"], row["runs"]) for row in rows] == [
        ("1", "0.5", "5", "1"),
        ("2", "0.5", "5", "1"),
    ]


def test_values_have_the_digits_that_tell_them_apart() -> None:
    """In tables for people; CSV has all digits anyway."""
    compared = compare([RunResults({"lr": lr}, {"loss": lr}) for lr in (0.1, 0.1000000001)])
    for text in (markdown_of(compared), latex_of(compared)):
        assert "0.1000000001 " in text


def test_differences_are_in_every_format() -> None:
    """Rounded in tables for people, and whole where programs read them; of the best row there is none."""
    runs = [
        RunResults({"lr": lr, "seed": seed}, {"loss": loss})
        for lr, seed, loss in ((1, 0, 0.0), (1, 1, 0.0), (2, 0, 1.0), (2, 1, 2.0), (3, 5, 9.0))
    ]
    found = PairedDifference(1.5, 6.3531, 2, 2), PairedDifference(math.nan, None, 0, 1)
    differences, compared = [None, *found], compare(runs)
    lines = markdown_of(compared, differences).splitlines()
    assert [line.split(" | ")[-1] for line in lines] == [
        "to the best |",
        "--- |",
        "- |",
        "+1.5 ± 6.4 |",
        "0 of 1 |",
    ]
    assert r"+1.5 $\pm$ 6.4 \\" in latex_of(compared, differences)
    names = ("to_the_best", "to_the_best_half_width", "to_the_best_pairs")
    rows = csv.DictReader(io.StringIO(csv_of(compared, differences)))
    told = [tuple(row[name] for name in names) for row in rows]
    assert told == [("", "", ""), ("1.5", "6.3531", "2"), ("", "", "0")]
    assert "to_the_best" not in csv_of(compared)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (None, "-"),
        (Cell(0.5, None), "0.5"),
        (Cell(0.5, 0.25), "0.5 ± 0.25"),
        (Cell(math.nan, math.nan), "NaN"),
        (Cell(math.inf, math.nan), "Infinity"),
    ],
)
def test_cell_has_a_deviation_only_if_there_is_one(cell: Cell | None, shown: str) -> None:
    assert shown_cell(cell) == shown


@pytest.mark.parametrize("turned", [False, True])
def test_no_two_columns_of_csv_have_one_name(*, turned: bool) -> None:
    """Whatever metrics are called, and in whichever order they are reported."""
    names = ["runs", "loss", "loss_std", "loss_runs", "seed", "states", "metric.runs"]
    metrics = dict.fromkeys(names[::-1] if turned else names, 0.5)
    axes = {"seed": 1, "runs": 1, "config.runs": 2}
    runs = [RunResults(axes, metrics), RunResults({**axes, "seed": 2}, {"loss": 1.0})]
    header, *_ = csv.reader(io.StringIO(csv_of(compare(runs, ["seed"]))))
    assert len({*header}) == len(header)
    assert {"config.runs", "config.config.runs", "loss_std", "metric.loss_std"} < {*header}


def test_run_that_has_paused_is_called_so_in_tables_and_stale_in_csv() -> None:
    """A script has one word for both, as in JSON."""
    paused = RunResults({"lr": 1, "seed": 0}, None, state=State.STALE, is_paused=True)
    gone = RunResults({"lr": 1, "seed": 1}, None, state=State.STALE)
    assert shown_runs(compare([paused, gone])) == ["0 of 2, 1 stale, 1 paused"]
    assert shown_runs(compare([paused])) == ["paused"]
    assert "2 stale" in csv_of(compare([paused, gone]))
