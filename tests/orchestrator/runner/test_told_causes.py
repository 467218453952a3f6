"""Causes below an error are read, as programs in Rust, Java and C++ tell them."""

import pytest

from orchestrator.runner.told_causes import causes_below, error_above_causes


@pytest.mark.parametrize(
    ("said", "error", "causes"),
    [
        (["error: Failed to spawn: `x`", "  Caused by: No such file (os error 2)"], "error: Failed to spawn: `x`", ("No such file (os error 2)",)),
        (["error: a", "  Caused by: b", "  Caused by: c"], "error: a", ("b", "c")),
        (["epoch 1", "Error: a", "Caused by:", "    0: b", "    1: c"], "Error: a", ("b", "c")),
        (["Error: a", "Caused by:", "    b"], "Error: a", ("b",)),
        (["error: a", "Caused by:", "  b", "Caused by:", "  c"], "error: a", ("b", "c")),
        (["Error:", "  a"], "a", ()),
        (["Error:", "   0: a", "   1: b", "Location:", "   src/main.rs:12"], "a", ("b",)),
        (["  \N{MULTIPLICATION SIGN} No solution found:", "  ╰─▶ Because torch", "      is not there."], "No solution found: Because torch is not there.", ()),
    ],
)  # fmt: skip
def test_error_is_found_above_its_causes(
    said: list[str], error: str, causes: tuple[str, ...]
) -> None:
    """The last line would be the deepest cause, or a place in the code."""
    assert error_above_causes(said) == (error, causes)


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["error: a"],
        ["Caused by: b"],
        ["  indented"],
        ["error: a", "  Caused by: b", "epoch 3"],
        ["epoch 1", "  loss 3"],
    ],
)
def test_other_output_has_none(said: list[str]) -> None:
    assert error_above_causes(said) is None


def test_causes_stand_anywhere_below_an_exception() -> None:
    """Java prints its stacks between them; NCCL tells the error of CUDA."""
    java = ["\tat Main.main(Main.java:3)", "Caused by: java.lang.E: b", "\tat A", "\t... 1 more"]
    assert causes_below(java) == ("java.lang.E: b",)
    assert causes_below(["Last error:", "Cuda failure 2 'out of memory'"]) == (
        "Cuda failure 2 'out of memory'",
    )
    assert causes_below(["Last error:"]) == ()
    assert causes_below(["Caused by:"]) == ()
