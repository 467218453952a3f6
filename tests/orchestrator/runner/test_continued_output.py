"""A program that continues after an error is told from a message of many lines."""

import pytest

from orchestrator.runner.continued_output import has_continued


@pytest.mark.parametrize(
    "line",
    [
        "epoch {}",
        "  step {} loss 0.1",
        "[2, {}] loss: 0.1",
        "Iter: {}/30",
        "{}%|##  | 3/9 [00:00<00:01, 3.1it/s]",
        "2026-11-30 12:00:0{} working",
        "[12:00:0{}] working",
        "INFO: worked on {}",
    ],
)
def test_program_that_prints_progress_has_continued(line: str) -> None:
    assert has_continued([], [line.format(at) for at in range(5)])
    assert not has_continued([], [line.format(at) for at in range(2)])


def test_program_that_prints_what_it_printed_before_has_continued() -> None:
    """Whatever that is: its numbers differ."""
    after = [f"shard {at} is done in {at / 7:.2f} s" for at in range(5)]
    assert has_continued(["shard 77 is done in 1.25 s"], after)
    assert not has_continued(["working"], after)


@pytest.mark.parametrize(
    "line",
    [
        "frame #{}: c10::Error::Error(c10::SourceLocation) + 0x5{} (0x7f in libc10.so)",
        "my.cpp:{}:5: error: use of undeclared identifier",
        "\tsize mismatch for step.{}.weight: copying a param from checkpoint",
        "<p>line {}</p>",
        "shard-{}.tar",
        "{}",
        "}}",
    ],
)
def test_message_of_many_lines_is_no_progress(line: str) -> None:
    """Those of C++ stacks, compilers, state dicts, web servers and lists."""
    assert not has_continued(["epoch 3", "7", "}"], [line.format(at, at) for at in range(60)])
