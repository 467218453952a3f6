"""The keys that tell runs apart: short names where every run has them, otherwise keys of configs."""

from typing import Any

import pytest

from orchestrator.grid.config_values import Missing
from orchestrator.planning.grouping import Averaged, RunConfig
from orchestrator.planning.run_labels import RunLabels
from orchestrator.planning.run_results import RunResults

A, B = {"model.name": "a", "model.width": 1}, {"model.name": "b", "model.width": 1}


def _run(config: dict[str, Any], choices: Any = None, given: Any = None, **axes: Any) -> RunResults:
    text = "".join(f"{key}: {value}\n" for key, value in config.items())
    made = RunConfig(text, lambda: config)
    return RunResults(axes, {}, made, given=given or {}, choices=choices)


def _values(labels: RunLabels, run: RunResults) -> dict[str, Any]:
    found = {key: labels.value(run, key) for key in labels.keys}
    return {key: value for key, value in found.items() if not isinstance(value, Missing)}


def test_choice_that_is_known_of_all_runs_is_a_short_name() -> None:
    """The default of one command is a choice, too."""
    runs = [
        _run({**A, "seed": 0}, {"model": "a"}, model="a", seed=0),
        _run({**B, "seed": 0}, {"model": "b"}, model="b", seed=0),
        _run({**A, "seed": 1}, {"model": "a"}, seed=1),
    ]
    labels = RunLabels(runs, Averaged(()))
    assert [_values(labels, run) for run in runs] == [{"model": it} for it in "aba"]


def test_choice_that_an_earlier_version_did_not_record_is_no_name() -> None:
    """The keys in which the configs differ tell the runs apart."""
    runs = [
        _run({**A, "seed": 0}, model="a", seed=0),
        _run({**B, "seed": 0}, model="b", seed=0),
        _run({**A, "seed": 1}, seed=1),
    ]
    labels = RunLabels(runs, Averaged(()))
    assert [_values(labels, run) for run in runs] == [{"model.name": it} for it in "aba"]


def test_choices_of_one_config_do_not_split_it() -> None:
    """Two files may have the same content; a number that looks like a seed changes nothing."""
    runs = [
        _run({**A, "seed": 1, "run": "run-1"}, {"model": "a"}, model="a", seed=1),
        _run({**A, "seed": 2, "run": "run-2"}, {"model": "twin"}, model="twin", seed=2),
    ]
    labels = RunLabels(runs, Averaged(()))
    assert labels.keys == ()
    assert RunLabels(runs).keys == ("model", "seed")


def test_choices_of_one_config_do_not_split_it_where_the_averaged_value_is_a_default() -> None:
    """No command gave it, and the typed values of one run make the choice of the other."""
    runs = [
        _run({**A, "seed": 0}, {"model": "none"}, {"model.name": "a"}),
        _run({**A, "seed": 1}, {"model": "a"}, {"model": "a", "seed": 1}),
    ]
    assert RunLabels(runs, Averaged(())).keys == ()
    assert "seed" in RunLabels(runs).keys


@pytest.mark.parametrize(("one", "other", "is_equal"), [(1, 1.0, True), (1, True, False), (0, "0", False)])  # fmt: skip
def test_equal_values_are_one_value(one: Any, other: Any, *, is_equal: bool) -> None:
    """As in the run ID."""
    runs = [_run({"lr": value}, {}, lr=value) for value in (one, other)]
    labels = RunLabels(runs)
    assert (labels.values(runs[0], ["lr"]) == labels.values(runs[1], ["lr"])) is is_equal


def test_what_all_commands_gave_is_no_column() -> None:
    """Where they gave several values, or not all gave one, it is."""
    runs = [_run({"lr": 1, "size": size}, {}, {"lr": 1, "size": size}) for size in (1, 2)]
    assert RunLabels(runs).keys == ("size",)
    assert RunLabels([*runs, _run({"lr": 2, "size": 1}, {})]).keys == ("lr", "size")


def test_value_may_be_a_mapping_an_item_or_missing() -> None:
    """An axis may set what is not a leaf of a config."""
    first = _run(
        {"m.a": 1, "m.b.c": 2, "l": [1, 2]}, {}, **{"m": {"a": 1, "b": {"c": 2}}, "l.0": 1}
    )
    second = _run({"m.a": 1, "m.b.c": 3, "l": [5, 2]}, {}, new=4)
    labels = RunLabels([first, second])
    assert _values(labels, second) == {"m": {"a": 1, "b": {"c": 3}}, "l.0": 5, "new": 4}
    assert "new" not in _values(labels, first)


def test_run_without_a_readable_config_takes_no_name_from_the_others() -> None:
    """Its blank is the truth."""
    runs = [
        _run(A, {"model": "a"}, model="a"),
        _run(B, {"model": "b"}, model="b"),
        RunResults({}, None),
        _run({}),
    ]
    labels = RunLabels(runs)
    assert [_values(labels, run) for run in runs] == [{"model": "a"}, {"model": "b"}, {}, {}]
