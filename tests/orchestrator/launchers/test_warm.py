"""The warm launcher loads once what runs need, and only what may be loaded before a fork."""

from orchestrator.launchers.warm import modules_named_by

CONFIG = {
    "data": {"_target_": "trainer.data.digits.Digits"},
    "metrics": {"f1": {"_target_": "torchmetrics.classification.MulticlassF1Score"}},
    "model": {"_target_": "mine.Model", "layers": [{"_target_": "trainer.models.mlp.Mlp"}]},
    "optimizer": {"_target_": None, "lr": 0.1},
}


def test_modules_of_targets_are_loaded_where_that_is_harmless() -> None:
    """Wherever a target stands; a module of the user's own may touch the GPU when it is imported."""
    assert modules_named_by([CONFIG, CONFIG]) == (
        "?torchmetrics.classification",
        "?trainer.data.digits",
        "?trainer.models.mlp",
    )


def test_compiler_is_loaded_for_runs_that_compile() -> None:
    """It takes a second, which every such run would pay for."""
    assert modules_named_by([{}, {"compile": False}]) == ()
    assert modules_named_by([{}, {"compile": True}]) == ("?torch._dynamo.eval_frame",)
