"""Whatever the user's code returns, the run is done with results, or says in one line what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from returning import VALUES

if TYPE_CHECKING:
    from run_files import End, EndsOf, MakeRun

LOADING: dict[str, Any] = {
    "collate_fn": {"collate_fn": {"_target_": "returning.collate", "_partial_": True}},
    "sampler.__iter__": {"sampler": {"_target_": "returning.Order"}},
    "an index": {"sampler": {"_target_": "returning.Order"}},
}
PLACES = [
    *LOADING,
    *("data.train", "data.validation", "data.__len__", "data.__getitem__"),
    *("model.forward", "model.forward, training", "model.forward, evaluating"),
    *("criterion.forward", "criterion.forward, evaluating"),
    *("scheduler.get_lr", "a rate", "metric.compute", "curriculum.state_dict", "a state"),
    *("restrict", "a metric", "the name of a metric", "a result"),
    *("stream.__iter__", "a sample of a stream", "cb_on_update"),
]


TURNS = 2


def values_at(place: str) -> list[str]:
    """Return the values that are tried at a place: `None`, and some others in turn."""
    others = [what for what in VALUES if what != "None"]
    number = PLACES.index(place)
    return ["None", *(others[(number * TURNS + turn) % len(others)] for turn in range(TURNS))]


def test_there_are_many_cases_and_each_value_is_tried() -> None:
    """The tables are as large as they should be."""
    tried = [what for place in PLACES for what in values_at(place)]
    assert len(tried) > 60
    assert min(map(tried.count, VALUES)) >= 1


def fault_of(end: End) -> str:
    """Return what is wrong with the end of a run; nothing if it ended as it should."""
    code, said, has_results = end
    if has_results != (code == 0):
        return f"exit code {code}, results: {has_results}"
    if code and not (end.is_line or (code == 1 and 'returning.py", line' in said)):
        return f"exit code {code}, neither one line nor a place in the user's code: {said[-1500:]}"
    return ""


@pytest.mark.parametrize("place", PLACES)
def test_wrong_value_is_one_line_or_does_no_harm(
    make_run: MakeRun, ends_of: EndsOf, place: str
) -> None:
    """Of several kinds, at this place."""
    check(make_run, ends_of, place, values_at(place))


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES)
def test_any_wrong_value_is_one_line_or_does_no_harm(
    make_run: MakeRun, ends_of: EndsOf, place: str
) -> None:
    """Of all kinds, at every place."""
    check(make_run, ends_of, place, [*VALUES])


def check(make_run: MakeRun, ends_of: EndsOf, place: str, values: list[str]) -> None:
    """Return each of some values at a place, and look at how the runs end."""
    modules = {
        role: {"_target_": f"returning.{name}"}
        for role, name in (
            *(("model", "Model"), ("criterion", "Loss")),
            *(("scheduler", "Scheduler"), ("curriculum", "Curriculum")),
        )
    }
    if place == "cb_on_update":
        modules["model"] = {"_target_": "returning.Updating"}
    run_dirs = {
        what: make_run(
            f"{number}",
            iterations=2,
            data={"_target_": "returning.Data", "where": place, "what": what},
            metrics={"own": {"_target_": "returning.Metric"}, "accuracy": False},
            checkpoint={"metric": "validation/loss"},
            dataloader=LOADING.get(place, {}),
            **modules,
        )
        for number, what in enumerate(values)
    }
    faults = {what: fault_of(end) for what, end in ends_of(run_dirs).items()}
    assert {what: fault for what, fault in faults.items() if fault} == {}
