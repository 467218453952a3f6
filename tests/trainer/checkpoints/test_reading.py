"""Only a whole checkpoint with its own name is read; anything else is passed over."""

import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from saved_checkpoints import kept, saved

from trainer.checkpoints.reading import read_any_file, read_model_state
from trainer.checkpoints.store import Checkpoints


def test_content_that_would_run_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint with a right checksum and a foreign object in it is not loaded."""
    path = tmp_path / "new.pt"
    torch.save({"state": Path("somewhere")}, path)
    path.rename(tmp_path / f"000001-{zlib.crc32(path.read_bytes()):08x}.pt")
    assert Checkpoints(tmp_path, 2, "").newest() is None
    assert "cannot be used" in capsys.readouterr().out


def test_checkpoint_under_another_number_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its content says which iteration it is."""
    saved(tmp_path, [1, 2])
    newest = max(tmp_path.glob("0*.pt"))
    newest.rename(newest.with_name(newest.name.replace("000002", "000009")))
    found = Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert found is not None
    assert found[0].name.startswith("000001-")
    assert "is of another iteration" in capsys.readouterr().out


def test_parameters_of_a_file_that_share_memory_are_separated(tmp_path: Path) -> None:
    """As those of an optimizer that keeps all in one flat tensor."""
    flat = torch.arange(90_000.0)
    parts = {name: torch.nn.Parameter(part) for name, part in zip("ab", flat.chunk(2), strict=True)}
    torch.save(parts, tmp_path / "weights.pt")
    read = read_any_file(tmp_path / "weights.pt")
    assert read["a"].untyped_storage().nbytes() == read["a"].nbytes
    assert torch.equal(read["b"], parts["b"])


def named(path: Path, iteration: int) -> Path:
    """Give a file the name of the checkpoint that it would be."""
    return path.rename(path.with_name(f"{iteration:06d}-{zlib.crc32(path.read_bytes()):08x}.pt"))


def a_tensor(path: Path) -> None:
    torch.save(torch.ones(3), path)


def other_keys(path: Path) -> None:
    torch.save({"fingerprint": "fingerprint", "best_of": "text"}, path)


def a_text(path: Path) -> None:
    path.write_text("text")


def no_bytes(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("make", [a_tensor, other_keys, a_text, no_bytes])
def test_something_else_under_a_right_name_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], None]
) -> None:
    """The one before is used, and the training goes on over it."""
    saved(tmp_path, [1, 1])
    make(tmp_path / "new.pt")
    strange = named(tmp_path / "new.pt", 3)
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    found = checkpoints.newest()
    assert found is not None
    assert found[0].name.startswith("000002-")
    assert f"{strange.name} cannot be used: " in capsys.readouterr().out
    checkpoints.write(checkpoints.take(3, {"weights": torch.ones(3)}, 1))
    assert kept(tmp_path) == [1, 2, 3]
    assert not strange.exists()


def pipe(path: Path, _whole: Path) -> None:
    os.mkfifo(path)


def link(path: Path, whole: Path) -> None:
    path.symlink_to(whole)


def holes(path: Path, _whole: Path) -> None:
    with path.open("wb") as file:
        file.truncate(200 << 30)


@pytest.mark.parametrize("make", [pipe, link, holes])
def test_what_could_be_waited_for_or_leads_elsewhere_is_passed_over(
    tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    """At once: 200 GB of holes are not read."""
    saved(tmp_path, [1, 1])
    whole = max(tmp_path.glob("0*.pt"))
    make(tmp_path / "000003-00000000.pt", whole)
    found = Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert found is not None
    assert found[0] == whole


def test_checkpoints_of_before_are_read(tmp_path: Path) -> None:
    """Those in which tensors lie side by side in archives of our own."""
    shutil.copytree(Path(__file__).with_name("of_before"), tmp_path, dirs_exist_ok=True)
    found = Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert found is not None
    state = found[1].state
    assert found[0].name.startswith("000002-")
    assert [state["a"].tolist(), state["b"].tolist()] == [[0, 1, 2], [3, 4, 5]]
    assert torch.equal(state["turned"], torch.arange(6).reshape(2, 3).t())
    assert torch.equal(state["sparse"].to_dense(), torch.eye(2))
    assert state["nothing"] == b""
    assert {*read_model_state(tmp_path / "best.pt")} == {"weight", "bias"}
