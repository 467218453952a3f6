"""What a module counts and does not save is told in the log, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import reaching_modules
import torch

if TYPE_CHECKING:
    from run_files import MakeRun, Train


def of(name: str) -> dict[str, Any]:
    """Return the configuration of a module."""
    return {"_target_": f"counting_modules.{name}"}


def reaching(name: str, **arguments: Any) -> dict[str, Any]:
    """Return the configuration of a module of another file."""
    return {"_target_": f"reaching_modules.{name}", **arguments}


PLACES = {
    "": "",
    "global": "note: reaching_modules.STEPS changed in the first iteration",
    "dictionary": "note: reaching_modules.STATE['steps'] changed",
    "namespace": "note: reaching_modules.SPACE.steps changed",
    "class": "note: reaching_modules.Totals.steps changed",
    "own class": "note: curriculum.kinds changed",
    "other module": "note: counted_elsewhere.STEPS changed",
    "default": "note: reaching_modules.count_by_default.totals[0] changed",
    "function": "note: reaching_modules.count_by_attribute.steps changed",
    "own dictionary": "note: curriculum.totals['steps'] changed",
    "list": "note: curriculum.losses changed",
    "nested": "note: curriculum.nested[0].steps changed",
    "iterator": "note: curriculum.ids changed",
    "generator": "note: curriculum.numbers changed in the first iteration,",
    "items": "note: curriculum.items changed",
    "shared": "note: curriculum.shared changed",
    "sparse": "note: curriculum.adjacency changed",
    "loader": "note: curriculum.unlabelled changed",
    "phase": "note: curriculum.phase changed",
    "context": "note: reaching_modules.CONTEXT changed",
    "cached generator": "note: reaching_modules.generator(0) changed in the first iterations",
    "environment": "note: os.environ['REACHED'] changed in the first iteration",
    "teacher": "note: curriculum.teacher.weight changed",
    "trainer": "note: trainer.own_steps changed",
    "new attribute": "note: curriculum.steps changed in the first iterations",
    "new keys": "note: curriculum.seen changed in the first iterations",
    "best": "note: curriculum.best changed in the first iterations",
    "dropout": "note: model.0.p changed",
    "smoothing": "note: criterion.label_smoothing changed",
    "precision": "note: torch.get_float32_matmul_precision() changed in the first iteration",
    "of a parameter": "note: model.1.weight.steps changed in the first iteration",
    "key": "note: curriculum.draws.keys()[Random] changed",
    "weak": "note: curriculum.weak[Part] changed",
    "lines": "note: curriculum.lines changed",
    "cache": "",
    "optimizer hook": "note: reaching_modules.make_hook.hook.calls changed",
    "module hook": "note: reaching_modules.make_hook.hook.calls changed",
    "gradient hook": "note: reaching_modules.make_hook.hook.calls changed",
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"curriculum": of("Count")}, "note: curriculum.steps changed in the first iteration"),
        ({"curriculum": of("CountsFromItsClass")}, "note: curriculum.steps changed in the first"),
        ({"curriculum": of("Sum")}, "note: curriculum.losses changed"),
        ({"model": of("Annealed")}, "note: model.noise.strength changed"),
        ({"curriculum": {"_target_": "user_modules.Counter"}}, ""),
        ({"model": of("Extra")}, ""),
        ({"model": of("Lazy")}, ""),
        ({"model": {"_target_": "stand_ins.Normed"}}, ""),
        ({"scheduler": {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 1}}, ""),
        *(
            ({"model": reaching("Dropping"), "curriculum": reaching("Counting", where=where)}, told)
            for where, told in PLACES.items()
        ),
        ({"curriculum": reaching("SavesTheGlobal")}, ""),
        ({"curriculum": reaching("SavesTheGlobal"), "model": reaching("ReadsTheGlobal")}, ""),
        ({"curriculum": reaching("SavesTheGlobal", how="forgets")}, "note: reaching_modules.STEPS"),
        ({"model": reaching("Forgets")}, "note: model.mean changed in the first iteration"),
        ({"optimizer": reaching("Calls") | {"lr": 0.1}}, "note: optimizer.calls changed"),
        (
            {"scheduler": reaching("make_schedule")},
            "note: reaching_modules.make_schedule.factor.calls",
        ),
        (
            {"scheduler": reaching("make_sequence")},
            "note: reaching_modules.make_schedule.factor.calls",
        ),
        ({"dataloader": {"collate_fn": reaching("Collate")}}, "note: dataloader.collate_fn.calls"),
        ({"data": reaching("CountingData")}, "note: data.train.made, data.validation.made changed"),
        ({"metrics": {"own": reaching("Metric")}}, "note: metrics.own.batches changed"),
    ],
)
def test_state_that_nothing_saves_is_told_once(
    make_run: MakeRun,
    train: Train,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    told: str,
) -> None:
    """After the first iteration; there is no false alarm."""
    monkeypatch.setenv("REACHED", "")
    reaching_modules.generator.cache_clear()
    train(make_run(iterations=3, **changes))
    torch.set_float32_matmul_precision("highest")  # one of them sets it
    said = capsys.readouterr().out
    assert said.count("note: ") == bool(told)
    assert told in said
