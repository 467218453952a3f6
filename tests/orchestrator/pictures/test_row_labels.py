"""Labels of rows: what differs, short, and never equal for different rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.pictures.row_labels import (
    common_values,
    count_label,
    labels_of,
    shorten,
    texts_of,
    varying_keys,
)
from orchestrator.planning.results_table import Row
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import State


def test_label_holds_only_what_differs() -> None:
    """Under the last part of its key."""
    assert labels_of([{"optimizer.lr": 0.1, "a": 1}, {"optimizer.lr": 0.2, "a": 1}]) == [
        "lr=0.1",
        "lr=0.2",
    ]
    assert common_values([{"optimizer.lr": 0.1, "a": 1}, {"optimizer.lr": 0.2, "a": 1}]) == "a=1"


def test_single_row_has_a_label() -> None:
    assert labels_of([{"lr": 0.1}]) == ["all runs"]
    assert labels_of([{}]) == ["all runs"]


def test_value_that_a_row_lacks_is_not_in_its_label() -> None:
    assert labels_of([{"a": 1, "b": 1}, {"a": 2}]) == ["a=1  b=1", "a=2"]
    assert labels_of([{"a": 1}, {}]) == ["a=1", "-"]


def test_numbers_are_rounded_unless_that_makes_them_equal() -> None:
    assert texts_of([0.1 + 0.2, 1e-9]) == ["0.3", "1e-09"]
    assert texts_of([0.12345671, 0.12345672]) == ["0.12345671", "0.12345672"]
    assert texts_of([1, "1"]) == ["1", '"1"']


def test_long_text_is_cut_in_its_middle() -> None:
    assert shorten("abcdefghij", 5) == "ab…ij"
    assert shorten("abc", 5) == "abc"


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=80)
)


@given(st.lists(st.dictionaries(st.text("ab.", min_size=1, max_size=4), values, max_size=3)))
def test_labels_are_short_printable_and_distinct(choices: list[dict[str, object]]) -> None:
    """Whatever people write into configs."""
    distinct = [each for place, each in enumerate(choices) if each not in choices[:place]]
    labels = labels_of(distinct)  # type: ignore[arg-type] # values of configs
    assert all(label.isprintable() and len(label) <= 50 for label in labels)
    assert len(set(labels)) == len(labels) or len(varying_keys(distinct)) == 0  # type: ignore[arg-type] # as above


@pytest.mark.parametrize(
    ("states", "drawn", "expected"),
    [
        ([State.DONE], 1, "1 run"),
        ([State.DONE] * 3, 3, "3 runs"),
        ([State.DONE, State.FAILED, State.DONE], 2, "2 of 3 runs, 1 failed"),
        ([State.RUNNING, State.RUNNING], 0, "0 of 2 runs, 2 running"),
    ],
)
def test_legend_says_how_many_runs_a_line_stands_for(
    states: list[State], drawn: int, expected: str
) -> None:
    members = tuple((str(n), RunResults({}, None, state=state)) for n, state in enumerate(states))
    assert count_label(Row({}, members, {}), drawn) == expected


def test_label_of_long_keys_has_what_tells_them_apart() -> None:
    """Not the middle of each, which the rows have in common."""
    keys = [f"model.{name}.block.attention.dropout" for name in ("encoder", "decoder")]
    rows = [dict.fromkeys(keys, value) for value in (0, 0.1)]
    assert labels_of(rows) == [
        "encoder…dropout=0  decoder…dropout=0",
        "encoder…dropout=0.1  decoder…dropout=0.1",
    ]


def test_keys_and_values_are_shortened_before_the_label_is() -> None:
    """What is cut from the middle of a label could tell it from the others. Numbers are never cut."""
    keys = ["attention_dropout", "optimizer.weight_decay", "architecture"]
    values = [(0, 1e-7, "vision_transformer_base"), (0.1, 0.0001, "mlp")]
    first, second = labels_of([dict(zip(keys, each, strict=True)) for each in values])
    assert first == "att…ut=0  wei…ay=1e-07  arc…re=visio…_base"
    assert second == "att…ut=0.1  wei…ay=0.0001  arc…re=mlp"


def test_label_tells_the_runs_that_have_paused() -> None:
    runs = [RunResults({}, None, state=State.STALE, is_paused=paused) for paused in (True, False)]
    members = tuple((str(at), run) for at, run in enumerate(runs))
    assert count_label(Row({}, members, {}), 0) == "0 of 2 runs, 1 stale, 1 paused"
