"""Which GPUs runs may use, and when one of them is full; NVML itself is stood in for."""

import sys
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.slots import Gpu
from orchestrator.execution.visible_gpus import GpuGate, Nvml, Use, choose, obstacle, refuse_missing
from orchestrator.runner.nvml_library import nvml_library

GIB = 1 << 30
FOUND = [Gpu(0, "GPU-aaaa", "H200", 100 * GIB), Gpu(1, "GPU-bbbb", "A100", 40 * GIB)]


@pytest.mark.parametrize(
    ("wanted", "visible", "numbers"),
    [
        (None, None, [0, 1]),
        ("all", None, [0, 1]),
        ("none", None, []),
        ("", None, []),
        ("1", None, [1]),
        ("1,0", None, [1, 0]),
        ("GPU-b", None, [1]),
        (None, "1", [1]),
        ("all", "GPU-aaaa", [0]),
        (None, "", []),
    ],
)
def test_gpus_are_chosen_by_number_or_uuid(
    wanted: str | None, visible: str | None, numbers: list[int]
) -> None:
    """What the environment allows bounds what is taken without a wish."""
    assert [gpu.number for gpu in choose(FOUND, wanted, visible)] == numbers


@pytest.mark.parametrize("wanted", ["2", "0,7", "GPU-c", "x", "0,,1"])
def test_gpu_that_is_not_there_is_one_line(wanted: str) -> None:
    """It names those that are."""
    with pytest.raises(UsageError, match=r"This machine has 0 \(H200\), 1 \(A100\)"):
        choose(FOUND, wanted, None)


def test_gpu_that_may_have_been_lost_is_not_missing() -> None:
    """The driver does not report it, and runs may be on it."""
    refuse_missing(FOUND, "--without-gpu", [1, 7], lambda number: number == 7)
    with pytest.raises(
        UsageError, match=r"--with-gpu 8: there is no such GPU. This machine has 0 "
    ):
        refuse_missing(FOUND, "--with-gpu", [1, 8], lambda number: number == 7)
    with pytest.raises(UsageError, match=r"This machine has none\."):
        refuse_missing([], "--with-gpu", [0], lambda _: False)


def test_all_gpus_of_a_machine_without_one_is_an_error() -> None:
    """A user who asks for GPUs does not want to train on the CPU all night."""
    with pytest.raises(UsageError, match="no GPU was found"):
        choose([], "all", None)
    assert choose([], None, None) == ()


def test_only_what_others_use_is_an_obstacle() -> None:
    """Our own runs may fill a GPU as they like."""
    full = Use(free=5 * GIB, processes=frozenset({10, 20}))
    on_it = partial(obstacle, FOUND[0], is_taken=True)
    assert on_it(full, ours={10, 20}, needed=None) == ""
    assert on_it(None, ours=(), needed=None) == ""
    said = on_it(full, ours={10}, needed=None)
    assert said == (
        "GPU 0: 5.0 of 100.0 GiB are free, other programs use the rest; a run needs 10.0 GiB"
    )
    assert on_it(full, ours=(), needed=4 * GIB) == ""
    assert "a run needs 6.0" in on_it(full, ours=(), needed=6 * GIB)


def test_what_is_used_where_we_have_no_run_is_used_by_others() -> None:
    """From inside a container their processes are not seen."""
    full = Use(free=5 * GIB, processes=frozenset())
    assert obstacle(FOUND[0], full, (), None, is_taken=True) == ""
    assert "other programs" in obstacle(FOUND[0], full, (), None, is_taken=False)


class Cards:
    """A stand-in for the driver, which counts how often it is asked."""

    looks = 0

    def found(self) -> tuple[Gpu, ...]:
        return tuple(FOUND)

    def use(self, gpu: Gpu) -> Use | None:
        self.looks += 1
        return Use(0 if gpu.number else 90 * GIB, frozenset({1}))

    def memory_by_process(self, uuid: str | None) -> dict[int, int] | None:
        raise AssertionError(uuid)


def test_gate_looks_at_each_gpu_and_not_too_often() -> None:
    """Slots that share one get the same answer."""
    cards = Cards()
    gate = GpuGate(cards, None)
    said = [gate.obstacle(gpu, is_taken=False) for gpu in (*FOUND, *FOUND)]
    assert [bool(each) for each in said] == [False, True, False, True]
    assert cards.looks == 2


