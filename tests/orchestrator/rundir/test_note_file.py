"""What people note of a run is kept as told; a file of any other content counts as empty."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.rundir.note import NO_NOTE, Note
from orchestrator.rundir.note_file import NOTE, change_note, read_note


def test_note_is_changed_part_by_part_and_removed_with_its_file(tmp_path: Path) -> None:
    assert read_note(tmp_path) == NO_NOTE
    change_note(tmp_path, text=" the lr is too high ", tags={"baseline": "true"})
    found = change_note(tmp_path, tags={"phase": "2", "baseline": "false"})
    assert found == read_note(tmp_path)
    assert found == Note("the lr is too high", {"baseline": "false", "phase": "2"})
    assert str(found) == "[baseline=false, phase=2] the lr is too high"
    assert change_note(tmp_path, text="") == Note("", {"baseline": "false", "phase": "2"})
    assert change_note(tmp_path, untag=["baseline", "phase"]) == NO_NOTE
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"text": "é" * 2001},
        {"tags": {"mlflow": "x"}},
        {"tags": {"a.b": "x"}},
        {"tags": {"": "x"}},
        {"tags": {"1a": "x"}},
        {"tags": {"a": "x" * 501}},
        {"tags": {"a": "two\nlines"}},
        {"tags": {f"a{number}": "" for number in range(51)}},
    ],
)
def test_what_no_tracking_would_take_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        change_note(tmp_path, **change)
    assert read_note(tmp_path) == NO_NOTE


@given(
    content=st.binary(max_size=20)
    | st.dictionaries(
        st.sampled_from(["text", "tags", "schema"]),
        st.none() | st.integers() | st.text(max_size=3) | st.dictionaries(st.text(), st.none()),
    ).map(lambda found: json.dumps(found).encode())
)
def test_no_content_is_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / NOTE).write_bytes(content)
    assert read_note(folder).tags == {}
    assert change_note(folder, text="other").text == "other"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_regular_file_is_not_followed(tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(json.dumps({"text": "not mine", "tags": {}}))
    path = tmp_path / NOTE
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert read_note(tmp_path) == NO_NOTE
    if kind != "folder":
        assert change_note(tmp_path, text="mine") == Note("mine")
        assert "not mine" in elsewhere.read_text()
