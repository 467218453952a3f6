"""A data set that cannot be trained on is refused in one line."""

from typing import Any

import pytest
import torch
from torch.utils.data import ConcatDataset, IterableDataset, TensorDataset

from trainer.errors import ConfigError
from trainer.loading.data_set_checks import check_samples


class Stream(IterableDataset):  # type: ignore[type-arg]
    """A data set without indices."""

    def __iter__(self) -> Any:
        """Yield nothing."""
        return iter(())


class Buggy:
    """A data set of the user's with a bug in its length."""

    def __getitem__(self, index: int) -> int:
        """Return the index."""
        return index

    def __len__(self) -> int:
        """Fail, as code with a misspelt name does."""
        return len(self.missing)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "samples", [TensorDataset(torch.ones(2), torch.ones(2)), [1, 2], (1, 2), Stream()]
)
def test_map_style_data_set_or_stream_passes(samples: Any) -> None:
    check_samples(samples, "train")


@pytest.mark.parametrize("samples", [{"a": 1}, "text", list, 3, iter([1])])
def test_anything_else_is_refused(samples: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^data: train is a \w+, which is not a map-style data set"
    ):
        check_samples(samples, "train")


def test_tensors_without_targets_are_refused() -> None:
    with pytest.raises(ConfigError, match="a sample of train has one part"):
        check_samples(TensorDataset(torch.ones(2)), "train")


def test_bug_of_the_users_keeps_its_traceback() -> None:
    with pytest.raises(AttributeError):
        check_samples(Buggy(), "train")  # type: ignore[arg-type]


def test_parts_of_a_data_set_pass() -> None:
    check_samples(ConcatDataset([TensorDataset(torch.ones(2), torch.ones(2))]), "train")