def test_server_that_computes_for_the_runs_is_no_other_program() -> None:
    """The runs of this process may fill a GPU together."""
    full = Use(0, frozenset({1}))
    card = SimpleNamespace(use=lambda _: full)
    assert GpuGate(card, None).obstacle(FOUND[0], is_taken=True)
    assert not GpuGate(card, None, lambda: {1}).obstacle(FOUND[0], is_taken=True)


class FakeNvmlError(Exception):
    """The library's own error."""


class FakeNotSupportedError(FakeNvmlError):
    """What it says of a card that cannot answer."""


def fake_nvml(*, works: bool = True) -> Any:
    def init() -> None:
        if not works:
            raise FakeNvmlError

    memory = SimpleNamespace(total=100 * GIB, free=7 * GIB)
    return SimpleNamespace(
        NVMLError=FakeNvmlError,
        NVMLError_NotSupported=FakeNotSupportedError,
        nvmlInit=init,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda number: f"card {number}",
        nvmlDeviceGetHandleByUUID=lambda uuid: f"card {uuid}",
        nvmlDeviceGetMemoryInfo=lambda _: memory,
        nvmlDeviceGetUUID=lambda _: "GPU-aaaa",
        nvmlDeviceGetName=lambda _: "H200",
        nvmlDeviceGetComputeRunningProcesses=lambda _: [SimpleNamespace(pid=7)],
        nvmlDeviceGetMPSComputeRunningProcesses=lambda _: [SimpleNamespace(pid=8)],
    )


@pytest.fixture(autouse=True)
def _library_anew() -> Iterator[None]:
    nvml_library.cache_clear()
    yield
    nvml_library.cache_clear()  # what other tests fork must not know it


def test_nvml_tells_the_cards_and_their_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of this project."""
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    assert Nvml().found() == (FOUND[0],)
    assert Nvml().use(FOUND[0]) == Use(7 * GIB, frozenset({7, 8}))


def test_machine_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is not an error."""
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(works=False))
    assert Nvml().found() == ()
    assert Nvml().use(FOUND[0]) is None
    nvml_library.cache_clear()


@pytest.mark.parametrize("call", ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetHandleByIndex"])
def test_card_that_does_not_answer_is_not_there(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """The others are, and a run on a CPU starts all the same."""
    nvml = fake_nvml()
    answer = getattr(nvml, call)

    def lose_the_first(what: object) -> object:
        if str(what) in ("0", "card 0"):
            raise nvml.NVMLError
        return answer(what)

    nvml.nvmlDeviceGetCount = lambda: 2
    setattr(nvml, call, lose_the_first)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert [gpu.number for gpu in Nvml().found()] == [1]


def test_card_without_memory_of_its_own_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shares the processor's, so nobody knows what is free, and nothing waits for it."""
    nvml = fake_nvml()

    def refuse(_: object) -> None:
        raise nvml.NVMLError_NotSupported

    nvml.nvmlDeviceGetMemoryInfo = refuse
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    (gpu,) = Nvml().found()
    assert gpu.memory == 0
    assert Nvml().use(gpu) is None


def test_gpus_that_nvlink_connects_are_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then those below one PCIe switch, before those of another socket, and what the driver cannot tell."""
    nvml = fake_nvml()
    cards = [Gpu(number, f"GPU-{number}", "H200", 100 * GIB) for number in range(5)]

    def status(_: str, other: str, kind: int) -> int:
        if other == "card GPU-4":
            raise nvml.NVMLError
        assert kind == nvml.NVML_P2P_CAPS_INDEX_NVLINK
        return nvml.NVML_P2P_STATUS_OK if other == "card GPU-1" else 5

    def ancestor(_: str, other: str) -> int:
        if other == "card GPU-4":
            raise nvml.NVMLError
        return 10 if other == "card GPU-2" else 50

    nvml.NVML_P2P_CAPS_INDEX_NVLINK, nvml.NVML_P2P_STATUS_OK = 2, 0
    nvml.nvmlDeviceGetP2PStatus, nvml.nvmlDeviceGetTopologyCommonAncestor = status, ancestor
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    far = [Nvml().distance(cards[0], other) for other in cards[1:]]
    assert far == sorted({*far})
    assert far[0] == 0
    nvml_library.cache_clear()
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(works=False))
    assert Nvml().distance(*cards[:2]) == far[-1]
