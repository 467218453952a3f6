"""Equal digests mean equal bits of samples, in any process."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from trainer.loading.contents import MOST_BYTES, digest_of_samples, digest_of_tensors


@dataclass
class Sample:
    """A sample of the user's own type."""

    image: torch.Tensor
    label: int = 0


def samples(value: float = 1.0) -> list[Any]:
    """Return samples of several types that contain one value."""
    tensor = torch.full((2, 2), value)
    return [
        tensor,
        tensor.to_sparse(),
        tensor.t() + torch.tensor([0.0, 1.0]),
        np.full(3, value),
        {"a": [value, "text"], 3: (None, b"bytes")},
        Sample(tensor),
        np.array([Sample(tensor), "text"], dtype=object),
    ]


@pytest.mark.parametrize("at", range(len(samples())))
def test_equal_samples_have_equal_digests_and_others_do_not(at: int) -> None:
    one, same, other = samples()[at], samples()[at], samples(1.0000001)[at]
    assert digest_of_samples(one) == digest_of_samples(same)
    assert digest_of_samples(one) != digest_of_samples(other)


def test_type_and_shape_count() -> None:
    variants = [
        torch.zeros(4), torch.zeros(2, 2), torch.zeros(4, dtype=torch.int32), np.zeros(4), [0.0] * 4,
        0, 0.0, False, None, "0",
    ]  # fmt: skip
    assert len({digest_of_samples(each) for each in variants}) == len(variants)


def test_memory_layout_does_not_count() -> None:
    tensor = torch.arange(6.0).reshape(2, 3)
    assert digest_of_samples(tensor) == digest_of_samples(tensor.t().contiguous().t())


def test_digest_is_the_same_in_another_process() -> None:
    """It does not depend on addresses or hash seeds."""
    sample = {"a": 1.5, "b": ["text", (2, None)]}
    script = f"from trainer.loading.contents import *; print(digest_of_samples({sample!r}))"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert said.stdout.strip() == digest_of_samples(sample)


def test_samples_that_refer_to_themselves_have_a_digest() -> None:
    sample: list[Any] = [1]
    sample.append(sample)
    assert digest_of_samples(sample)


def test_some_rows_of_a_large_tensor_suffice() -> None:
    """Of more rows than single precision can count."""
    large = torch.zeros(MOST_BYTES // 2, 1)
    before = digest_of_tensors([large])
    large[0] = 1
    assert digest_of_tensors([large]) != before
