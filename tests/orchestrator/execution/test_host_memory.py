"""Whether the machine, or the container, is short of memory."""

from pathlib import Path

import pytest

from orchestrator.execution.host_memory import is_scarce

NOWHERE = Path("/nowhere")


@pytest.mark.parametrize(("available", "scarce"), [(9, True), (11, False)])
def test_machine_is_short_below_a_tenth(available: int, scarce: bool, tmp_path: Path) -> None:  # noqa: FBT001 # a case
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:  {available} kB\n")
    assert is_scarce(meminfo, NOWHERE) is scarce


@pytest.mark.parametrize(
    ("limit", "used", "cache", "scarce"),
    [("1000", 950, 0, True), ("1000", 950, 500, False), ("max", 950, 0, False), ("x", 1, 0, False)],
)
def test_limit_of_a_container_counts_without_its_cache(
    limit: str,
    used: int,
    cache: int,
    scarce: bool,  # noqa: FBT001 # a case
    tmp_path: Path,
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {cache}\n")
    assert is_scarce(NOWHERE, tmp_path) is scarce


def test_what_cannot_be_read_is_not_scarce(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:\nMemAvailable: x kB\n")
    assert not is_scarce(tmp_path / "meminfo", NOWHERE)
    assert not is_scarce(NOWHERE, NOWHERE)
