"""Modules that cannot be made, for reasons of several kinds."""

from pathlib import Path

from torch import nn


def check(width: int) -> None:
    """Refuse odd widths."""
    if width % 2:
        raise ValueError("odd")


class Particular(nn.Linear):
    """Refuse an argument."""

    def __init__(self, width: int) -> None:
        if width % 2:
            raise ValueError(f"{width} is odd")
        super().__init__(6, width)


class Deep(nn.Linear):
    """Fail in a function that the constructor calls."""

    def __init__(self) -> None:
        check(3)


class Buggy(nn.Linear):
    """Have a bug."""

    def __init__(self) -> None:
        super().__init__(6, 2)
        self.no_such_thing.zero_()


class Reading(nn.Linear):
    """Read a file that is not there."""

    def __init__(self) -> None:
        super().__init__(6, 2)
        Path("no", "such", "file").read_text()
