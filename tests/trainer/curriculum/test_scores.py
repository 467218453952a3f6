"""Scores come from a file, at random, or from a model that was trained before."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from trainer.curriculum.scores import FileScores, RandomScores
from trainer.errors import TrainerError


def training(count: int = 4, seed: int = 1) -> Any:
    """Make what scores ask a trainer for."""
    data = SimpleNamespace(train=range(count))
    return SimpleNamespace(data=data, settings=SimpleNamespace(seed=seed))


def test_file_holds_a_number_for_each_sample(tmp_path: Path) -> None:
    """As an array, or as lines."""
    np.save(tmp_path / "a.npy", np.array([3, 1, 2, 0]))
    (tmp_path / "a.txt").write_text("3\n1e0\n\n2\n0.0\n")
    for name in ("a.npy", "a.txt"):
        scores = FileScores(str(tmp_path / name)).score(training())
        assert scores.tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.npy", None, "none.npy: No such file or directory. Correct path"),
        ("a.txt", b"1\n2\n3\n", r"a.txt has scores \[3\] for 4 training samples"),
        ("a.txt", b"1\n2\n3\n4\n5\n", r"a.txt has scores \[5\] for 4 training samples"),
        ("a.txt", b"", r"a.txt has scores \[0\] for 4"),
        ("a.txt", b"1\nnan\n3\n4\n", "a.txt has nan for training sample 1"),
        ("a.txt", b"1\n2\n3\ninf\n", "a.txt has inf for training sample 3"),
        ("a.txt", b"1\n2\n3\nhard\n", "a.txt: could not convert string to float: 'hard'"),
        ("a.txt", b"\xff\xfe", "a.txt: 'utf-8' codec can't decode"),
        ("a.npy", b"", "a.npy: No data left in file"),
        ("a.npy", b"\x93NUMPY", "a.npy: "),
        ("a.npy", np.zeros((4, 1)), r"a.npy has scores \[4, 1\] for 4"),
        ("a.npy", np.array(list("abcd")), "a.npy: its type is <U1, not a number"),
    ],
)
def test_file_without_a_score_for_each_sample_is_an_error(
    tmp_path: Path, name: str, content: Any, message: str
) -> None:
    """The line names the file and what is wrong in it."""
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(TrainerError, match=rf"^curriculum.scores: .*{message}") as caught:
        FileScores(str(path)).score(training())
    assert "\n" not in str(caught.value)


def test_random_scores_are_a_function_of_the_seed() -> None:
    """They take nothing from the training's generators."""
    before = torch.get_rng_state()
    first, again, other = (RandomScores().score(training(9, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
