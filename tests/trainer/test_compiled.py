"""What is compiled depends on a batch's shape alone, however many shapes there are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from run_files import Launch, MakeRun, Train, results_of
from user_modules import Interrupted, run_program, sabotage

from trainer import compute_environment
from trainer.errors import ConfigError

LENGTHS = 6
CHANGES: dict[str, Any] = {
    "compile": True,
    "iterations": 2,
    "batch_size": 1,
    "data": {"_target_": "shapes_modules.Lengths", "count": LENGTHS},
    "model": {"_target_": "shapes_modules.Pooled"},
}


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return what counts the versions that are compiled; they compute as the model does."""
    from torch._dynamo import config, reset  # noqa: PLC0415 - it takes a second to load
    from torch._dynamo.testing import CompileCounter  # noqa: PLC0415

    counting = CompileCounter()
    compile_really = torch.nn.Module.compile

    def compile_quickly(self: torch.nn.Module, **options: Any) -> None:
        compile_really(self, backend=counting, **options)

    monkeypatch.setattr(torch.nn.Module, "compile", compile_quickly)
    reset()
    with config.patch(recompile_limit=4, accumulated_recompile_limit=256):
        yield counting
    config.fail_on_recompile_limit_hit = False
    reset()


def test_every_shape_is_compiled(make_run: MakeRun, train: Train, counter: Any) -> None:
    """Once for the training and once for the validation, and none computed without."""
    train(make_run(**CHANGES))
    assert counter.frame_count == 2 * LENGTHS


def test_resumed_run_with_many_shapes_ends_with_the_same_digest(
    make_run: MakeRun, train: Train, counter: Any, tmp_path: Path
) -> None:
    """Whatever the first batch of a process was."""
    train(whole := make_run("whole", **CHANGES))
    broken = make_run("broken", curriculum=sabotage(tmp_path, "step_end", 2, "raise"), **CHANGES)
    with pytest.raises(Interrupted):
        train(broken)
    torch._dynamo.reset()  # as a new process finds it
    counter.clear()
    train(broken)
    assert counter.frame_count == 2 * LENGTHS
    assert results_of(broken)["digest"] == results_of(whole)["digest"]


def test_more_shapes_than_are_compiled_are_refused_in_one_line(
    make_run: MakeRun, train: Train, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never computed in another way without a word."""
    monkeypatch.setattr(compute_environment, "VERSIONS", 5)
    with pytest.raises(
        ConfigError, match=r"^compile: the model was compiled 5 times, and needs"
    ) as said:
        train(make_run(**CHANGES))
    assert "\n" not in str(said.value)
    assert counter.frame_count == 5


@pytest.mark.soak
def test_killed_run_that_is_really_compiled_ends_with_the_same_digest(
    make_run: MakeRun, launch: Launch, tmp_path: Path
) -> None:
    """By the compiler that users have, with ten shapes, which is a matter of minutes."""

    def run(run_dir: Path) -> int | None:
        process = launch(run_program, str(run_dir))
        process.join(500)
        return process.exitcode

    data = {"_target_": "shapes_modules.Lengths", "count": 10}
    changes = CHANGES | {"data": data, "batch_size": 1}
    whole = make_run("whole", **changes)
    assert run(whole) == 0
    killed = make_run("killed", curriculum=sabotage(tmp_path, "step_end", 2, "kill"), **changes)
    assert run(killed) == -9
    assert run(killed) == 0
    assert results_of(killed)["digest"] == results_of(whole)["digest"]
