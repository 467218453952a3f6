"""Checkpoints are complete or absent, few, and safe to load."""

import errno
import os
import resource
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from run_files import MakeRun, Train, checkpoints_of
from saved_checkpoints import kept, saved
from torch import nn
from user_modules import Counter

from trainer.checkpoints.reading import read_model_state
from trainer.checkpoints.store import Checkpoints
from trainer.config_file import read_config
from trainer.errors import CheckpointError, ConfigError
from trainer.trainer import ModularTaskTrainer


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Let the kernel refuse to write more than this many bytes into a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


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

    def origin_of(tensor: torch.Tensor) -> str:
        return "cuda:0" if tensor is far else "cpu"

    monkeypatch.setattr("trainer.checkpoints.snapshot.origin_of", origin_of)
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    for iteration in (1, 2):
        sparse = torch.eye(2).to_sparse()
        state = {"near": torch.ones(3), "sparse": sparse, "far": [far], "other": torch.ones(3)}
        path = checkpoints.write(checkpoints.take(iteration, state, None))
        found = Checkpoints(tmp_path, 2, "fingerprint").newest()
        assert found is not None
        assert path == found[0]
        loaded = found[1].state
        assert found[1].is_far(loaded["far"][0])
        assert not any(found[1].is_far(loaded[key]) for key in ("near", "sparse", "other"))
        assert loaded["far"][0].tolist() == [2, 2, 2]


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
    with pytest.raises(CheckpointError, match=r"iteration 1 is missing.*Start the run again"):
        checkpoints.state_at(1)


def test_module_with_an_unsavable_state_is_named_before_the_first_step(make_run: MakeRun) -> None:
    """The user learns which module to change, and not only after an iteration."""
    run_dir = make_run(curriculum={"_target_": "user_modules.Unsavable"})
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    with pytest.raises(CheckpointError, match=r"\['curriculum'\]\['steps'\] is a numpy.float64"):
        trainer.train()
    assert isinstance(trainer.curriculum, Counter)
    assert trainer.curriculum.steps == 0


