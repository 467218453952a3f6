"""Suggestions for misspelled callbacks: by letters, meaning and parameters."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

BEGIN = (
    *("begin", "beginning", "begins", "begun", "start", "started", "starts", "enter"),
    *("before", "pre", "setup", "init"),
)
END = (
    *("end", "ending", "ends", "ended", "finish", "finished", "stopped", "complete", "completed"),
    *("done", "exit", "after", "post", "teardown"),
)
TRAIN = ("train", "training", "fit", "run", "")
ITERATION = (
    *("iteration", "iter", "it", "epoch", "round"),
    *("trainiteration", "trainingiteration", "trainepoch", "trainingepoch"),
)
EVALUATION = (
    *(
        "evaluation",
        "evaluate",
        "evaluating",
        "eval",
        "validation",
        "validate",
        "validating",
        "val",
    ),
    *("validationepoch", "valid", "inference"),
)
STEP = ("step", "batch", "minibatch", "trainbatch", "trainstep", "trainingstep", "optimizerstep")
# The names of the same events in other frameworks: (what, when).
WORDS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "cb_on_train_begin": (TRAIN, BEGIN),
    "cb_on_train_end": ((*TRAIN, "test", "testing"), END),
    "cb_on_iteration_begin": (ITERATION, BEGIN),
    "cb_on_iteration_end": (ITERATION, END),
    "cb_on_evaluation_begin": ((*EVALUATION, "test", "testing"), BEGIN),
    "cb_on_evaluation_end": (EVALUATION, END),
    "cb_on_loader_exhausted": (
        ("loader", "dataloader", "trainloader", "iterator", "data", "dataset", "batches", "pass"),
        ("exhausted", "exhaust", "exhaustion", "empty", "consumed", "over", "stopiteration", *END),
    ),
    "cb_on_step_begin": (STEP, BEGIN),
    "cb_on_step_end": ((*STEP, "update", "backward", "loss"), (*END, "")),
    "cb_on_update": (("update", "manualupdate", "optimization", "manualoptimization"), ("",)),
}
PREFIX = re.compile("(callback|cb|oncb)?(on)?")
OWN_BEGINNING = re.compile("(callback|cb)_?on_|on_?(callback|cb)_", re.IGNORECASE)
# The right parameters outweigh two or three letters, such as the difference of "begin" and "end".
RIGHT_PARAMETERS = 2.5
# Edits from which on a name does not count as a misspelling.
FAR = 4
TYPING_ERRORS = 2


def nearest_event(name: str, with_right_parameters: Collection[str] = ()) -> tuple[str, bool]:
    """Return the event that a name most probably means, and whether it is near to it.

    Args:
        name: The name of a method that was probably meant as a callback.
        with_right_parameters: The events whose parameters the method takes.
    """
    letters = _letters(name)
    words = PREFIX.sub("", letters, count=1)
    in_letters = {event: edit_distance(letters, _letters(event)) for event in WORDS}
    distances = {event: min(in_letters[event], _distance_in_words(words, event)) for event in WORDS}

    def farness(event: str) -> tuple[float, int]:
        bonus = RIGHT_PARAMETERS if event in with_right_parameters else 0
        return distances[event] - bonus, in_letters[event]

    nearest = min(WORDS, key=farness)
    return nearest, distances[nearest] <= FAR


def looks_like_an_event(name: str) -> bool:
    """Return whether a name is an event's, except for case, underscores and up to two typing errors.

    A name that begins with `cb_on_`, or a variant of it, was always meant as an event.
    """
    if OWN_BEGINNING.match(name):
        return True
    letters = re.sub("^callback", "cb", _letters(name))
    if letters.startswith("on"):  # methods of other frameworks
        return False
    # A letter that only one of them has counts as an error, which excludes most names quickly.
    own = frozenset(letters)
    return any(
        abs(len(letters) - len(event)) <= TYPING_ERRORS
        and len(own - others) <= TYPING_ERRORS
        and len(others - own) <= TYPING_ERRORS
        and edit_distance(letters, event) <= TYPING_ERRORS
        for event, others in _events_in_letters()
    )


@lru_cache(maxsize=1)
def _events_in_letters() -> list[tuple[str, frozenset[str]]]:
    """Return each event as letters, in their order and as a set."""
    return [(letters, frozenset(letters)) for letters in map(_letters, WORDS)]


@lru_cache(maxsize=10_000)
def edit_distance(first: str, second: str) -> int:
    """Count the letters to insert, delete, replace or swap with their neighbour to get a string.

    Optimal string alignment, the restricted form of Damerau 1964, "A technique for computer
    detection and correction of spelling errors".
    """
    before: list[int] = []
    row: list[int] = [*range(len(second) + 1)]
    for i, letter in enumerate(first, 1):
        two_before, before, row = before, row, [i]
        for j, other in enumerate(second, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + int(letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                cost = min(cost, two_before[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _letters(name: str) -> str:
    return name.lower().replace("_", "")


def _distance_in_words(words: str, event: str) -> int:
    """Return the distance to the nearest name of an event, with its words in any order."""
    whats, whens = WORDS[event]
    distance = len(words)
    for place in range(len(words) + 1):
        halves = words[:place], words[place:]
        for first, second in ((whats, whens), (whens, whats)):
            distance = min(distance, _nearest(halves[0], first) + _nearest(halves[1], second))
    return distance


def _nearest(half: str, words: Sequence[str]) -> int:
    return min(edit_distance(half, word) for word in words)
