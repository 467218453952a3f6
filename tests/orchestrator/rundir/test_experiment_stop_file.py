"""A request in the stop file reaches those that look at it already, each once."""

from pathlib import Path

import pytest

from orchestrator.rundir.experiment_stop_file import StopFile


def test_request_reaches_those_that_are_at_work_once(tmp_path: Path) -> None:
    working = [StopFile(tmp_path), StopFile(tmp_path)]
    assert [each.news() for each in working] == ["", ""]
    StopFile(tmp_path).ask("drain")
    assert [each.news() for each in working] == ["drain", "drain"]
    assert [each.news() for each in working] == ["", ""]


def test_request_does_not_reach_those_that_start_later(tmp_path: Path) -> None:
    early = StopFile(tmp_path)
    early.ask("at_once")
    late = StopFile(tmp_path)
    assert late.news() == ""
    StopFile(tmp_path).ask("at_once")
    assert late.news() == "at_once"


def test_same_request_twice_is_two_requests(tmp_path: Path) -> None:
    working = StopFile(tmp_path)
    for _ in range(2):
        StopFile(tmp_path).ask("drain")
        assert working.news() == "drain"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"how": 1, "id": "a"}', "\0" * 10])
def test_other_content_asks_for_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "stop.json"
    working = StopFile(tmp_path)
    path.write_text(content)
    assert working.news() == ""
    path.unlink()
    path.symlink_to("/dev/zero")
    assert working.news() == ""
    path.unlink()
    assert working.news() == ""


def test_request_into_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        StopFile(tmp_path / "gone/stop.json").ask("drain")
