"""Steps that are replayed give the bits of steps that are computed, or they are not replayed, and a line says why.

A stand-in for a GPU records on the CPU: it notes the kernels that a call makes, and calls them again, with
the same tensors, and without any other line of Python.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from recorded_kernels import Recorder
from run_files import results_of

from trainer import captured_steps
from trainer.errors import ConfigError

if TYPE_CHECKING:
    from run_files import Interrupt, MakeRun, Train


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Let the CPU be what records."""
    recorder = Recorder()
    monkeypatch.setattr(captured_steps, "graphs_of", lambda _: recorder)
    # On a GPU, dropout draws from a generator of its own.
    monkeypatch.setattr(captured_steps, "cpu_random_state", random.getstate)
    return recorder


def config(**changes: Any) -> dict[str, Any]:
    return {"model": {"_target_": "replayed_modules.Noisy"}, "iterations": 5} | changes


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "optimizer": {
                "_target_": "torch.optim.SGD",
                "lr": 0.1,
                "momentum": 0.9,
                "nesterov": True,
            }
        },
        {"optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.01}},
        {"optimizer": {"_target_": "torch.optim.RMSprop", "lr": 0.01}, "clip_norm": 0.5},
        {"accumulate": 2},
        {"training_type": "step", "eval_every": 7},
        {"ema": {"decay": 0.9}},
        {"scheduler": {"_target_": "torch.optim.lr_scheduler.ExponentialLR", "gamma": 0.5}},
        {
            "scheduler": {
                "_target_": "torch.optim.lr_scheduler.CosineAnnealingLR",
                "T_max": 30,
                "interval": "step",
            }
        },
        {"curriculum": {"_target_": "replayed_modules.Annealing"}},
        {"curriculum": {"_target_": "replayed_modules.Reading"}},
        {"curriculum": {"_target_": "replayed_modules.Restarting"}},
        {"curriculum": {"_target_": "replayed_modules.Looking"}},
        {"model": {"_target_": "replayed_modules.Lazy"}},
        {"curriculum": {"_target_": "replayed_modules.Freezing"}},
        {"curriculum": {"_target_": "replayed_modules.Thawing"}},
        {"model": {"_target_": "replayed_modules.InPlace"}},
        {"model": {"_target_": "replayed_modules.Passing"}, "iterations": 7},
        {
            "model": {"_target_": "replayed_modules.Passing"},
            "iterations": 40,
            "stopping": {"patience": 1, "from_iteration": 6, "min_change": 5},
        },
        {"precision": "bfloat16"},
        {
            "data": {"_target_": "structures.Data", "structure": "dictionary"},
            "model": {"_target_": "structures.Hugging"},
            "criterion": None,
        },
    ],
    ids=str,
)
def test_replayed_steps_give_the_bits_of_computed_ones(
    make_run: MakeRun, train: Train, card: Recorder, changes: dict[str, Any]
) -> None:
    """Weights, running statistics, random numbers and losses, whatever belongs to the step."""
    digests = []
    for cuda_graph in ("off", "auto"):
        run_dir = make_run(cuda_graph, cuda_graph=cuda_graph, **config(**changes))
        train(run_dir)
        found = results_of(run_dir)
        digests.append((found["digest"], found["test"], found["final"]))
    assert digests[0] == digests[1]
    assert card.replayed > 10


def model(name: str) -> dict[str, Any]:
    return {"model": {"_target_": f"replayed_modules.{name}"}}


def curriculum(name: str) -> dict[str, Any]:
    return {"curriculum": {"_target_": f"replayed_modules.{name}"}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (model("Counting"), "model.steps changed in a step, which a graph would not repeat"),
        (model("Remembering"), "model.memory changed in a step, which a graph would not repeat"),
        (model("Summing"), "model.sums changed in a step, which a graph would not repeat"),
        (
            model("Assigning"),
            "a parameter or buffer is replaced in a step, which a graph would not",
        ),
        (model("Drawing"), "random numbers of the CPU are drawn in a step, which"),
        (model("Waiting"), "recording one failed: CUDA error: operation not permitted when stream"),
        (curriculum("Stepwise"), "callbacks come before or after each"),
        (curriculum("Updating"), "cb_on_update makes them"),
        (curriculum("Exhausting"), "cb_on_loader_exhausted comes between two"),
        (
            {"optimizer": {"_target_": "replayed_modules.Own", "lr": 0.1}},
            "Own is not one of PyTorch's, and may do anything in its step",
        ),
        ({"deterministic": False}, "with deterministic: false, a replayed step cannot be compared"),
        (
            {"optimizer": {"_target_": "torch.optim.LBFGS", "max_iter": 2}},
            "LBFGS computes several losses",
        ),
        (
            {
                "data": {"_target_": "structures.Plain"},
                "dataloader": {
                    "collate_fn": {"_target_": "structures.as_graph", "_partial_": True}
                },
                "model": {"_target_": "structures.OfGraphs"},
            },
            "a batch has more than tensors, numbers and texts, in lists, tuples and dictionaries",
        ),
    ],
    ids=str,
)
def test_steps_that_a_graph_would_not_repeat_are_computed(
    make_run: MakeRun,
    train: Train,
    card: Recorder,
    capfd: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    reason: str,
) -> None:
    """A line says why, once, and the results are those without a graph."""
    digests = []
    for cuda_graph in ("off", "auto"):
        run_dir = make_run(cuda_graph, cuda_graph=cuda_graph, **config(**changes))
        train(run_dir)
        digests.append(results_of(run_dir)["digest"])
    assert digests[0] == digests[1]
    assert card.replayed == 0
    said = capfd.readouterr().out
    assert (
        said.count("note: cuda_graph: the steps are not captured, but computed call by call: ") == 1
    )
    assert reason in said


