"""Metrics are read from the output of a program, each step once, at a limited cost."""

import json
import signal
import time
from pathlib import Path
from signal import ITIMER_REAL, ITIMER_VIRTUAL
from typing import Any

import pytest

from orchestrator.rundir.run_metrics import read_last_iteration
from orchestrator.runner.output_metrics import OutputMetrics, _search

EPOCH = r"epoch (?P<step>\d+) loss (?P<loss>\S+)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def points(path: Path) -> list[tuple[str, int, Any]]:
    if not path.exists():
        return []
    found = map(json.loads, path.read_text().splitlines())
    return [(point["key"], point["step"], point["value"]) for point in found]


def read(path: Path, *pieces: str | bytes, patterns: tuple[str, ...] = (EPOCH,)) -> OutputMetrics:
    metrics = OutputMetrics(patterns, path)
    for piece in pieces:
        metrics.feed(piece.encode() if isinstance(piece, str) else piece)
    metrics.close()
    return metrics


def test_lines_become_points(path: Path) -> None:
    read(path, "hello\nepoch 1 loss 0.5\nnoise\nepoch 2 loss 0.25, lr 1\n")
    assert points(path) == [("loss", 1, 0.5), ("loss", 2, 0.25)]


def test_output_may_come_in_any_pieces(path: Path) -> None:
    text = "epoch 1 loss 0.5\nepoch 2 loss 0.25\r\nepoch 3 loss 1e-3"
    read(path, *text)
    assert points(path) == [("loss", 1, 0.5), ("loss", 2, 0.25), ("loss", 3, 0.001)]


def test_several_patterns_and_metrics(path: Path) -> None:
    patterns = (r"it (?P<step>\d+): loss=(?P<loss>\S+) acc=(?P<acc>\S+)", r"lr (?P<lr>\S+)")
    read(path, "it 7: loss=0.5; acc=90%\nlr 0.1\nlr 0.01\n", patterns=patterns)
    assert sorted(points(path)) == [
        ("acc", 7, 90.0),
        ("loss", 7, 0.5),
        ("lr", 1, 0.1),
        ("lr", 2, 0.01),
    ]


def test_count_is_not_the_iteration_where_steps_are_printed(path: Path) -> None:
    """What is printed once, at the end, does not send the run back to the beginning."""
    mixed = (EPOCH, r"final mse (?P<mse>\S+)")
    read(path, "epoch 9 loss 0.5\nepoch 10 loss 0.4\nfinal mse 0.3\n", patterns=mixed)
    assert points(path)[-1] == ("mse", 1, 0.3)
    assert read_last_iteration(path) == 10
    path.unlink()
    read(path, "final mse 0.3\nfinal mse 0.2\n", patterns=mixed[1:])
    assert read_last_iteration(path) == 2
    assert '"counted"' not in path.read_text()


@pytest.mark.parametrize(
    ("text", "value"),
    [("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity"), ("-1.5e3", -1500.0)],
)
def test_any_number_is_a_value(path: Path, text: str, value: object) -> None:
    read(path, f"epoch 1 loss {text}\n")
    assert points(path) == [("loss", 1, value)]


@pytest.mark.parametrize("line", ["epoch 1 loss high", "epoch 1 loss ...", "epoch 1.5 loss"])
def test_what_is_not_a_number_is_passed_over(path: Path, line: str) -> None:
    read(path, f"{line}\n")
    assert points(path) == []


def test_of_a_progress_bar_the_last_state_of_a_step_counts(path: Path) -> None:
    bar = "".join(f"\repoch {n // 10} loss {1 / (n + 1):.3f}" for n in range(30)) + "\n"
    read(path, bar)
    assert points(path) == [("loss", 0, 0.1), ("loss", 1, 0.05), ("loss", 2, 0.033)]


def test_count_takes_no_refresh_of_a_progress_bar_for_a_step(path: Path) -> None:
    pattern = (r"loss (?P<loss>\S+)",)
    read(path, "\rloss 3\rloss 2\rloss 1\n\rloss 0.9\rloss 0.8\n", patterns=pattern)
    assert points(path) == [("loss", 1, 1.0), ("loss", 2, 0.8)]


def test_steps_that_a_resumed_program_repeats_stand_once(path: Path) -> None:
    """Those that the first attempt went beyond are of another training now."""
    read(path, "epoch 1 loss 0.5\nepoch 2 loss 0.4\nepoch 3 loss 0.3\n")
    with path.open("a") as file:
        file.write('{"key": "other", "value": 1, "step": 3}\n{"key": "loss", "va')  # torn by a kill
    read(path, "epoch 2 loss 0.41\n")
    assert points(path) == [("loss", 1, 0.5), ("other", 3, 1), ("loss", 2, 0.41)]


def test_step_that_is_printed_again_later_replaces(path: Path) -> None:
    read(path, "epoch 1 loss 0.5\nepoch 2 loss 0.4\nepoch 1 loss 0.6\n")
    assert points(path) == [("loss", 2, 0.4), ("loss", 1, 0.6)]