def test_directories_in_the_way_are_passed_over(tmp_path: Path) -> None:
    """A directory is not a checkpoint, and does not keep the next one from being written."""
    saved(tmp_path, [1, 2, 3])
    newest = max(tmp_path.glob("0*.pt"))
    newest.unlink()
    newest.mkdir()
    for name in ("new.pt.tmp", "best.pt.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "of somebody").touch()
    (tmp_path / "best.pt").unlink()
    (tmp_path / "best.pt").mkdir()
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    found = checkpoints.newest()
    assert found is not None
    assert found[0].name.startswith("000002-")
    for iteration in (3, 4, 5):
        state = {"weights": torch.full((3,), iteration)}
        checkpoints.write(checkpoints.take(iteration, state, iteration))
    assert (tmp_path / "best.pt").samefile(next(tmp_path.glob("000005-*.pt")))
    aside = sorted(path.name for path in tmp_path.glob("*.in-the-way-*"))
    names = [newest.name, "best.pt", "best.pt.tmp", "new.pt.tmp"]
    assert aside == [f"{name}.in-the-way-1" for name in names]
    assert len([*tmp_path.rglob("of somebody")]) == 2


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


@pytest.mark.parametrize("is_there", [True, False])
def test_link_in_place_of_the_folder_is_refused(tmp_path: Path, *, is_there: bool) -> None:
    """What it leads to may be another's: nothing there is written or removed."""
    other = tmp_path / "other"
    if is_there:
        (other / "precious.tmp").mkdir(parents=True)
        for name in ("precious.tmp/a", "new.pt.tmp", "000001-deadbeef.pt"):
            (other / name).write_text("precious")
    link = tmp_path / "checkpoints"
    link.symlink_to(other)
    before = sorted(other.rglob("*"))
    checkpoints = Checkpoints(link, 2, "fingerprint")
    with pytest.raises(ConfigError, match=r"checkpoints: it is a symbolic link.*results_dir"):
        checkpoints.newest()
    with pytest.raises(ConfigError, match="it is a symbolic link"):
        checkpoints.write(checkpoints.take(1, {}, None))
    assert sorted(other.rglob("*")) == before


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """In one line, with what to do."""
    (tmp_path / "checkpoints").touch()
    with pytest.raises(ConfigError, match=r"it is not a folder\. Move it away"):
        Checkpoints(tmp_path / "checkpoints", 2, "").newest()


def test_only_temporary_files_of_ours_are_swept(tmp_path: Path) -> None:
    """Neither folders, nor what is in them, nor files and links of somebody else."""
    saved(tmp_path, [1])
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "folder.tmp").mkdir()
    (tmp_path / "folder.tmp" / "a").touch()
    (tmp_path / "notes.tmp").touch()
    (tmp_path / "new.pt.tmp").write_text("torn")
    (tmp_path / "best.pt.tmp").symlink_to(precious)
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    checkpoints.newest()
    checkpoints.write(checkpoints.take(2, {}, 2))
    assert sorted(path.name for path in tmp_path.glob("*.tmp")) == ["folder.tmp", "notes.tmp"]
    assert (tmp_path / "folder.tmp" / "a").exists()
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK])
def test_best_is_a_copy_where_files_have_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """FAT, many network and FUSE file systems; a resume does not copy it again."""

    def refuse(*_names: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    saved(tmp_path, [1, 2, 2])
    best, (second,) = tmp_path / "best.pt", tmp_path.glob("000002-*.pt")
    assert best.read_bytes() == second.read_bytes()
    assert not best.samefile(second)
    assert not [*tmp_path.glob("*.tmp")]
    made = best.stat().st_ino
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    checkpoints.newest()
    assert best.stat().st_ino == made
    content = bytearray(best.read_bytes())
    content[len(content) // 2] ^= 1
    best.write_bytes(content)
    Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert best.read_bytes() == second.read_bytes()


def test_best_is_a_copy_where_the_kernel_refuses_links(make_run: MakeRun) -> None:
    """The whole training, with every call of `link` refused."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    run_dir = make_run(iterations=2)
    refusing = [strace, "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"]
    refusing += ["-e", "inject=link,linkat:error=EPERM"]
    command = [*refusing, sys.executable, "-m", "trainer", str(run_dir)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if "ptrace" in ended.stderr:
        pytest.skip("strace may not trace here")
    assert ended.returncode == 0, ended.stderr
    assert (run_dir / "checkpoints" / "best.pt").stat().st_nlink == 1


def test_several_at_once_leave_what_one_after_the_other_leaves(tmp_path: Path) -> None:
    """What would be removed at once is not written."""
    bests: list[int | None] = [1, 2, 2, 2, 5, 5]
    saved(tmp_path / "one by one", bests)
    folder = tmp_path / "at once"
    checkpoints = Checkpoints(folder, 2, "fingerprint")
    taken = [
        checkpoints.take(iteration, {"weights": torch.full((3,), iteration)}, best)
        for iteration, best in enumerate(bests, start=1)
    ]
    checkpoints.write(*taken[:1])
    checkpoints.write(*taken[1:])
    names = [sorted(path.name for path in each.iterdir()) for each in tmp_path.iterdir()]
    assert names[0] == names[1]
    assert (folder / "best.pt").samefile(next(folder.glob("000005-*")))


def test_weights_of_the_best_iteration_are_no_place_to_resume_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are there to be tested, and to be used."""
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    checkpoints.write(checkpoints.take(2, {"weights": torch.full((3,), 2)}, 2))
    best = checkpoints.take_best(3, {"modules": {"model": {"weight": torch.full((3,), 3)}}})
    state = {"weights": torch.full((3,), 4)}
    checkpoints.write(best)
    assert kept(tmp_path) == [2, 3]
    checkpoints.write(checkpoints.take(4, state, 3))
    assert checkpoints.state_at(3).state["modules"]["model"]["weight"].tolist() == [3, 3, 3]
    assert read_model_state(tmp_path / "best.pt")["weight"].tolist() == [3, 3, 3]
    max(tmp_path.glob("000004-*")).unlink()
    found = Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert found is not None
    assert found[0].name.startswith("000002-")
    assert capsys.readouterr().out == ""


def test_checkpoints_that_count_tensors_of_a_gpu_are_read(tmp_path: Path) -> None:
    """As an earlier version wrote them, with a list of these tensors, and memory for each."""
    shutil.copytree(Path(__file__).with_name("with_far_tensors"), tmp_path, dirs_exist_ok=True)
    found = Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert found is not None
    state = found[1].state
    assert state["twice"] is state["list"][1]
    assert state["twice"].tolist() == [0, 1, 2]
    near = [state["near"], state["list"][0], *state["model"].values()]
    assert found[1].is_far(state["twice"])
    assert not any(map(found[1].is_far, near))
    assert torch.equal(state["sparse"].to_dense(), torch.eye(2))
    assert state["model"]._metadata[""]["version"] == nn.BatchNorm1d._version


@pytest.mark.parametrize("is_far", [False, True])
def test_loaded_tensors_have_memory_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_far: bool
) -> None:
    """Though small ones share it in the file: a module may resize what it has loaded."""
    origin = "cuda:0" if is_far else "cpu"
    monkeypatch.setattr("trainer.checkpoints.snapshot.origin_of", lambda _: origin)
    tensors = [torch.full((3,), 1.0), torch.eye(3)[:2].t(), torch.tensor(2.0), torch.ones(1 << 18)]
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    checkpoints.write(checkpoints.take(1, {"tensors": tensors, "again": tensors[0]}, None))
    found = Checkpoints(tmp_path, 2, "fingerprint").newest()
    assert found is not None
    loaded = found[1].state["tensors"]
    assert len({each.untyped_storage().data_ptr() for each in loaded}) == len(tensors)
    assert [each.untyped_storage().nbytes() for each in loaded] == [each.nbytes for each in loaded]
    assert [found[1].is_far(each) for each in loaded] == [is_far] * len(tensors)
    assert found[1].state["again"] is loaded[0]
    for each, original in zip(loaded, tensors, strict=True):
        assert torch.equal(each, original)
        assert each.stride() == torch.empty_like(original).stride()
