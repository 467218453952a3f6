"""Tests of orchestrator.grid.extension."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.grid.extension import Extension, find_dependent, find_siblings, total_of
from orchestrator.grid.identity import Run, RunId, identify

CONFIG: dict[str, Any] = {"iterations": 10, "lr": 0.1, "results_dir": "r"}
ID = RunId("3f2a00112233aabb")


def siblings(run: Run, totals: list[int], exclude: tuple[str, ...] = ()) -> tuple[RunId, ...]:
    return find_siblings(run.run_id, run.config, totals, exclude)


@pytest.mark.parametrize(
    ("extension", "said", "possible"),
    [
        (Extension(ID, 15), "extends 3f2a0011 from iteration 15", True),
        (
            Extension(ID, keys=("scheduler.T_max",)),
            "does not extend 3f2a0011, because scheduler.T_max depends on iterations",
            False,
        ),
        (
            Extension(ID, keys=("a", "b", "c", "d", "e")),
            "does not extend 3f2a0011, because a, b, c and 2 more depend on iterations",
            False,
        ),
        (
            Extension(ID, is_read=True),
            "does not extend 3f2a0011, whose callbacks read iterations",
            False,
        ),
        (
            Extension(ID, 15, changed="model.py"),
            "does not extend 3f2a0011, because model.py has changed since",
            False,
        ),
    ],
)
def test_extension_says_in_words_what_happens(
    extension: Extension, said: str, *, possible: bool
) -> None:
    assert (str(extension), extension.is_possible) == (said, possible)


def test_siblings_have_the_ids_of_runs_with_these_totals() -> None:
    """In the order of the totals; the run itself is none."""
    expected = tuple(identify({**CONFIG, "iterations": it}, {}).run_id for it in (5, 20))
    assert siblings(identify(CONFIG, {}), [20, 10, 5, 5]) == expected


@pytest.mark.parametrize(
    "config", [{"lr": 0.1}, {"iterations": "10"}, {"iterations": True}, {"iterations": 0}]
)
def test_run_without_a_number_of_iterations_has_none(config: Any) -> None:
    assert total_of(config) is None
    assert siblings(identify(config, {}), [5]) == ()


def test_number_that_is_not_part_of_the_id_makes_no_siblings() -> None:
    """All of them are the same run."""
    run = identify(CONFIG, {}, ("iterations",))
    assert siblings(run, [5], ("iterations",)) == ()


def test_run_whose_id_does_not_follow_from_its_config_has_no_siblings() -> None:
    """Credentials are hashed with their values, which are not in it."""
    run = replace(identify(CONFIG, {}), run_id=ID)
    assert siblings(run, [5]) == ()


def test_excluded_keys_may_depend_on_the_number() -> None:
    other = {**CONFIG, "iterations": 20, "lr": 0.2, "log": {"every": 2}}
    assert find_dependent(CONFIG, other, ("lr",)) == ("log.every",)
    assert find_dependent(CONFIG, {**CONFIG, "iterations": 20}, ()) == ()
