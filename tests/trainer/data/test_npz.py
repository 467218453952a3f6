"""Arrays in a file become data sets, and what is wrong with them is said in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainer.data.npz import Npz
from trainer.errors import ConfigError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(20, 4, 3))
Y = np.arange(20) % 5
GOOD: dict[str, Any] = {"input_shape": [4, 3], "classes": 5}


def save(folder: Path, **arrays: Any) -> str:
    """Write a file and return its path."""
    np.savez(folder / "a.npz", **arrays)
    return str(folder / "a.npz")


def test_arrays_are_shuffled_and_split(tmp_path: Path) -> None:
    """Every pair is in one of the parts, the same one each time."""
    path = save(tmp_path, x=X, y=Y)
    data = Npz(path, **GOOD, validation=3, held_out=0.25)
    parts = [part.tensors for part in (data.train, data.validation, data.test)]
    assert [len(samples) for samples, _ in parts] == [12, 3, 5]
    samples = torch.cat([samples for samples, _ in parts])
    labels = torch.cat([labels for _, labels in parts])
    order = samples.flatten(1)[:, 0].argsort()
    expected = torch.from_numpy(X.astype(np.float32))
    theirs = expected.flatten(1)[:, 0].argsort()
    assert torch.equal(samples[order], expected[theirs])
    assert torch.equal(labels[order], torch.from_numpy(Y)[theirs])
    assert (samples.dtype, labels.dtype) == (torch.float32, torch.int64)
    again = Npz(path, **GOOD, validation=3, held_out=0.25)
    assert torch.equal(again.train.tensors[0], parts[0][0])
    ordered = Npz(path, **GOOD, split_seed=None)
    assert torch.equal(ordered.test.tensors[0], expected[-4:])


def test_parts_of_the_file_are_used_as_they_are(tmp_path: Path) -> None:
    """What there is stays whole, and what is missing comes from the training samples."""
    path = save(tmp_path, x_train=X, y_train=Y, x_test=X[:7], y_test=Y[:7])
    data = Npz(path, **GOOD, validation=2)
    assert torch.equal(data.test.tensors[1], torch.from_numpy(Y[:7]))
    assert [len(data.train), len(data.validation)] == [18, 2]


def test_samples_are_scaled_and_shaped(tmp_path: Path) -> None:
    """Bytes become numbers below 1, and a missing channel is put in."""
    path = save(tmp_path, image=np.full((9, 2, 2), 51, np.uint8), label=Y[:9].astype(np.uint8))
    data = Npz(path, [1, 2, 2], 5, samples="image", targets="label", scale=255)
    image, label = data.train[0]
    assert torch.equal(image, torch.full((1, 2, 2), 0.2))
    assert label.dtype == torch.int64


@pytest.mark.parametrize(("shape", "classes"), [((20,), 1), ((20, 3), 3)])
def test_targets_with_a_point_stay_numbers(
    tmp_path: Path, shape: tuple[int, ...], classes: int
) -> None:
    """Regression has as many outputs as a target has values."""
    data = Npz(save(tmp_path, x=X, y=RANDOM.normal(size=shape)), [4, 3], classes)
    sample, target = data.train[0]
    assert (sample.shape, target.shape, target.dtype) == ((4, 3), (classes,), torch.float32)


@pytest.mark.parametrize(
    ("arrays", "changes", "message"),
    [
        ({"a": X}, {}, "does not have an array 'x', only a. Set data.samples"),
        ({"x": X}, {}, "does not have an array 'y', only x"),
        ({"x_train": X, "y": Y}, {}, "does not have an array 'y_train'"),
        ({"x": X, "y": Y[:-1]}, {}, r"x \[20, 4, 3\] and y \[19\] are not one target per"),
        ({"x": X[:0], "y": Y[:0]}, {}, "are not one target per sample"),
        (
            {"x": X, "y": Y},
            {"input_shape": [3, 4]},
            r"has the shape \[4, 3\], not input_sh",
        ),
        ({"x": X, "y": Y}, {"classes": 4}, "y has values from 0 to 4, not classes from 0 to 3"),
        ({"x": X, "y": Y - 1}, {}, "y has values from -1 to 3"),
        ({"x": X, "y": Y[:, None]}, {}, r"y \[20, 1\] is not one class per sample"),
        ({"x": X, "y": X}, {}, r"a target of y has the shape \[4, 3\], not \[5\]"),
        ({"x": np.where(X[3, 0, 0] == X, np.nan, X), "y": Y}, {}, "x is not finite in row 3"),
        ({"x": X, "y": np.array(["a"] * 20)}, {}, "the type of y is <U1, not a number"),
        (
            {"x": X.astype(object), "y": Y},
            {},
            "is not a .npz file of numbers: Object arrays cannot",
        ),
        (
            {"x": X, "y": Y},
            {"validation": 0},
            r"^data.validation: 0 is neither a number of samples",
        ),
        (
            {"x": X, "y": Y},
            {"held_out": 1.5},
            r"^data.held_out: 1.5 is neither a number of samples",
        ),
        ({"x": X, "y": Y}, {"held_out": 19}, "leave none of the 20 samples to train with"),
    ],
)
def test_file_that_does_not_fit_is_an_error(
    tmp_path: Path, arrays: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    """The line names the file or the key, and what is wrong with it."""
    path = save(tmp_path, **arrays)
    with pytest.raises(ConfigError, match=message) as caught:
        Npz(path, **{**GOOD, **changes})
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("data")


@pytest.mark.parametrize("content", [None, b"", b"text", b"PK\x03\x04", "array", "folder"])
def test_what_is_no_such_file_is_an_error(tmp_path: Path, content: Any) -> None:
    """Missing, empty, torn and foreign files give one line."""
    path = tmp_path / "a.npz"
    if content == "array":
        with path.open("wb") as file:
            np.save(file, X)
    elif content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^data: .*a\.npz") as caught:
        Npz(str(path), **GOOD)
    assert "\n" not in str(caught.value)
