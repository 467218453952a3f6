"""What a training runs on is chosen by the configuration, and written down."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from trainer.compute_environment import (
    choose_autocast,
    choose_device,
    compare,
    describe_cpu,
    describe_environment,
)
from trainer.errors import ConfigError

CPU = torch.device("cpu")


def test_device_is_a_gpu_only_where_there_is_one() -> None:
    """`auto` takes what there is; the CPU is always available."""
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected
    assert choose_device("cpu") == CPU


def test_gpu_that_is_not_there_is_an_error() -> None:
    """The message says how many there are."""
    with pytest.raises(ConfigError, match=r"^device: .*there .*Set device: auto, or cpu"):
        choose_device("cuda:99")


def test_precision_is_that_of_the_computations_inside() -> None:
    """It may be entered repeatedly, and one way costs nothing."""
    assert isinstance(choose_autocast(CPU, "float32"), nullcontext)
    autocast = choose_autocast(CPU, "bfloat16")
    for _ in range(2):
        with autocast:
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_description_names_what_may_change_the_bits() -> None:
    """Versions, device, processor, threads and flags."""
    described = describe_environment(CPU)
    assert described["torch"] == torch.__version__
    assert described["threads"] == torch.get_num_threads()
    assert {"python", "numpy", "device", "cpu", "matmul_precision", "deterministic_algorithms"} < {
        *described
    }


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, ""),
        ({"a": 1, "b": 2}, {"a": 3, "b": 2}, "a was 1, is 3"),
        ({"a": "44 samples, 1f"}, {"a": "44 samples"}, ""),
        ({"a": "44 samples, "}, {"a": "44 samples, 1f"}, ""),
        ({"a": "44 samples"}, {"a": "30 samples, 1f"}, "a was 44 samples, is 30 samples, 1f"),
        ({"a": 1}, {"cuda": "12"}, "a was 1, is None, cuda was None, is 12"),
    ],
)
def test_comparison_says_all_that_changed(
    before: dict[str, object], now: dict[str, object], said: str
) -> None:
    """Also what only one of both has."""
    assert compare(before, now) == said


@pytest.mark.parametrize(
    ("cpuinfo", "maker"),
    [
        ("processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\n", ", AuthenticAMD"),
        ("processor\t: 0\nBogoMIPS\t: 243.75\n", ""),
        (None, ""),
    ],
)
def test_maker_of_the_processor_is_named(tmp_path: Path, cpuinfo: str | None, maker: str) -> None:
    """Its square roots differ in their last bits. Where it was not told before, nothing has changed."""
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    found = describe_cpu(tmp_path / "cpuinfo")
    before = found.removesuffix(maker)
    assert found == before + maker
    assert len(before.split()) > 1
    assert not compare({"cpu": before}, {"cpu": found})
    assert bool(compare({"cpu": f"{before}, GenuineIntel"}, {"cpu": found})) is bool(maker)


def test_environment_of_an_earlier_version_has_not_changed() -> None:
    """It called PyTorch's switch for deterministic algorithms like the key of the config."""
    assert compare({"deterministic": False}, {"deterministic_algorithms": False}) == ""
    assert "was False, is True" in compare(
        {"deterministic": False}, {"deterministic_algorithms": True}
    )
