"""Checkpoints are complete or absent, few, and safe to load."""

import resource
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from run_files import MakeRun, Train, checkpoints_of

from trainer.checkpoints.store import Checkpoints
from trainer.errors import CheckpointError


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Let the kernel refuse to write more than so many bytes into a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def saved(folder: Path, bests: list[int | None], keep_last: int = 2) -> Checkpoints:
    """Save a checkpoint for each iteration, given the best one at that time."""
    checkpoints = Checkpoints(folder, keep_last, "fingerprint")
    for iteration, best in enumerate(bests, start=1):
        checkpoints.write(
            checkpoints.take(iteration, {"weights": torch.full((3,), iteration)}, best)
        )
    return checkpoints


def kept(folder: Path) -> list[int]:
    """List the iterations that are kept."""
    return sorted(int(path.name[:6]) for path in folder.glob("0*.pt"))


def test_name_holds_iteration_and_checksum(tmp_path: Path) -> None:
    """Anyone can verify a checkpoint without opening it."""
    saved(tmp_path, [1])
    (path,) = tmp_path.glob("0*.pt")
    assert path.name == f"000001-{zlib.crc32(path.read_bytes()):08x}.pt"


@pytest.mark.parametrize(
    ("bests", "left"),
    [
        ([1, 2, 3, 4], [3, 4]),
        ([1, 1, 1, 1], [1, 3, 4]),
        ([1, 2, 2, 4], [2, 3, 4]),
        ([None, None, None, None], [3, 4]),
    ],
)
def test_last_two_and_what_they_call_the_best_are_kept(
    tmp_path: Path, bests: list[int | None], left: list[int]
) -> None:
    """The disk does not fill, and falling back to the one before stays possible."""
    saved(tmp_path, bests)
    assert kept(tmp_path) == left


def test_best_is_another_name_of_the_best_checkpoint(make_run: MakeRun, train: Train) -> None:
    """`best.pt` costs no space and survives the removal of older checkpoints."""
    run_dir = make_run(checkpoint={"metric": "train/loss", "mode": "max"})
    train(run_dir)
    best = run_dir / "checkpoints" / "best.pt"
    assert best.samefile(checkpoints_of(run_dir)[0])
    assert checkpoints_of(run_dir)[0].name.startswith("000001")
    assert torch.load(best, weights_only=True)["iteration"] == 1


@pytest.mark.parametrize("is_damaged", [True, False])
def test_overtaken_checkpoint_is_removed_by_the_next_resume(
    tmp_path: Path, *, is_damaged: bool
) -> None:
    """A kill may leave two of one iteration: the one that was damaged, and the one made instead."""
    checkpoints = saved(tmp_path, [1, 1, 3])
    (old,) = tmp_path.glob("000003-*.pt")
    content = old.read_bytes()
    checkpoints.write(checkpoints.take(3, {"weights": torch.full((3,), 7)}, 3))
    old.write_bytes(content[:-1] if is_damaged else content)
    found = Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert found is not None
    assert [*tmp_path.glob("000003-*.pt")] == [found[0]]
    assert (tmp_path / "best.pt").samefile(found[0])


def test_of_two_checkpoints_of_the_best_iteration_the_whole_one_is_used(tmp_path: Path) -> None:
    """Whatever the order in which the folder lists them."""
    for name in ("00000000", "ffffffff"):
        folder = tmp_path / name
        folder.mkdir()
        checkpoints = saved(folder, [1, 1, 1])
        (folder / f"000001-{name}.pt").write_bytes(b"damaged")
        found = Checkpoints(folder, 2, "fingerprint").newest()
        assert found is not None
        assert found[0].name.startswith("000003")
        assert checkpoints.state_at(1).state["weights"].tolist() == [1, 1, 1]


def test_no_bytes_at_all_are_kept_too(tmp_path: Path) -> None:
    """PyTorch writes them, but does not read them unasked."""
    state = {"nothing": b"", "something": b"1"}
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    checkpoints.write(checkpoints.take(1, state, None))
    found = Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert found is not None
    assert found[1].state == state


