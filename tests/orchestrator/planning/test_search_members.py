"""Tests of orchestrator.planning.search_members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.planning.load import ConfigSource, describe
from orchestrator.planning.search_members import SearchMembers

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
results_dir: {results}
experiment_id: e
x: 0
kind: a
more: 1
_filters: ['kind == "b" ! x < 0']
orch: {{command: ["true"], search: {{metric: loss, points: 8}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a config folder."""
    (tmp_path / "config.yaml").write_text(CONFIG.format(results=tmp_path / "results"))
    return tmp_path


def _members(folder: Path, *overrides: str) -> SearchMembers:
    source = ConfigSource(folder, "config", ["x=interval(-5,10)", "kind=a,b", *overrides])
    described, experiment = describe(source)
    experiment.prepare()
    assert described.search is not None
    return SearchMembers(described, described.search, experiment)


def test_runs_are_found_with_their_points_and_places(folder: Path) -> None:
    """Also those that another process has created meanwhile; each is read once."""
    one, two = _members(folder), _members(folder)
    _, experiment = describe(ConfigSource(folder, "config", ["x=1,2", "kind=a,b"]))
    runs = one.select([{"x": 1.5, "kind": "b"}, {"x": -1.0, "kind": "a"}, {"x": -1.0, "kind": "b"}])
    assert [run.overrides for run in runs] == [{"x": 1.5, "kind": "b"}, {"x": -1.0, "kind": "a"}]
    for at, run in enumerate(runs):
        experiment.create(run)
        for members in (one, two):
            found = members.find()
            assert {member.run_id for member in found} == {run.run_id for run in runs[: at + 1]}
    assert {member.places for member in found} == {(1.5, 1.0), (-1.0, 0.0)}
    assert all(member.run.config["x"] == member.places[0] for member in found)


def test_runs_of_another_config_are_strangers(folder: Path) -> None:
    """The same axes, but another value elsewhere, or a value that is not of the space."""
    (run,) = _members(folder, "more=2").select([{"x": 1.5, "kind": "a"}])
    _, experiment = describe(ConfigSource(folder, "config", ["x=1,2", "kind=a,b"]))
    experiment.create(run)
    assert _members(folder).find() == []
    assert _members(folder, "more=2", "x=interval(2,3)").find() == []
    assert [each.run_id for each in _members(folder, "more=2").find()] == [run.run_id]
