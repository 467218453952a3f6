"""Tests of orchestrator.planning.search_members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.planning.load import ConfigSource, describe
from orchestrator.planning.search_members import SearchMembers

if TYPE_CHECKING:
    from pathlib import Path


def _members(folder: Path, *overrides: str) -> SearchMembers:
    source = ConfigSource(folder, "config", ["x=interval(-5,10)", "kind=a,b", *overrides])
    described, experiment = describe(source)
    experiment.prepare()
    assert described.search is not None
    return SearchMembers(described, described.search, experiment)


def test_runs_are_found_with_their_points_and_places(search_folder: Path) -> None:
    """Also those that another process has created meanwhile; each is read once."""
    one, two = _members(search_folder), _members(search_folder)
    _, experiment = describe(ConfigSource(search_folder, "config", ["x=1,2", "kind=a,b"]))
    runs = one.select([{"x": 1.5, "kind": "b"}, {"x": -1.0, "kind": "a"}, {"x": -1.0, "kind": "b"}])
    assert [run.overrides for run in runs] == [{"x": 1.5, "kind": "b"}, {"x": -1.0, "kind": "a"}]
    for at, run in enumerate(runs):
        experiment.create(run)
        for members in (one, two):
            found = members.find()
            assert {member.run_id for member in found} == {run.run_id for run in runs[: at + 1]}
    assert {member.places for member in found} == {(1.5, 1.0), (-1.0, 0.0)}
    assert all(member.run.config["x"] == member.places[0] for member in found)


def test_runs_of_another_config_are_strangers(search_folder: Path) -> None:
    """The same axes, but another value elsewhere, or a value that is not of the space."""
    (run,) = _members(search_folder, "more=2").select([{"x": 1.5, "kind": "a"}])
    _, experiment = describe(ConfigSource(search_folder, "config", ["x=1,2", "kind=a,b"]))
    experiment.create(run)
    assert _members(search_folder).find() == []
    assert _members(search_folder, "more=2", "x=interval(2,3)").find() == []
    assert [each.run_id for each in _members(search_folder, "more=2").find()] == [run.run_id]
