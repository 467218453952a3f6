"""An allocation that exceeds all the memory there is fails in one line, and does not count as out of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from run_files import MakeRun, Train

from trainer import impossible_memory
from trainer.errors import ConfigError, is_out_of_memory
from trainer.impossible_memory import describe_excess, never_lends, total_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CUDA = (
    "CUDA out of memory. Tried to allocate {}. GPU 0 has a total capacity of 139.72 GiB of which 1.0 GiB"
    " is free. Process 1 has 138 GiB memory in use."
)
LARGE = 10**15  # beyond the addresses of a process, whatever the kernel lends


def test_memory_of_this_machine_is_known() -> None:
    """In bytes."""
    assert 2**28 < total_memory() < 2**50


def test_gpu_that_is_too_small_is_told_from_one_that_is_full() -> None:
    """By what CUDA's error says of both."""
    full, small = (torch.OutOfMemoryError(CUDA.format(size)) for size in ("20.00 GiB", "24.00 TiB"))
    assert is_out_of_memory(full)
    assert not is_out_of_memory(small)
    assert describe_excess(full) == ""
    assert describe_excess(small) == (
        "it needs 24.0 TiB of memory at once, and the GPU has 139.7 GiB in all"
    )


@pytest.mark.parametrize("ask", [torch.empty, lambda size: np.empty(size, np.float32)])
def test_allocation_beyond_the_memory_of_the_machine_is_told(ask: Any) -> None:
    """As the errors of both libraries say it on this machine."""
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        ask(LARGE)
    assert describe_excess(caught.value).startswith("it needs 3.")
    assert not is_out_of_memory(caught.value)


def test_memory_may_be_free_later() -> None:
    """So these may be retried."""
    less = total_memory() // 2
    for error in (
        MemoryError(),
        MemoryError("Unable to allocate 1.00 KiB for an array"),
        MemoryError("Unable to allocate ... GiB"),
        RuntimeError(
            f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {less:.0f} bytes."
        ),
    ):
        assert is_out_of_memory(error)


@pytest.mark.skipif(not never_lends(), reason="smaller requests may be refused here, too")
@pytest.mark.parametrize(
    "ask", [lambda: bytearray(LARGE), lambda: [0] * LARGE, lambda: "x" * 2**62]
)
def test_request_of_python_that_the_system_refused_exceeds_all_memory(
    ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Python does not say how much it was; where the system counts strictly, it may have been little."""
    with pytest.raises(MemoryError) as caught:
        ask()
    assert describe_excess(caught.value).startswith("it needs more memory at once than the ")
    assert not is_out_of_memory(caught.value)
    (tmp_path / "strictly").write_text("2\n")
    for path in ("strictly", "missing"):
        monkeypatch.setattr(impossible_memory, "OVERCOMMIT", str(tmp_path / path))
        assert is_out_of_memory(caught.value)


def test_error_that_code_raises_says_nothing_about_the_system() -> None:
    with pytest.raises(MemoryError) as caught:
        raise MemoryError
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        (
            {"model": {"_target_": "torch.nn.Linear", "in_features": 6, "out_features": LARGE}},
            "model",
        ),
        ({"model__hidden": LARGE}, "model"),
    ],
)
def test_model_that_is_too_large_is_one_line(
    make_run: MakeRun, train: Train, changes: dict[str, Any], where: str
) -> None:
    with pytest.raises(
        ConfigError, match=rf"^{where}: .* at once, and this machine has [\d.]+ \w+ in all\."
    ) as caught:
        train(make_run(**changes))
    assert "\n" not in str(caught.value)
