"""Requests reach the orchestrators that are at work, once each, and nobody who starts later."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rundir.control_file import ControlFile, ControlRequest

PAUSE = ControlRequest(paused=True)
GOOD: dict[str, Any] = {"id": "1", "workers": 4, "paused": None, "without_gpus": [3]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.json"


def test_each_request_is_heard_once_by_those_who_are_at_work(path: Path) -> None:
    at_work = ControlFile(path, path.parent)
    ControlFile(path, path.parent).ask(PAUSE)
    ControlFile(path, path.parent).ask(ControlRequest(workers=4))  # before anybody has looked
    assert at_work.news() == ([PAUSE, ControlRequest(workers=4)], "")
    assert at_work.news() == ([], "")
    ControlFile(path, path.parent).ask(ControlRequest(without_gpus=(1,), with_gpus=(0,)))
    assert at_work.news()[0] == [ControlRequest(without_gpus=(1,), with_gpus=(0,))]
    assert ControlFile(path, path.parent).news() == ([], "")


def test_file_does_not_grow_without_end(path: Path) -> None:
    at_work = ControlFile(path, path.parent)
    for number in range(1, 60):
        ControlFile(path, path.parent).ask(ControlRequest(workers=number))
    assert len(json.loads(path.read_text())["requests"]) == 50
    assert at_work.news()[0][-1] == ControlRequest(workers=59)


@pytest.mark.parametrize(
    "damaged", [b"", b"{", b"[]", b'{"schema": 2, "requests": []}', b'{"schema": 1}', b"\xff"]
)
def test_damaged_file_asks_for_nothing_is_told_and_replaced(path: Path, damaged: bytes) -> None:
    at_work = ControlFile(path, path.parent)
    path.write_bytes(damaged)
    assert at_work.news() == ([], f"{path}: it is not a control file")
    assert at_work.news() == ([], "")  # told once
    ControlFile(path, path.parent).ask(PAUSE)
    assert at_work.news() == ([PAUSE], "")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "large"])
def test_what_is_no_regular_file_is_not_read(path: Path, kind: str) -> None:
    at_work = ControlFile(path, path.parent)
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_text(json.dumps({"schema": 1, "requests": [GOOD]}))
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b" " * 2_000_000)
    found, damage = at_work.news()
    assert (found, damage.startswith(f"{path}: ")) == ([], True)


@pytest.mark.parametrize(
    "change",
    [
        {"workers": 0},
        {"workers": True},
        {"workers": "4"},
        {"workers": 10**9},
        {"paused": 1},
        {"without_gpus": [-1]},
        {"with_gpus": "0"},
        {"id": 7},
    ],
)
def test_request_of_another_form_is_ignored_as_a_whole(path: Path, change: dict[str, Any]) -> None:
    at_work = ControlFile(path, path.parent)
    others = [GOOD | {"id": "2"}]
    path.write_text(json.dumps({"schema": 1, "requests": [GOOD | change, "text", *others]}))
    assert at_work.news() == ([ControlRequest(workers=4, without_gpus=(3,))], "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "workers", "paused", "without_gpus", "with_gpus", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(entries=st.lists(JSON, max_size=4))
def test_no_content_is_an_error(tmp_path_factory: pytest.TempPathFactory, entries: Any) -> None:
    path = tmp_path_factory.mktemp("any") / "control.json"
    at_work = ControlFile(path, path.parent)
    path.write_text(json.dumps({"schema": 1, "requests": entries}))
    assert at_work.news()[1] == ""
