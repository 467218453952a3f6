"""What to do about a group of the configuration: its folder in ``conf/`` is named only if it exists."""

from pathlib import Path
from typing import Final

# What to write for groups whose keys are the trainer's own.
KEYS: Final = {
    "checkpoint": "{every: 5}",
    "dataloader": "{num_workers: 2}",
    "ema": "{decay: 0.999}",
    "stopping": "{patience: 5}",
    "validation_split": "{size: 0.1}",
}
CLASSES: Final = {
    "model": "trainer.models.mlp.Mlp",
    "data": "trainer.data.digits.Digits",
    "optimizer": "torch.optim.Adam",
    "scheduler": "torch.optim.lr_scheduler.StepLR",
    "criterion": "torch.nn.CrossEntropyLoss",
    "curriculum": "trainer.curriculum.paced.PacedCurriculum",
}


def advise_keys(group: str) -> str:
    """Return what to do about a group that is not a dictionary."""
    if group in KEYS:
        return f"Write, for example, {KEYS[group]}."
    if folder := _folder(group):
        return f"See {folder}."
    if group in CLASSES:
        return f"Set {group}._target_, for example, to {CLASSES[group]}."
    return "Write its keys, or remove it."


def advise_choice(group: str) -> str:
    """Return what to do about a group without a `_target_`."""
    if folder := _folder(group):
        return f"Choose one of {folder}, or name a class."
    example = f", such as {CLASSES[group]}" if group in CLASSES else ""
    return f"Name a class{example}."


def advise_values(key: str) -> str:
    """Return what to do about wrong values at a key, such as `model` or `metrics.f1`."""
    group = key.partition(".")[0].partition("[")[0]
    return f"Correct {_folder(group) or f'the values of {key}'}."


def _folder(group: str) -> str:
    """Return the group's folder if the current folder, which is the project's, has it."""
    folder = f"conf/{group}/"
    return folder if Path(folder).is_dir() else ""
