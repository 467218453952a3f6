"""Whether a resolver of the user's returns the same value each time."""

import datetime as dt
import itertools
import logging
import os
import random
import time
import uuid
from collections.abc import Callable

import pytest
from omegaconf import OmegaConf

from orchestrator.config.resolver_stability import Stability

RANDOM = "returns another value each time"
CLOCK = "reads the clock"
COUNTER = itertools.count()


class _Unequal:
    def __eq__(self, other: object) -> bool:
        raise TypeError("not comparable")

    __hash__ = object.__hash__


def _fails_later() -> int:
    if next(COUNTER) % 2:
        raise ValueError("the second time")
    return 1


@pytest.mark.parametrize(
    ("call", "flaw"),
    [
        (random.random, RANDOM),
        (lambda: random.choice([1, 2]), RANDOM),  # noqa: S311 # no secret
        (lambda: str(uuid.uuid4()), RANDOM),
        (lambda: next(COUNTER), RANDOM),
        (_Unequal, RANDOM),
        (_fails_later, RANDOM),
        (lambda: dt.datetime.now(tz=dt.UTC).year, CLOCK),
        (lambda: dt.date.today().year, CLOCK),  # noqa: DTZ011 # as users write it
        (lambda: time.strftime("%Y"), CLOCK),
        (lambda: int(time.time()) // 10**9, CLOCK),
        (os.getpid, "depends on the process (os.getpid)"),
        (lambda: hash("x"), "calls hash(), which is another one in each process"),
        (lambda: 1, ""),
        (lambda: float("nan"), ""),
        (lambda: random.Random(3).random(), ""),  # noqa: S311 # as above
        (lambda: logging.getLogger("quiet").debug("x"), ""),
        (lambda: [1, {"a": 2}], ""),
    ],
)
def test_resolver_is_tried(call: Callable[[], object], flaw: str) -> None:
    """What is random, or reads the clock or the process, gives other values elsewhere."""
    assert Stability().find_flaw("name", call, OmegaConf.create({}), ("text",)) == flaw


def test_resolver_is_tried_once_for_the_same_arguments() -> None:
    """It may be slow."""
    calls: list[int] = []

    def call() -> int:
        calls.append(1)
        return 1

    stability, config = Stability(), OmegaConf.create({})
    for args in ((1,), (1,), (2,)):
        assert stability.find_flaw("name", call, config, args) == ""
    assert len(calls) == 16
    assert stability.find_flaw("other", random.random, config, (1,)) == RANDOM


def test_error_of_a_resolver_is_its_own() -> None:
    """It is reported as that of any interpolation."""

    def call() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Stability().find_flaw("name", call, OmegaConf.create({}), ())
