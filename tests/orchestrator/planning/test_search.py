"""Tests of orchestrator.planning.search."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.errors import ConfigError, UsageError
from orchestrator.planning.load import ConfigSource, describe, load_plan
from orchestrator.planning.search import Search
from orchestrator.rundir.folder_lock import exclusive
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.grid.identity import RunId

pytest.importorskip("optuna")


def _search(folder: Path, *overrides: str) -> Search:
    source = ConfigSource(folder, "config", ["x=interval(-5,10)", "kind=a,b", *overrides])
    described, experiment = describe(source)
    experiment.prepare()
    assert described.search is not None
    assert described.settings.search is not None
    return Search(described, described.search, described.settings.search, experiment)


def _end(search: Search, run_id: RunId, record: Record = Record.DONE, **metrics: Any) -> None:
    directory = search._experiment.run(run_id)
    directory.write_status(Status(record, 1, now(), "box", 1, ended_at=now(), exit_code=0))
    (directory.path / "results.json").write_text(json.dumps({"test": metrics}))


def _supply(search: Search) -> Any:
    return search.supply(lambda _: None)


def test_runs_are_created_one_by_one_until_there_are_enough(search_folder: Path) -> None:
    """Never a point twice, never one that a filter drops, never more than asked for."""
    search = _search(search_folder)
    made = []
    while decision := _supply(search):
        made.append(decision.run)
        if len(made) % 2:
            _end(search, decision.run.run_id, loss=abs(decision.run.overrides["x"] - 3))
    assert len(made) == len({run.run_id for run in made}) == 8
    assert not any(run.overrides["kind"] == "b" and run.overrides["x"] < 0 for run in made)
    assert [member.run_id for member in search.members()] == [run.run_id for run in made]
    standing = _search(search_folder).standing()
    best = min(made[::2], key=lambda run: abs(run.overrides["x"] - 3))
    assert (standing.tried, standing.measured, standing.best) == (8, 4, best.run_id)


def test_search_that_is_opened_again_goes_on_with_the_same_point(search_folder: Path) -> None:
    """What it proposes depends on the run directories only."""
    search = _search(search_folder)
    for _ in range(4):
        _end(search, _supply(search).run.run_id, loss=1.0)
    proposals = [
        [run.run_id for run in it.propose(it.members(), 3)]
        for it in (search, _search(search_folder))
    ]
    assert proposals[0] == proposals[1]
    assert _supply(_search(search_folder)).run.run_id == proposals[0][0]


def test_points_are_chosen_while_a_reporter_works(search_folder: Path) -> None:
    """It holds the lock of the experiment's search_folder as long as it lives."""
    search = _search(search_folder)
    with exclusive(search_folder / "results/e"):
        assert search.supply(pytest.fail) is not None


def test_runs_of_another_config_do_not_belong_to_the_search(search_folder: Path) -> None:
    """Those with the same axes, but another value elsewhere, are another search's."""
    _supply(_search(search_folder))
    assert len(_search(search_folder).members()) == 1
    assert _search(search_folder, "more=2").members() == []
    assert len(_search(search_folder, "x=interval(-100,100)").members()) == 1


def test_run_has_the_id_of_its_point_named_singly(search_folder: Path) -> None:
    """So that it can be found again by its overrides."""
    run = _supply(_search(search_folder)).run
    alone = [f"{key}={value}" for key, value in run.overrides.items()]
    planned = load_plan(ConfigSource(search_folder, "config", [*alone, "orch.search=null"]))
    assert [decision.run.run_id for decision in planned.plan.decisions] == [run.run_id]


def test_plan_has_the_runs_and_the_next_proposals(search_folder: Path) -> None:
    """And no more than are left."""
    search = _search(search_folder)
    for _ in range(6):
        _supply(search)
    source = ConfigSource(search_folder, "config", ["x=interval(-5,10)", "kind=a,b"])
    assert len(load_plan(source).plan.decisions) == 6
    assert len(load_plan(source, proposals=lambda _: 1).plan.decisions) == 7
    assert len(load_plan(source, proposals=lambda _: 5).plan.decisions) == 8


def test_failed_run_counts_and_tells_nothing(search_folder: Path) -> None:
    """The search goes on without it."""
    search = _search(search_folder)
    _end(search, _supply(search).run.run_id, Record.FAILED)
    assert search.standing().tried == 1
    assert search.standing().measured == 0
    assert _supply(search) is not None


def test_metric_that_no_run_reports_is_an_error(search_folder: Path) -> None:
    """Otherwise the search would be random, without a word."""
    search = _search(search_folder)
    _end(search, _supply(search).run.run_id, accuracy=1)
    with pytest.raises(UsageError, match=r"none reports 'loss'. Choose one of .*accuracy"):
        _supply(search)


def test_direction_follows_from_the_name_of_the_metric(search_folder: Path) -> None:
    """Or has to be set."""
    assert not _search(search_folder).is_maximized
    assert _search(search_folder, "orch.search.direction=max").is_maximized
    assert _search(search_folder, "orch.search.metric=accuracy").is_maximized
    with pytest.raises(ConfigError, match=r"orch.search.direction is not set"):
        _supply(_search(search_folder, "orch.search.metric=xyzzy"))


def test_small_space_ends_when_it_is_exhausted(search_folder: Path) -> None:
    """With the reason."""
    search = _search(search_folder, "x=range(-1,2)")
    count = 0
    while _supply(search):
        count += 1
    assert count == 5
    assert search.trouble == "the search has tried all 5 points that the axes and the filters allow"


def test_search_without_a_choice_says_so(search_folder: Path) -> None:
    search = _search(search_folder, "x=choice(1)", "kind=choice(a)")
    while _supply(search):
        pass
    assert (
        search.trouble == "the search has tried the only point that the axes and the filters allow"
    )
    search = _search(search_folder, "x=range(-1,2)", "_filters=['x > -9 ! x > -9']")
    assert _supply(search) is None
    assert search.trouble == "the filters allow no point of the search"
