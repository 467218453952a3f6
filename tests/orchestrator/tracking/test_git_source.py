"""The commit of the project's folder is noted when runs start."""

import getpass
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.tracking.git_source import (
    GitSource,
    name_of_user,
    read_git_source,
    read_sources,
    record_source,
    source_at,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one commit."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "me")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "me@example.org")
    (tmp_path / "train.py").write_text("pass\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    return tmp_path


def test_commit_and_changes_are_seen(project: Path) -> None:
    """A file that git does not know changes nothing: results stand in the folder, too."""
    (project / "results").mkdir()
    clean = read_git_source(project)
    assert (len(clean.commit), clean.is_dirty) == (40, False)
    (project / "train.py").write_text("fail\n")
    dirty = read_git_source(project)
    assert dirty.is_dirty


def test_changes_that_git_does_not_tell_are_unknown(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a large repository on a slow disk, which was recorded as unmodified."""
    told = shutil.which("git")
    (tmp_path / "bin").mkdir()
    script = f'#!/bin/sh\ncase "$*" in *status*) exit 128;; esac\nexec {told} "$@"\n'
    (tmp_path / "bin/git").write_text(script)
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    source = read_git_source(project)
    assert (len(source.commit), source.is_dirty) == (40, None)
    record_source(tmp_path, source)
    assert read_sources(tmp_path) == [source]


def test_folder_without_git_has_a_user_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a command; of a user without a name, the number is told."""
    source = read_git_source(tmp_path, "orch run seed=1")
    assert (source.commit, source.command) == ("", "orch run seed=1")
    assert source.user == getpass.getuser()

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert name_of_user() == str(os.getuid())


@pytest.mark.parametrize("what", ["pipe", "folder", "link"])
def test_sources_that_can_not_be_noted_stop_nothing(tmp_path: Path, what: str) -> None:
    """Nor does anything stand still before them."""
    path = tmp_path / "tracking/sources.jsonl"
    path.parent.mkdir()
    match what:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "elsewhere")
    record_source(tmp_path, GitSource("2026-01-01", "a", is_dirty=False))
    assert read_sources(tmp_path) == []
    assert not (tmp_path / "elsewhere").exists()


def test_sources_are_noted_when_they_change(tmp_path: Path) -> None:
    """The last one noted before an attempt began is the attempt's; damage is passed over."""
    first, second = (
        GitSource("2026-01-01", "a", is_dirty=False),
        GitSource("2026-01-03", "b", is_dirty=True, user="me", command="orch run"),
    )
    assert read_sources(tmp_path) == []
    for source in (first, first, second):
        record_source(tmp_path, source)
    with (tmp_path / "tracking/sources.jsonl").open("a") as file:
        file.write("nonsense\n")
    sources = read_sources(tmp_path)
    assert sources == [first, second]
    assert source_at(sources, "2026-01-02") == first
    assert source_at(sources, "2026-01-04") == second
    assert source_at(sources, "2025-12-31") is None
