"""An MLflow run is found again by its tags, among others with the same run ID."""

import pytest

from orchestrator.rundir.directory import RunDirectory
from orchestrator.tracking.identifying_tags import IdentifyingTags, belongs_to, choose
from orchestrator.tracking.store import MlflowRun


def found(name: str, **tags: str) -> MlflowRun:
    return MlflowRun(name, {f"orch.{key}": value for key, value in tags.items()}, {})


WANTED = IdentifyingTags("first", "now", "box:/here", folder="")
SHARED = IdentifyingTags("first", "now", "box:/here", folder="f1")


def test_tags_of_a_run_directory_hold_its_host_and_path(directory: RunDirectory) -> None:
    tags = IdentifyingTags.of(directory, "now", "first", "f1").tags()
    assert tags["orch.directory"].endswith(f":{directory.path.resolve()}")
    assert (tags["orch.created_at"], tags["orch.experiment"]) == ("now", "first")
    assert tags["orch.folder"] == "f1"
    assert "orch.folder" not in IdentifyingTags.of(directory, "now", "first", "").tags()


@pytest.mark.parametrize(
    ("wanted", "candidates", "chosen"),
    [
        (WANTED, [], None),
        (WANTED, [found("other", created_at="then", directory="box:/there")], None),
        # The creation time counts first: the directory may have been moved.
        (
            WANTED,
            [
                found("removed", created_at="earlier", directory="box:/here"),
                found("moved", created_at="now", directory="box:/there"),
            ],
            "moved",
        ),
        # It is of a directory that was removed, and created again at its path.
        (WANTED, [found("removed", created_at="earlier", directory="box:/here")], None),
        # Its creation time was lost, or the clock was set back.
        (WANTED, [found("same", directory="box:/here")], "same"),
        (WANTED, [found("same", created_at="then", directory="box:/here")], "same"),
        # A copy of the folder has the same creation time.
        (SHARED, [found("copy", created_at="now", folder="f2")], None),
        (SHARED, [found("ours", created_at="now", folder="f1")], "ours"),
        # An earlier version wrote no folder.
        (SHARED, [found("old", created_at="now")], "old"),
        (
            SHARED,
            [found("old", created_at="now"), found("ours", created_at="now", folder="f1")],
            "ours",
        ),
    ],
)
def test_run_of_this_directory_is_chosen(
    wanted: IdentifyingTags, candidates: list[MlflowRun], chosen: str | None
) -> None:
    run = choose(candidates, wanted)
    assert (run and run.mlflow_run_id) == chosen


@pytest.mark.parametrize(
    ("created_at", "folder", "belongs"),
    [("now", "f1", True), ("then", "f1", False), ("now", "", False), ("now", "f2", False)],
)
def test_run_belongs_to_one_directory(created_at: str, folder: str, *, belongs: bool) -> None:
    run = found("ours", created_at="now", folder="f1")
    assert belongs_to(run, created_at, folder) is belongs
