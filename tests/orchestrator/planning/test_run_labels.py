"""The keys that tell runs apart: short names where every run has them, otherwise keys of configs."""

from typing import Any

import pytest

from orchestrator.grid.config_values import Missing
from orchestrator.planning.grouping import NOTHING, Averaged, RunConfig
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
    assert RunLabels(runs).keys == ("seed",)


def test_choices_of_one_config_do_not_split_it_where_the_averaged_value_is_a_default() -> None:
    """No command gave it, and the typed values of one run make the choice of the other."""
    runs = [
        _run({**A, "seed": 0}, {"model": "none"}, {"model.name": "a"}),
        _run({**A, "seed": 1}, {"model": "a"}, {"model": "a", "seed": 1}),
    ]
    assert RunLabels(runs, Averaged(())).keys == ()
    assert "seed" in RunLabels(runs).keys


NONE = {"aug.crop": False, "aug.flip": False}
STRONG = {"aug.crop": True, "aug.flip": True}


@pytest.mark.parametrize("averaged", [Averaged(()), NOTHING])
def test_choice_whose_config_was_made_equal_to_another_one_is_no_name(averaged: Averaged) -> None:
    """None with all that strong has is strong, whatever else the runs differ in."""
    typed = _run({**STRONG, "lr": 1}, {"aug": "none"}, STRONG, aug="none", lr=1)
    strong = _run({**STRONG, "lr": 2}, {"aug": "strong"}, aug="strong", lr=2)
    assert RunLabels([typed, strong], averaged).keys == ("lr",)
    name = {"name": "none-1"}, {"name": "strong-2"}
    runs = [
        _run({**STRONG, "lr": at, **name[at - 1]}, run.choices, run.given, **run.overrides)
        for at, run in enumerate((typed, strong), 1)
    ]
    assert RunLabels(runs, averaged).keys == ("aug", "lr")  # the program sees another name


def test_choice_with_a_value_of_its_own_is_a_name() -> None:
    """A switch that another switch was given the value of is one, too."""
    none = _run(NONE, {"aug": "none"}, {"aug.crop": False}, aug="none")
    strong = _run(STRONG, {"aug": "strong"}, aug="strong")
    assert "aug" in RunLabels([none, strong]).keys
    typed = _run({**NONE, "aug.crop": True}, {"aug": "none"}, {"aug.crop": True}, aug="none")
    assert RunLabels([typed, strong]).keys == ("aug",)


def test_key_that_a_command_deleted_tells_its_runs_apart() -> None:
    """Its runs have no value there."""
    kept = _run({"lr": 1, "decay": 0.1}, {}, lr=1)
    deleted = _run({"lr": 2}, {}, {"~decay": None}, lr=2)
    labels = RunLabels([kept, deleted])
    assert [_values(labels, run) for run in (kept, deleted)] == [{"lr": 1, "decay": 0.1}, {"lr": 2}]


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


def test_mapping_is_no_value_where_others_have_another_one() -> None:
    """The keys in it tell the runs apart, also from those without any."""
    runs = [
        _run({"model": 5, "seed": 0}, given={"model": 5}),
        _run({**A, "seed": 0}, given={"model.width": 1}),
        _run({**B, "seed": 0}),
        _run({"seed": 0}, given={"~model": None}),
    ]
    labels = RunLabels(runs)
    assert [_values(labels, run) for run in runs] == [
        {"model": 5},
        {"model.width": 1, "model.name": "a"},
        {"model.width": 1, "model.name": "b"},
        {},
    ]


@pytest.mark.parametrize(
    ("swept", "told"),
    [
        ([{"a": 1}, 2, 3], [{"x": {"a": 1}}, {"x": 2}, {"x": 3}]),
        ([{"a": 1}, {"a": 2}, 3], [{"x.a": 1}, {"x.a": 2}, {"x": 3}]),
        ([{"a": 1}, {"a": 1, "b": 2}, 3], [{"x": {"a": 1}}, {"x.b": 2}, {"x": 3}]),
        ([{"seed": 1}, {"seed": 2}, 3], [{}, {}, {"x": 3}]),
    ],
)
def test_mapping_beside_plain_values_has_a_name(
    swept: list[Any], told: list[dict[str, Any]]
) -> None:
    """The whole mapping, where no key in it tells the run from others; what is averaged over does not split."""
    runs = [_run({f"x.{key}": it for key, it in value.items()} if isinstance(value, dict) else {"x": value}, x=value) for value in swept]  # fmt: skip
    labels = RunLabels(runs, Averaged(()))
    assert [_values(labels, run) for run in runs] == told


def test_mappings_that_are_swept_are_values() -> None:
    runs = [
        _run({"model.name": name, "seed": 0}, model={"name": name}, given={"lr": 1})
        for name in ("a", "b")
    ]
    labels = RunLabels(runs)
    assert [_values(labels, run) for run in runs] == [
        {"model": {"name": "a"}},
        {"model": {"name": "b"}},
    ]
