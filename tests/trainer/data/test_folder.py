"""Folders of files become data sets, and what is wrong with them is said in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch
from run_files import MakeRun, Start, results_of
from user_modules import run_program

from trainer.data.folder import Folder
from trainer.errors import ConfigError

LOADER = "user_modules.load_text"


def fill(folder: Path, *names: str, files: int = 6) -> Path:
    """Write a few files of three numbers for each class."""
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(files):
            (folder / name / f"{number}.txt").write_text(f"{label} {number} 0")
    return folder


def test_files_are_labelled_by_their_folder_and_split(tmp_path: Path) -> None:
    """Classes are numbered by name; each file is in one part, hidden ones in none."""
    fill(tmp_path, "ant", "bee")
    (tmp_path / "ant" / ".hidden").write_text("")
    data = Folder(str(tmp_path), LOADER, [3], 2, validation=2, held_out=0.25)
    parts = (data.train, data.validation, data.test)
    assert [len(part) for part in parts] == [7, 2, 3]
    files = [file for part in parts for file in part.files]
    assert sorted(files) == [
        (tmp_path / name / f"{number}.txt", label)
        for label, name in enumerate(("ant", "bee"))
        for number in range(6)
    ]
    sample, label = data.train[0]
    assert (sample.shape, sample.dtype, label.dtype) == ((3,), torch.float32, torch.int64)
    assert sample[0].round() == label == data.train.targets[0]


def test_parts_that_are_there_are_used_as_they_are(tmp_path: Path) -> None:
    """Only the validation files are split off the training files."""
    fill(tmp_path / "train", "ant", "bee")
    fill(tmp_path / "test", "ant", "bee", files=1)
    data = Folder(str(tmp_path), LOADER, [3], 2, validation=2)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [10, 2, 2]


def test_wrong_folder_is_an_error(tmp_path: Path) -> None:
    """The line names the folder, the file or the key."""
    good: dict[str, Any] = {"path": "", "loader": LOADER, "input_shape": [3], "classes": 2}
    fill(tmp_path / "good", "ant", "bee")
    fill(tmp_path / "empty", "ant", "bee")
    for path in (tmp_path / "empty" / "bee").iterdir():
        path.unlink()
    fill(tmp_path / "part" / "train", "ant", "bee")
    fill(tmp_path / "part" / "test", "ant")
    fill(tmp_path / "torn", "ant", "bee")
    for path in (tmp_path / "torn").rglob("*.txt"):
        path.write_text("no numbers")
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("none", {}, "^data: .*/none: No such file or directory"),
        ("good/ant/0.txt", {}, "^data: .*/0.txt: Not a directory"),
        ("good", {"classes": 3}, r"has 2 class folders \(ant, bee\), not classes: 3"),
        ("good/ant", {}, r"has 0 class folders \(none\), not classes: 2"),
        ("empty", {}, "^data: .*/empty/bee has no files"),
        (
            "part",
            {},
            "^data: .*/part/test/bee: No such file .* Give every part one folder per class",
        ),
        ("torn", {}, "^data: .*/torn/.*.txt cannot be loaded: ValueError: could not convert"),
        ("good", {"input_shape": [1, 3]}, r"as a sample of shape \[3\], not input_shape \[1, 3\]"),
        ("good", {"loader": "user_modules.lod_text"}, "^data.loader: .* the nearest is user_mod"),
        ("good", {"loader": "no_module.load"}, "^data.loader: .* there is no module 'no_module'"),
        ("good", {"held_out": 20}, "leave none of the 12 samples to train with"),
    ]
    for path, changes, message in wrong:
        with pytest.raises(ConfigError, match=message) as caught:
            Folder(**{**good, "path": str(tmp_path / path), **changes})
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_file_that_cannot_be_loaded_ends_the_run_with_one_line(
    make_run: MakeRun, start: Start, tmp_path: Path, workers: int
) -> None:
    """Loader workers change nothing about that."""
    fill(tmp_path / "data", "ant", "bee", files=20)
    data = {"_target_": "trainer.data.folder.Folder", "path": str(tmp_path / "data")}
    data |= {"loader": LOADER, "input_shape": [3], "classes": 2}
    run_dir = make_run(
        data=data, model__input_shape=[3], dataloader={"num_workers": workers}, iterations=1
    )
    whole = Folder(str(tmp_path / "data"), LOADER, [3], 2)
    path = whole.train.files[-1][0]
    content = path.read_text()
    path.write_text("torn")
    assert start(run_program, str(run_dir)) == 2
    said = (run_dir / "err.log").read_text()
    assert said.startswith(f"data: {path} cannot be loaded: ValueError: ")
    assert said.count("\n") == 1
    path.write_text(content)
    assert start(run_program, str(run_dir)) == 0
    assert results_of(run_dir)["iterations"] == 1
