"""A small /dev/shm is told before loader workers hang in it."""

import os
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from orchestrator.launchers.shared_memory_check import lack_of_shared_memory

WITH, WITHOUT = {"dataloader": {"num_workers": 2}}, {"dataloader": {"num_workers": 0}}


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what gives the machine some MiB of shared memory."""

    def change(size: int) -> None:
        found = SimpleNamespace(f_blocks=size << 8, f_frsize=4096)
        monkeypatch.setattr(os, "statvfs", lambda _: found)

    return change


@pytest.mark.parametrize(("size", "told"), [(1, True), (64, True), (65, False), (8000, False)])
def test_little_shared_memory_is_told_where_workers_want_it(
    give: Callable[[int], None], size: int, *, told: bool
) -> None:
    """64 MiB are what Docker gives unasked."""
    give(size)
    assert bool(lack_of_shared_memory([WITHOUT, WITH])) == told
    assert not told or f"has {size} MiB" in lack_of_shared_memory([WITH])


@pytest.mark.parametrize("config", [WITHOUT, {}, {"dataloader": None}, {"dataloader": {}}])
def test_nothing_is_told_where_nobody_wants_it(
    give: Callable[[int], None], config: dict[str, object]
) -> None:
    """Other programs, and trainings without workers."""
    give(1)
    assert lack_of_shared_memory([config]) == ""  # type: ignore[list-item] # any config


def test_place_that_is_not_there_is_no_lack() -> None:
    """Not all systems have it."""
    assert lack_of_shared_memory([WITH], "/no/such/place") == ""
