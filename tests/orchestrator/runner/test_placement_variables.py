"""A runner knows the place of its attempt from its environment."""

from __future__ import annotations

import pytest

from orchestrator.runner.placement_variables import own_gpu, own_slot


@pytest.mark.parametrize(("told", "slot"), [("", None), ("3", 3), ("three", None), ("-1", None)])
def test_slot_is_a_number(monkeypatch: pytest.MonkeyPatch, told: str, slot: int | None) -> None:
    monkeypatch.setenv("ORCH_SLOT", told)
    assert own_slot() == slot


@pytest.mark.parametrize(("told", "gpu"), [("GPU-1a", "GPU-1a"), ("MIG-1a", "MIG-1a"), ("0", None)])
def test_gpu_that_the_user_has_chosen_is_not_that_of_a_slot(
    monkeypatch: pytest.MonkeyPatch, told: str, gpu: str | None
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
    assert own_gpu() == gpu
