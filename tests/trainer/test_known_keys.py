"""A misspelt key is refused, a key of the user's own is not."""

import json
from random import Random
from typing import Any

import pytest
from run_files import MakeRun, Start
from user_modules import run_program

from trainer.errors import ConfigError
from trainer.known_keys import GROUPS, VALUES, check_keys, describe_unread
from trainer.settings import read_settings

LEAST = {"seed": 0, "iterations": 1}


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("acumulate", 4, "accumulate"),
        ("clip_nrom", 1.0, "clip_norm"),
        ("precison", "bfloat16", "precision"),
        ("compil", True, "compile"),
        ("schedular", {"_target_": "x"}, "scheduler"),
        ("batchsize", 8, "batch_size"),
        ("batchSize", 8, "batch_size"),
        ("batch_sizes", 8, "batch_size"),
        ("seeds", 1, "seed"),
        ("sede", 1, "seed"),
        ("iteration", 3, "iterations"),
        ("optimiser", {"lr": 1}, "optimizer"),
        ("dataloaders", {"num_workers": 1}, "dataloader"),
        ("data_loader", {"num_workers": 1}, "dataloader"),
        ("models", {}, "model"),
        ("checkpoints", {"metric": "a"}, "checkpoint"),
        ("metric", {"f1": {}}, "metrics"),
        ("criterions", {}, "criterion"),
        ("treads", 1, "threads"),
        ("determinstic", False, "deterministic"),
        ("test_wiht", "last", "test_with"),
        ("trainig_type", "step", "training_type"),
    ],
)
def test_misspelt_key_is_refused_with_the_right_one(key: str, value: Any, meant: str) -> None:
    """Whether or not the right one is there as well."""
    for config in (LEAST | {key: value}, LEAST | {meant: 1, key: value}):
        with pytest.raises(
            ConfigError, match=f"^{key}: this key is not read. Did you mean {meant}"
        ):
            check_keys(config)
    with pytest.raises(ConfigError, match="Did you mean"):
        read_settings(LEAST | {key: value})


@pytest.mark.parametrize(
    "config",
    [
        *({name: 1} for name in ("width", "mode", "metric", "dataset", "date", "lr", "epochs")),
        *({name: {}} for name in ("dataset", "teacher", "loss", "augment", "wandb", "paths")),
        *({name: {}} for name in ("model2", "model_b", "data_eval", "optimizer_2")),
        *({name: 0} for name in ("seed_2", "seed2", "device_ids", "batch_size_eval", "max_epochs")),
        {"_own": 1},
    ],
)
def test_keys_of_the_users_own_are_let_through(config: dict[str, Any]) -> None:
    """They are near to none, or say themselves that they are something else."""
    check_keys(LEAST | config)


def test_every_typing_error_of_one_letter_is_noticed() -> None:
    """In names of at least seven letters, wherever it is."""
    random = Random(0)  # noqa: S311 - no secret
    for names, value in ((VALUES, 1), (GROUPS, {})):
        for name in (each for each in names if len(each) > 6):
            place = random.randrange(1, len(name) - 1)
            letters = [*name]
            swapped = [
                *letters[: place - 1],
                letters[place],
                letters[place - 1],
                *letters[place + 1 :],
            ]
            for wrong in (letters[:place] + letters[place + 1 :], swapped, [*letters, letters[-1]]):
                if (key := "".join(wrong)) != name:
                    with pytest.raises(ConfigError, match="Did you mean"):
                        check_keys({key: value})


def test_keys_that_are_not_read_are_named() -> None:
    """All of them in one line, and nothing is said if there are none."""
    line = describe_unread(LEAST | {"max_epochs": 50, "width": 8})
    assert line.startswith("the trainer does not read these keys: max_epochs, width. ")
    assert "this key: width." in describe_unread(LEAST | {"width": 8})
    assert describe_unread(LEAST | dict.fromkeys((*VALUES, *GROUPS, "_filters"))) == ""


def test_program_says_which_keys_are_not_read(make_run: MakeRun, start: Start) -> None:
    """Once, before anything else."""
    run_dir = make_run(iterations=1, max_epochs=50)
    assert start(run_program, str(run_dir)) == 0
    said = (run_dir / "err.log").read_text()
    assert said.startswith("note: the trainer does not read this key: max_epochs. ")
    assert said.count("\n") == 1
    progress = json.loads((run_dir / "progress.json").read_text())
    assert f"note: {progress['note']}\n" == said  # orch run prints it at the end of the run
