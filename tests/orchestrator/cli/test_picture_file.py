"""The file of a picture is replaced at once, or left as it was."""

from pathlib import Path

import pytest

from orchestrator.cli.picture_file import check_out, write_out
from orchestrator.errors import UsageError


def test_file_is_replaced_at_once(tmp_path: Path) -> None:
    """Nothing else is left beside it."""
    out = tmp_path / "x.png"
    out.write_bytes(b"old")
    write_out(str(out), b"new")
    assert out.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "x.png").symlink_to("shared/figure.png")
    write_out(str(tmp_path / "x.png"), b"new")
    assert (tmp_path / "x.png").is_symlink()
    assert (tmp_path / "shared/figure.png").read_bytes() == b"new"


def test_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.png"
    out.write_bytes(b"old")

    def fill_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fill_disk)
    with pytest.raises(UsageError, match="No space left on device"):
        write_out(str(out), b"new")
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


@pytest.mark.parametrize(
    ("out", "match"),
    [
        ("x.jpg", r"ends in \.jpg\. Let it end in \.png or \.svg"),
        ("x", "has no ending"),
        (".png", "has no ending"),
        ("folder.png", "it is a folder"),
        ("absent/x.png", "there is no folder"),
    ],
)
def test_file_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, match: str
) -> None:
    """Before anything is read or drawn."""
    monkeypatch.chdir(tmp_path)
    Path("folder.png").mkdir()
    with pytest.raises(UsageError, match=match):
        check_out(out, ("png", "svg"))


def test_ending_counts_in_capitals_too() -> None:
    assert check_out("x.PNG", ("png", "svg")) == "png"
    with pytest.raises(UsageError, match=r"Let it end in \.html\."):
        check_out("x.htm", ("html",))
