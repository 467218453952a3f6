"""The parts of a data set never overlap, and the same seed always makes the same ones."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.split import split
from trainer.errors import ConfigError

SHARE = st.floats(0.01, 0.4)


@given(st.integers(10, 500), SHARE, SHARE, st.none() | st.integers(0, 99))
def test_each_sample_is_in_one_part(
    count: int, validation: float, held_out: float, seed: int | None
) -> None:
    parts = split(count, validation, held_out, seed)
    assert sorted(torch.cat(parts).tolist()) == [*range(count)]
    assert all(len(part) for part in parts)
    again = split(count, validation, held_out, seed)
    assert all(map(torch.equal, parts, again))


def test_last_samples_are_for_the_test_without_a_seed() -> None:
    assert [part.tolist() for part in split(6, 1, 2, None)] == [[0, 1, 2], [3], [4, 5]]


def test_part_that_the_data_set_has_itself_takes_no_samples() -> None:
    train, validation, held_out = split(5, None, None, 0)
    assert (len(train), len(validation), len(held_out)) == (5, 0, 0)


@pytest.mark.parametrize(
    ("validation", "held_out", "message"),
    [
        (5, 5, "leave none of the 10 samples to train with"),
        (0, 1, r"data\.validation: 0 is neither a number of samples nor a share"),
        (1, -0.5, r"data\.held_out: -0\.5 is neither"),
        (1.5, 1, r"data\.validation: 1\.5 is neither"),
        (True, 1, r"data\.validation: True is neither"),
        ("half", 1, r"data\.validation: 'half' is neither"),
    ],
)
def test_impossible_split_is_one_line(validation: Any, held_out: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split(10, validation, held_out, 0)