def test_what_was_on_a_gpu_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a state is read to the CPU; PyTorch, which reads it too, would bring it to the GPU."""
    far = torch.full((3,), 2.0)
    monkeypatch.setattr(
        "trainer.checkpoints.snapshot.origin_of", lambda tensor: "mps:0" if tensor is far else "cpu"
    )
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    for iteration in (1, 2):  # from the second on tensors lie side by side
        state = {"far": far, "near": torch.ones(3), "sparse": torch.eye(2).to_sparse()}
        path = checkpoints.write(checkpoints.take(iteration, state, None))
        found = Checkpoints(tmp_path, 2, "fingerprint").newest()
        assert found is not None
        saved = found[1]
        assert {key for key, tensor in saved.state.items() if saved.is_far(tensor)} == {"far"}
        assert saved.state["far"].tolist() == [2, 2, 2]
        assert path == found[0]
    origins = []
    torch.load(path, lambda storage, origin: (storage, origins.append(origin))[0])  # type: ignore[func-returns-value]
    assert {*origins} == {"cpu", "mps:0"}


def test_newest_is_restored_with_its_place(tmp_path: Path) -> None:
    """A new process sees what the last one saved."""
    saved(tmp_path, [1, 1, 3])
    found = Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert found is not None
    assert found[0].name.startswith("000003")
    assert found[1].state["weights"].tolist() == [3, 3, 3]


def test_nothing_is_found_where_nothing_was_saved(tmp_path: Path) -> None:
    """A new run starts from the beginning, without a word."""
    assert Checkpoints(tmp_path / "checkpoints", 2, "").newest() is None


def test_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    """When the disk refuses, the error flies, and no temporary file stays."""
    checkpoints = saved(tmp_path, [1])
    before = sorted(tmp_path.iterdir())
    with file_size_limit(1000), pytest.raises(OSError, match=r"File too large"):
        checkpoints.write(checkpoints.take(2, {"weights": torch.zeros(10_000)}, best=2))
    assert sorted(tmp_path.iterdir()) == before
    checkpoints.write(checkpoints.take(2, {"weights": torch.zeros(10_000)}, best=2))
    assert kept(tmp_path) == [1, 2]


def test_lost_best_checkpoint_is_an_error_that_says_what_next(tmp_path: Path) -> None:
    """Weights are never tested in place of others."""
    checkpoints = saved(tmp_path, [1])
    next(tmp_path.glob("000001-*")).unlink()
    with pytest.raises(CheckpointError, match=r"iteration 1 is gone.*Start the run again"):
        checkpoints.state_at(1)


def test_content_that_would_run_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint with a right checksum and a foreign object in it is not loaded."""
    path = tmp_path / "new.pt"
    torch.save({"state": Path("somewhere")}, path)
    path.rename(tmp_path / f"000001-{zlib.crc32(path.read_bytes()):08x}.pt")
    assert Checkpoints(tmp_path, 2, "").newest() is None
    assert "cannot be used" in capsys.readouterr().out


def test_module_with_an_unsavable_state_is_named(make_run: MakeRun, train: Train) -> None:
    """The user learns which module to change."""
    run_dir = make_run(curriculum={"_target_": "user_modules.Unsavable"})
    with pytest.raises(CheckpointError, match=r"\['curriculum'\]\['steps'\] is a numpy.float64"):
        train(run_dir)


def test_directories_in_the_way_are_passed_over(tmp_path: Path) -> None:
    """A directory is no checkpoint, and none keeps the next one from being written."""
    saved(tmp_path, [1, 2, 3])
    newest = max(tmp_path.glob("0*.pt"))
    newest.unlink()
    newest.mkdir()
    (tmp_path / "new.pt.tmp").mkdir()
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    found = checkpoints.newest()
    assert found is not None
    assert found[0].name.startswith("000002-")
    for iteration in (3, 4, 5):
        state = {"weights": torch.full((3,), iteration)}
        checkpoints.write(checkpoints.take(iteration, state, iteration))
    assert newest.is_dir()


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
    assert "holds another iteration" in capsys.readouterr().out


@pytest.mark.parametrize("is_stale", [True, False])
def test_best_is_linked_again(tmp_path: Path, *, is_stale: bool) -> None:
    """Whether its link is gone or means another file, and whichever iteration it is."""
    saved(tmp_path, [1, 2, 2])
    best = tmp_path / "best.pt"
    best.unlink()
    if is_stale:
        best.write_bytes(b"of before")
    Checkpoints(tmp_path, 2, "fingerprint").newest()
    (second,) = tmp_path.glob("000002-*.pt")
    assert best.samefile(second)
