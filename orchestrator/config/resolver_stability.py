"""Resolver stability: whether a resolver of the user's returns the same value each time.

It is called several times, and watched for the clock: two calls within a millisecond may well agree
on the time. A resolver that is given the same arguments is tried once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from omegaconf import OmegaConf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_CALLS: Final = 8
_LONGEST: Final = 0.2  # seconds; then two calls have to suffice
_RANDOM: Final = "returns another value each time"
_CLOCK: Final = "reads the clock"
_PROCESS: Final = "depends on the process (os.getpid)"
_HASH: Final = "calls hash(), which is another one in each process"
_OF_TIME: Final = frozenset(
    [time.time, time.time_ns, time.localtime, time.gmtime, time.strftime, time.ctime, time.asctime]
)
_OF_DATES: Final = ("now", "utcnow", "today")


class Stability:
    """What is known of the resolvers that were tried."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def find_flaw(
        self,
        name: str,
        call: Callable[[], object],
        config: Any,  # noqa: ANN401 # any container
        args: tuple[object, ...],
    ) -> str:
        """Return why a resolver is unstable, as the end of a sentence; an empty string if it is not.

        Args:
            name: The name of the resolver.
            call: Calls it with these arguments.
            config: The config whose cache it uses.
            args: The arguments.
        """
        key = name, repr(args)
        if key not in self._known:
            self._known[key] = ""  # of a resolver that resolves itself
            self._known[key] = _try(call, config, has_text=any(isinstance(a, str) for a in args))
        return self._known[key]


def _try(call: Callable[[], object], config: Any, *, has_text: bool) -> str:  # noqa: ANN401 # any container
    began = time.perf_counter()
    with _watch_process(has_text=has_text) as flaws:
        first = _fresh(call, config)
    if flaws:
        return flaws[0]
    for number in range(1, _CALLS):
        if number > 1 and time.perf_counter() - began > _LONGEST:
            break
        try:
            again = _fresh(call, config)
        except Exception:  # noqa: BLE001 # it is the user's code, and the first call raised nothing
            return _RANDOM
        if not _is_equal(first, again):
            return _RANDOM
    return ""


def _fresh(call: Callable[[], object], config: Any) -> object:  # noqa: ANN401 # as above
    OmegaConf.clear_cache(config)
    found = call()
    OmegaConf.clear_cache(config)
    return found


def _is_equal(one: object, other: object) -> bool:
    try:
        return bool(one == other) or repr(one) == repr(other)
    except Exception:  # noqa: BLE001 # whatever the type of the user's does
        return False


@contextlib.contextmanager
def _watch_process(*, has_text: bool) -> Iterator[list[str]]:
    """Collect what the calls within the block read of the clock and the process."""
    flaws: list[str] = []

    def watch(frame: FrameType, event: str, function: Any) -> None:  # noqa: ANN401 # as Python calls it
        if event != "c_call" or frame.f_globals.get("__name__", "").partition(".")[0] == "logging":
            return
        owner = getattr(function, "__self__", None)
        if function in _OF_TIME or (
            isinstance(owner, type)
            and issubclass(owner, dt.date)
            and function.__name__ in _OF_DATES
        ):
            flaws.append(_CLOCK)
        elif function is os.getpid:
            flaws.append(_PROCESS)
        elif function is hash and has_text:
            flaws.append(_HASH)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield flaws
    finally:
        sys.setprofile(before)
