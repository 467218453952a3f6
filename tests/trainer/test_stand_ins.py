"""What people train resumes to the same bits, wherever it keeps its state."""

from __future__ import annotations

from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from run_files import places_of, results_of
from thinning import combined
from user_modules import Interrupted, run_program, sabotage

if TYPE_CHECKING:
    from pathlib import Path

    from run_files import Launch, MakeRun, Start, Train


def of(name: str, **keys: Any) -> dict[str, Any]:
    return {"_target_": f"stand_ins.{name}", **keys}


ADAM = {"_target_": "torch.optim.Adam", "lr": 0.01}
STAND_INS: dict[str, dict[str, Any]] = {
    "packed LSTM": {"model": of("PackedLstm"), "optimizer": ADAM},
    "tied GPT, checkpointed activations": {"model": of("TiedGpt"), "optimizer": ADAM},
    "tied GPT, accumulated and clipped": {
        "model": of("TiedGpt"),
        "accumulate": 2,
        "clip_norm": 0.5,
        "precision": "bfloat16",
    },
    "norms of all kinds": {"model": of("Normed")},
    "LoRA": {"model": of("Lora"), "optimizer": ADAM},
    "average of the weights": {"model": of("Averaged")},
    "SparseAdam": {
        "model": of("Embedded"),
        "optimizer": {"_target_": "torch.optim.SparseAdam", "lr": 0.01},
    },
    "L-BFGS": {
        "optimizer": {"_target_": "torch.optim.LBFGS", "lr": 0.1, "line_search_fn": "strong_wolfe"}
    },
    "odd buffers": {"model": of("Buffered")},
    "criterion with a state": {"criterion": of("Distilled")},
    "GAN": {"data": {"_target_": "user_modules.Noisy"}, "curriculum": of("Adversary")},
    "schedule by step": {
        "optimizer": ADAM,
        "scheduler": of("PerStep", max_lr=0.1, total_steps=100),
    },
    "groups": {"optimizer": of("by_dimension", lr=0.01)},
}


@pytest.mark.parametrize(
    ("training_type", "name"), combined(training_type=["epoch", "step"], name=STAND_INS)
)
def test_stand_in_resumes_to_the_same_bits(
    make_run: MakeRun, train: Train, tmp_path: Path, name: str, training_type: str
) -> None:
    """Interrupted at a random place, in a random kind of way of saving."""
    random = Random(name + training_type)  # noqa: S311 - no secret
    changes = STAND_INS[name] | {"training_type": training_type}
    whole = make_run("whole", **changes)
    train(whole)
    event = random.choice(("iteration_begin", "iteration_end", "step_end"))
    fragile = sabotage(tmp_path, event, random.randint(2, 4), "raise")
    noisy = "Noisy" in str(changes.get("data"))
    fragile["_target_"] = f"user_modules.Fragile{'Noisy' if noisy else 'Tiny'}"
    checkpoint = {"every": random.choice((1, 2))}
    broken = make_run("broken", **changes | {"data": fragile, "checkpoint": checkpoint})
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    assert results_of(broken)["digest"] == results_of(whole)["digest"]
    assert results_of(broken)["test"] == results_of(whole)["test"]
    assert places_of(broken) == places_of(whole)


@pytest.mark.soak
@pytest.mark.parametrize("name", STAND_INS)
def test_stand_in_that_is_killed_resumes_to_the_same_bits(
    make_run: MakeRun, start: Start, launch: Launch, name: str
) -> None:
    """At random moments, repeatedly."""
    random = Random(name)  # noqa: S311 - no secret
    warm = make_run("warm", iterations=6, **STAND_INS[name])
    assert start(run_program, str(warm)) == 0  # the first process of all takes longer
    whole = make_run("whole", iterations=6, **STAND_INS[name])
    begun = monotonic()
    assert start(run_program, str(whole)) == 0
    duration = monotonic() - begun
    hits = 0
    for turn in range(8):
        killed = make_run(f"killed-{turn}", iterations=6, **STAND_INS[name])
        for attempt in range(3):
            process = launch(run_program, str(killed))
            process.join(random.uniform(0, duration))
            process.kill()
            process.join()
            hits += process.exitcode == -9
            if attempt == 0 and process.exitcode == 0:
                duration *= 0.7  # the machine is faster by now than when it was measured
        assert start(run_program, str(killed)) == 0
        assert results_of(killed)["digest"] == results_of(whole)["digest"]
        assert places_of(killed) == places_of(whole)
    assert hits >= 8