def test_point_is_written_while_the_program_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second after it was printed, and not only with the next epoch."""
    metrics = OutputMetrics((EPOCH,), path)
    metrics.feed(b"epoch 1 loss 0.5\n")
    assert points(path) == []
    later = time.monotonic() + 2
    monkeypatch.setattr("orchestrator.runner.output_metrics.time.monotonic", lambda: later)
    metrics.write_quiet()
    assert points(path) == [("loss", 1, 0.5)]


COUNTED = r"acc (?P<acc>\S+)"
PRINTED = b"".join(
    b"\repoch %d loss 3\repoch %d loss 0.%d\nacc %d\nepoch %d again 1\n" % (n, n, n, n, n)
    for n in range(1, 4)
)


@pytest.mark.parametrize("end", range(0, len(PRINTED) + 1, 3))
@pytest.mark.parametrize("fed", [0, 5, 40])
@pytest.mark.parametrize("continues", [True, False])
def test_points_of_a_killed_reader_are_recovered_from_its_log(
    path: Path, end: int, fed: int, *, continues: bool
) -> None:
    """The keeper that takes over reads on; the next attempt prints again from where it resumed."""
    patterns = (EPOCH, r"epoch (?P<step>\d+) again (?P<again>\d)", COUNTED)
    killed = OutputMetrics(patterns, path)
    for place in range(0, max(0, end - fed), 7):
        killed.feed(PRINTED[place : min(place + 7, end - fed)])
    before = path.read_bytes() if path.exists() else b""
    if before and end % 2:
        path.write_bytes(before[:-3])  # torn
    after = OutputMetrics(patterns, path)
    after.recover(PRINTED[:end], is_whole=True, continues=continues)
    recovered = points(path)
    if continues:
        after.feed(PRINTED[end:])
        after.close()
    expected = [("acc", n, float(n)) for n in (1, 2, 3)]
    expected += [("again", n, 1.0) for n in (1, 2, 3)]
    expected += [("loss", n, n / 10) for n in (1, 2, 3)]
    if continues:
        assert sorted(points(path)) == expected
        return
    whole = PRINTED[:end].rpartition(b"\n")[0]
    steps = {
        "loss": whole.count(b"loss 0"),
        "acc": whole.count(b"acc"),
        "again": whole.count(b"again"),
    }
    for key, last in steps.items():
        assert {point for point in expected if point[0] == key and point[1] <= last} <= set(
            recovered
        )
    assert len({point[:2] for point in recovered}) == len(recovered)
    begun = steps["loss"] + 1
    after.feed(b"".join(b"epoch %d loss 9\n" % step for step in range(begun, 4)))
    after.close()
    losses = [point for point in points(path) if point[0] == "loss"]
    assert losses == [("loss", n, n / 10 if n < begun else 9.0) for n in (1, 2, 3)]


def test_points_that_are_there_keep_their_timestamps(path: Path) -> None:
    """They may have been sent to MLflow; a value that was replaced since is not brought back."""
    text = b"epoch 3 loss 1\nepoch 4 loss 2\nepoch 3 loss 5\nepoch 5 loss 6\n"
    read(path, text)
    before = path.read_bytes()
    for continues in (True, False):
        OutputMetrics((EPOCH,), path).recover(text, is_whole=True, continues=continues)
        assert path.read_bytes() == before


def test_matches_are_not_counted_in_the_end_of_a_log(path: Path) -> None:
    """It may be the thousandth match that is the first there; steps that are printed are recovered."""
    patterns = (EPOCH, COUNTED)
    read(path, "acc 1\nacc 2\n", patterns=patterns)
    metrics = OutputMetrics(patterns, path)
    metrics.recover(b"ch 6 loss 1\nacc 2\nepoch 7 loss 0.5\n", is_whole=False, continues=True)
    metrics.feed(b"acc 3\n")
    metrics.close()
    assert points(path) == [
        ("acc", 1, 1.0),
        ("acc", 2, 2.0),
        ("loss", 7, 0.5),
        ("acc", 3, 3.0),
    ]


def test_pattern_that_takes_exponential_time_is_given_up(path: Path) -> None:
    """The program must not wait for it; other patterns go on."""
    patterns = (r"(a+)+(?P<x>b)$", EPOCH)
    read(path, "a" * 4000 + "\n", "epoch 1 loss 0.5\n", patterns=patterns)
    assert points(path) == [("loss", 1, 0.5)]


@pytest.mark.parametrize(
    "flood", [b"x" * 3_000_000, b"epoch 1 loss 0.5" + b" " * 5000 + b"\n", b"\xff\x00" * 100]
)
def test_long_lines_and_other_bytes_are_skipped(path: Path, flood: bytes) -> None:
    metrics = read(path, flood, b"\nepoch 2 loss 0.25\n")
    assert points(path) == [("loss", 2, 0.25)]
    assert metrics.found_any


def test_full_disk_costs_points_only(tmp_path: Path) -> None:
    metrics = read(tmp_path / "missing/metrics.jsonl", "epoch 1 loss 0.5\n")
    assert metrics.found_any


def test_time_of_a_pattern_is_that_of_the_processor() -> None:
    """On a busy machine, a line may take long by the clock."""
    timers = []

    class Watched:
        def search(self, _: str) -> None:
            timers.append([signal.getitimer(it)[0] > 0 for it in (ITIMER_REAL, ITIMER_VIRTUAL)])

    _search(Watched(), "line")  # type: ignore[arg-type]
    assert timers == [[False, True]]
    assert signal.getitimer(ITIMER_VIRTUAL) == (0, 0)
