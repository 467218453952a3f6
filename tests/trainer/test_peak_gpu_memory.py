"""What PyTorch's allocator has reserved is told, and only where a GPU is used."""

import pytest
import torch

from trainer.peak_gpu_memory import most_reserved


def test_process_without_a_gpu_tells_nothing() -> None:
    assert most_reserved() is None


def test_all_gpus_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA is stood in for; `make gpu` compares with NVML."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 100 + device)
    assert most_reserved() == 201
