"""Whatever is wrong with a configuration is one line before the first step; nothing is done without results.

Tables of keys and values that they cannot have make the cases: each is trained here, in this process.
"""

from __future__ import annotations

import traceback
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from omegaconf import OmegaConf
from run_files import MakeRun, checkpoints_of

from trainer.config_file import read_config
from trainer.errors import TrainerError
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from collections.abc import Iterator

USER_CODE = Path(__file__).parent / "user_code"
NO_NUMBER: list[Any] = ["x", "", [], {}, [1], {"a": 1}]
NO_COUNT: list[Any] = [*NO_NUMBER, 0, -1, 1.5, True]

KEYS: dict[str, list[Any]] = {
    "seed": [*NO_NUMBER, -1, 1.5, True, None],
    "iterations": [*NO_COUNT, None],
    "batch_size": [*NO_COUNT, 2**63],
    "eval_every": NO_COUNT,
    "accumulate": NO_COUNT,
    "clip_norm": [*NO_NUMBER, 0, -1, True, float("nan"), -float("inf")],
    "threads": [*NO_COUNT, 1000],
    "precision": ["bf16", "float64", 32, True, [], {}],
    "compile": ["yes", 1, "inductor", [], {}],
    "deterministic": ["yes", 1, None, []],
    "device": ["gpu", 0, "cuda:-1", "cuda:99", None, []],
    "training_type": ["epochs", 1, None, [], True],
    "test_with": ["first", 1, None, []],
}
GROUPS = (
    "data",
    "model",
    "optimizer",
    "scheduler",
    "criterion",
    "curriculum",
    "dataloader",
    "metrics",
)
NO_GROUP: list[Any] = ["x", 1, True, ["x"], 1.5]
NAN = float("nan")
REQUIRED = ("data", "model", "optimizer", "criterion")
NO_TARGET: list[Any] = [
    *("nothing", "no.such.Thing", "torch.nn.Linaer", "math.pi", "broken_module.X", "os..path", "."),
    *(3, True, ["a"]),
]
LINEAR = {"_target_": "torch.nn.Linear", "in_features": 6, "out_features": 2}
MLP = {"_target_": "trainer.models.mlp.Mlp", "input_shape": [6], "classes": 2, "hidden": 8}
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1}
ADAM = {"_target_": "torch.optim.Adam", "lr": 0.1}
COSINE = {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": 4}
STEP_LR = {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 1}
PLATEAU = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau"}
ONE_CYCLE = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "max_lr": 0.1, "total_steps": 9}
CROSS_ENTROPY = {"_target_": "torch.nn.CrossEntropyLoss"}
CROSS_ENTROPY_FUNCTION = {"_target_": "torch.nn.functional.cross_entropy"}
SAM = {"_target_": "trainer.optimizers.sam.Sam", "lr": 0.1}
PACED = {
    "_target_": "trainer.curriculum.paced.PacedCurriculum",
    "scores": {"_target_": "trainer.curriculum.scores.RandomScores"},
}
DIGITS = {"_target_": "trainer.data.digits.Digits", "held_out": 1500}
# Criteria that do not take logits (batch, 2) and classes (batch,).
MISFITS = ("MSELoss", "BCELoss", "BCEWithLogitsLoss", "CTCLoss", "TripletMarginLoss", "KLDivLoss")
ARGUMENTS: list[tuple[str, dict[str, Any], dict[str, list[Any]]]] = [
    ("model", LINEAR, {"in_features": ["x", -1, None, [6], 1.5], "out_features": ["x", -2, None]}),
    ("model", LINEAR, {"in_features": [5, 7], "out_features": [1]}),
    ("model", MLP, {"input_shape": [[7], [], "x", 3], "classes": [1, "x"], "hidden": ["x"]}),
    ("model", LINEAR, {"out_featuers": [2], "device": ["gpu"], "dtype": ["float"]}),
    ("optimizer", SGD, {"lr": ["x", -1, [0.1]], "momentum": ["x", -1], "weight_decay": ["x", -1]}),
    (
        "optimizer",
        SGD,
        {"learning_rate": [0.1], "groups": ["x", [], [{}], [{"match": "z", "lr": 1}]]},
    ),
    ("optimizer", ADAM, {"betas": ["x", 0.9, [0.9], [2, 2], [-1, 0.9]], "eps": ["x", -1]}),
    ("scheduler", COSINE, {"T_max": ["x", 0, None, [4]], "eta_min": ["x", [0]]}),
    ("scheduler", STEP_LR, {"step_size": ["x", 0, None], "gamma": ["x", [1]]}),
    (
        "scheduler",
        PLATEAU,
        {"mode": ["least", 3, "max"], "factor": [2, "x"], "min_lr": [[0.1, 0.2]]},
    ),
    ("scheduler", ONE_CYCLE, {"total_steps": [0, -1, "x"], "max_lr": ["x", [1, 2]]}),
    (
        "criterion",
        CROSS_ENTROPY,
        {"reduction": ["none", "total"], "weight": ["x", 3], "wieght": [1]},
    ),
    ("criterion", CROSS_ENTROPY, {"label_smoothing": ["x", 2, NAN]}),
    ("optimizer", SGD, {"_partial_": [True, "yes"], "params": [[1]]}),
    (
        "model",
        LINEAR,
        {"_partial_": [True, 0], "_convert_": ["x", 3, []], "_recursive_": [1]},
    ),
    ("model", {"_target_": "torch.nn.Linear"}, {"_args_": ["62", None, 6, {"in_features": 6}]}),
    ("criterion", CROSS_ENTROPY_FUNCTION, {"_partial_": ["no", "true", 1, None]}),
    ("optimizer", SAM, {"base": [SGD | {"_partial_": True, "_convert_": "x"}]}),
    ("data", {"_target_": "user_modules.Tiny"}, {"_partial_": [True]}),
    ("curriculum", {"_target_": "user_modules.Counter"}, {"_partial_": [True]}),
    ("scheduler", STEP_LR, {"_partial_": [True], "optimizer": ["x"], "step_size": [NAN]}),
    ("scheduler", PLATEAU, {"threshold": [NAN], "patience": [NAN]}),
    (
        "curriculum",
        PACED,
        {"pacing": ["fast", 1], "initial": [0, 2, "x", True], "full_at": [0, "x"]},
    ),
    (
        "curriculum",
        PACED,
        {"first": ["last", 1], "scores": ["x", 1, {"_target_": "builtins.dict"}]},
    ),
    ("data", DIGITS, {"held_out": [0, -1, 99_999, "x", 1.5], "validation": [0, 99_999, "x"]}),
]
KEYS_OF_GROUPS: list[tuple[str, dict[str, list[Any]]]] = [
    (
        "dataloader",
        {
            "num_workers": ["x", -1, 1.5, [1]],
            "collate_fn": ["default", 3],
            "drop_last": ["yes", 1],
            "pin_memry": [True],
            "sampler": [1],
            "batch_size": [3],
            "evaluation_batch_size": [0, "x", 2**63],
            "timeout": ["x", -1, NAN],
            "prefetch_factor": [2, "x"],
        },
    ),
    ("scheduler", {"interval": ["x"]}),
    (
        "checkpoint",
        {
            "keep_last": NO_COUNT,
            "metric": [3, [], "validation/score", "validation/f1"],
            "mode": ["max", "least", 3],
            "metrc": ["validation/loss"],
            "other_numbers": ["x"],
        },
    ),
    (
        "metrics",
        {
            "loss": [{"_target_": "torchmetrics.classification.BinaryRecall"}],
            "recall": ["x", {}, {"num_classes": 2}, {"_target_": "builtins.dict"}],
            "f1": [
                {"_target_": "torchmetrics.classification.MulticlassF1Score", "num_classes": -1}
            ],
        },
    ),
]
MISSPELT: dict[str, Any] = {
    "acumulate": 4,
    "clip_nrom": 1.0,
    "precison": "bfloat16",
    "compil": True,
    "sede": 1,
    "schedular": COSINE,
    "optimiser": SGD,
    "modell": LINEAR,
    "batchsize": 8,
    "iteration": 2,
}


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is changed in a configuration that is right, with a name for it."""
    for key, values in KEYS.items():
        yield from ((f"{key}={value}", {key: value}) for value in values)
    for group in GROUPS:
        yield from ((f"{group}={value}", {group: value}) for value in NO_GROUP)
    for group in (*REQUIRED, "scheduler", "curriculum"):
        for target in NO_TARGET:
            yield f"{group}._target_={target}", {group: {"_target_": target}}
    for group, right, wrong in ARGUMENTS:
        for key, value in chain.from_iterable(
            ((key, each) for each in wrong[key]) for key in wrong
        ):
            yield f"{group}.{key}={value}", {group: right | {key: value}}
    for group, wrong in KEYS_OF_GROUPS:
        for key, value in chain.from_iterable(
            ((key, each) for each in wrong[key]) for key in wrong
        ):
            yield f"{group}.{key}={value}", {group: {key: value}}
    yield from ((f"no {group}", {group: None}) for group in REQUIRED)
    yield from ((f"{key}=", {key: value}) for key, value in MISSPELT.items())


CASES = dict(cases())


def test_there_are_many_cases() -> None:
    """Each with a name of its own."""
    assert len(CASES) > 250
    assert len(CASES) == len([*cases()])


@pytest.mark.filterwarnings("default")  # PyTorch warns of some values
@pytest.mark.parametrize("case", CASES)
def test_wrong_configuration_is_one_line_before_the_first_step(
    make_run: MakeRun, case: str
) -> None:
    """Nothing is saved, and nothing is done."""
    run_dir = make_run(iterations=1)
    config: Any = OmegaConf.to_container(OmegaConf.load(run_dir / "config.yaml"))
    OmegaConf.save(OmegaConf.create(config | CASES[case]), run_dir / "config.yaml")
    with pytest.raises(TrainerError) as caught:
        ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir).train()
    said = str(caught.value)
    assert "\n" not in said, said
    assert 15 < len(said) < 700, said
    assert checkpoints_of(run_dir) == []
    assert not (run_dir / "results.json").exists()


IN_USER_CODE: dict[str, dict[str, Any]] = {
    "a bug in a constructor": {"model": {"_target_": "broken_constructors.Buggy"}},
    "a file that a constructor reads": {"model": {"_target_": "broken_constructors.Reading"}},
    "an error below a constructor": {"model": {"_target_": "broken_constructors.Deep"}},
    "a sample that cannot be read": {"data": {"_target_": "unruly_modules.Missing"}},
    **{
        f"an error at {event}": {
            "curriculum": {"_target_": "unruly_modules.Raising", "event": event}
        }
        for event in ("train_begin", "iteration_begin", "evaluation_begin", "step_end", "train_end")
    },
}


@pytest.mark.parametrize("case", IN_USER_CODE)
def test_error_in_the_users_own_code_has_a_traceback_that_ends_there(
    make_run: MakeRun, case: str
) -> None:
    """Among the last frames is one of the user's."""
    run_dir = make_run(iterations=1, **IN_USER_CODE[case])
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of many classes
        ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir).train()
    assert not isinstance(caught.value, TrainerError)
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert any(Path(name).parent == USER_CODE for name in files[-4:]), files
    assert not (run_dir / "results.json").exists()