def test_change_in_steps_of_a_later_shape_is_seen(
    make_run: MakeRun, train: Train, card: Recorder, capfd: pytest.CaptureFixture[str]
) -> None:
    """What was replayed before it is right; all others are computed."""
    digests = []
    for cuda_graph in ("off", "auto"):
        run_dir = make_run(cuda_graph, cuda_graph=cuda_graph, **config(**model("CountingFew")))
        train(run_dir)
        digests.append(results_of(run_dir)["digest"])
    assert digests[0] == digests[1]
    assert 0 < card.replayed < 5
    assert "model.steps changed in a step, which a graph would" in capfd.readouterr().out


@pytest.mark.parametrize("event", ["iteration_end", "iteration_begin"])
def test_resumed_run_replays_to_the_same_bits(
    interrupt: Interrupt, card: Recorder, event: str
) -> None:
    """Its first steps are computed again, and then recorded again."""
    interrupt(event, 3, by="replayed_modules.Interrupting", cuda_graph="auto", **config())
    assert card.recorded > 1


def test_modules_that_callbacks_may_change_are_recorded_in_each_iteration(
    make_run: MakeRun, train: Train, card: Recorder
) -> None:
    """Without callbacks, once per shape of a batch: here the last of a pass is smaller."""
    train(make_run("once", cuda_graph="auto", **config()))
    assert card.recorded == 2
    train(make_run("again", cuda_graph="auto", **config(**curriculum("Annealing"))))
    assert card.recorded == 2 + 5 + 3


def test_changed_rate_is_recorded_again_if_the_optimizer_is(
    make_run: MakeRun, train: Train, card: Recorder
) -> None:
    """The rate is a constant of the graph; optimizers that compute on the host step by themselves."""
    decay = {"scheduler": {"_target_": "torch.optim.lr_scheduler.ExponentialLR", "gamma": 0.5}}
    train(make_run("inside", cuda_graph="auto", **config(**decay)))
    assert card.recorded == 5 + 3
    adam = {"optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01}}
    train(make_run("outside", cuda_graph="auto", **config(**decay, **adam)))
    assert card.recorded == 5 + 3 + 2


@pytest.mark.usefixtures("card")
def test_step_with_another_result_ends_the_run(make_run: MakeRun, train: Train) -> None:
    """Before the checkpoint of its iteration: a value was changed where no search finds it."""
    run_dir = make_run(cuda_graph="auto", **config(**model("Secret")))
    with pytest.raises(
        ConfigError, match=r"cuda_graph: the loss is another one where a step is replayed"
    ):
        train(run_dir)
    assert not (run_dir / "results.json").exists()
    assert '"step": 1' in (metrics := (run_dir / "metrics.jsonl").read_text())
    assert '"step": 2' not in metrics


def test_few_shapes_are_recorded(
    make_run: MakeRun,
    train: Train,
    card: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Batches of many lengths would fill the memory."""
    monkeypatch.setattr(captured_steps, "MOST_SHAPES", 1)
    train(make_run(cuda_graph="auto", **config(batch_size=12)))
    assert card.recorded == 1
    assert "steps are not captured, but computed call by call: batches have more than 1 shapes" in (
        capfd.readouterr().out
    )


def test_nothing_is_recorded_without_a_gpu(
    make_run: MakeRun, train: Train, capfd: pytest.CaptureFixture[str]
) -> None:
    """And no line is printed: one config is for all machines."""
    train(make_run(cuda_graph="auto", iterations=1))
    assert "cuda_graph" not in capfd.readouterr().out
