"""The policy for pilots keeps the user's bounds, and gives up where pilots start nothing."""

import pytest
from hypothesis import given
from hypothesis.strategies import builds, integers, lists, sampled_from, tuples

from orchestrator.slurm.policy import Bounds, Starts, count_to_submit, next_kind

COUNT = integers(0, 50)
BOUNDS = builds(Bounds, integers(1, 20), integers(1, 20))


@given(BOUNDS, COUNT, COUNT, COUNT)
def test_bounds_are_kept(bounds: Bounds, startable: int, waiting: int, live: int) -> None:
    count = count_to_submit(bounds, startable, waiting, live)
    assert count >= 0
    if count:
        assert waiting + live + count <= bounds.pilots
        assert waiting + count <= bounds.queued
        assert waiting + count <= startable


@given(BOUNDS, integers(1, 50))
def test_something_is_submitted_where_runs_are_open_and_nothing_is_on_its_way(
    bounds: Bounds, startable: int
) -> None:
    assert count_to_submit(bounds, startable, 0, 0) >= 1


@given(BOUNDS, COUNT, lists(tuples(sampled_from(["start", "end", "run"]), integers(0, 4))))
def test_no_more_pilots_are_alive_than_allowed_whatever_happens(
    bounds: Bounds, runs: int, events: list[tuple[str, int]]
) -> None:
    """Pilots start, end, and take runs in any order."""
    waiting = live = 0
    for event, count in events:
        waiting += count_to_submit(bounds, runs, waiting, live)
        moved = min(count, {"start": waiting, "end": live, "run": runs}[event])
        waiting -= moved if event == "start" else 0
        live += {"start": moved, "end": -moved}.get(event, 0)
        runs -= moved if event == "run" else 0
        assert waiting + live <= bounds.pilots
        assert waiting <= bounds.queued


@pytest.mark.parametrize(("used", "kind"), [([], 0), ([0], 1), ([0, 1], 2), ([0, 1, 2], 0)])
def test_kinds_take_turns(used: list[int], kind: int) -> None:
    assert next_kind(used, 3) == kind


def note(starts: Starts, seconds: float = 5, node: str = "n1", **given: bool) -> bool:
    told = {"has_begun": False, "is_excused": False, **given}
    return starts.note_end(seconds, node, **told)


def test_three_pilots_in_a_row_that_start_nothing_are_enough() -> None:
    starts = Starts()
    for node in ("n1", "n2"):
        assert note(starts, node=node)
        assert not starts.is_hopeless
    assert note(starts, node="n3")
    assert starts.is_hopeless


@pytest.mark.parametrize("end", [{"has_begun": True}, {"is_excused": True}, {"seconds": 61}])
def test_other_ends_are_no_failed_starts(end: dict[str, bool]) -> None:
    starts = Starts()
    assert not note(starts, **end)
    assert not starts.is_hopeless


def test_pilot_that_has_begun_clears_the_count() -> None:
    starts = Starts()
    for _ in range(2):
        note(starts)
    note(starts, has_begun=True)
    note(starts)
    assert not starts.is_hopeless


def test_node_on_which_pilots_start_nothing_twice_is_avoided() -> None:
    starts = Starts()
    note(starts, node="bad")
    assert starts.bad_nodes == ()
    note(starts, node="good", has_begun=True)
    note(starts, node="bad")
    assert (starts.bad_nodes, starts.is_hopeless) == (("bad",), False)


def test_refusals_in_a_row_are_counted() -> None:
    starts = Starts()
    for _ in range(9):
        starts.note_answer(is_refused=True)
    assert not starts.is_hopeless
    starts.note_answer(is_refused=False)
    for _ in range(10):
        starts.note_answer(is_refused=True)
    assert starts.is_hopeless
