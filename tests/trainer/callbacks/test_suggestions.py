"""A misspelt callback is refused when the trainer is built, and the right one is named."""

# ruff: noqa: ARG001, ARG002, ARG005, S311 - a callback's parameters are what is tested

from collections.abc import Callable, Iterator
from functools import cached_property, partial, partialmethod, wraps
from itertools import cycle, islice, product
from random import Random
from typing import Any

import pytest
import torch
from thinning import others_in_soak
from torch import nn
from user_modules import Tiny

from trainer.callbacks.events import PARAMETERS, collect_callbacks
from trainer.callbacks.suggestions import edit_distance
from trainer.errors import CallbackError

LETTERS = "abcdefghijklmnopqrstuvwxyz"
# What other frameworks call it, and what we do.
MEANINGS = {
    "cb_on_train_begin": (
        *("cb_training_begin", "cb_on_training_begin", "cb_on_train_start", "cb_on_fit_start"),
        *("cb_before_train", "cb_on_start", "cb_before_fit", "cb_on_setup", "cb_on_trainBegin"),
    ),
    "cb_on_train_end": (
        *("cb_after_train", "cb_on_training_end", "cb_on_fit_end", "cb_train_end", "cb_on_end"),
        *("cb_on_test_end", "cb_on_train_finished", "cb_on_run_end", "cb_on_complete"),
    ),
    "cb_on_iteration_begin": (
        *("cb_on_epoch_begin", "cb_on_epoch_start", "cb_on_train_epoch_start", "cb_before_epoch"),
        *("cb_on_iter_begin", "cb_iteration_start", "cb_begin_iteration", "cb_on_iterationBegin"),
    ),
    "cb_on_iteration_end": (
        *("cb_on_epoch_end", "cb_on_iter_end", "cb_on_train_epoch_end", "cb_after_epoch"),
        "cb_on_iteration_finished",
    ),
    "cb_on_evaluation_begin": (
        *("cb_on_validation_start", "cb_on_eval_begin", "cb_before_validate", "cb_on_val_start"),
        *("cb_on_test_start", "cb_on_evaluation_start", "cb_before_evaluation"),
    ),
    "cb_on_evaluation_end": (
        *("cb_on_validation_end", "cb_on_eval_end", "cb_after_validate", "cb_on_val_end"),
        *("cb_on_evaluation_finished", "cb_after_evaluation"),
    ),
    "cb_on_loader_exhausted": (
        *("cb_on_loader_end", "cb_on_dataloader_exhausted", "cb_on_data_end", "cb_loader_empty"),
        *("cb_on_loader_exhaustion", "cb_on_exhausted_loader", "cb_on_data_loader_finished"),
    ),
    "cb_on_step_begin": (
        *("cb_on_batch_begin", "cb_on_batch_start", "cb_on_train_batch_start", "cb_before_step"),
        *("cb_before_batch", "cb_step_begin", "cb_on_stepbegin", "cb_on_training_step_begin"),
    ),
    "cb_on_step_end": (
        *("cb_on_batch_end", "cb_after_batch", "cb_on_train_batch_end", "cb_on_optimizer_step_end"),
        *("cb_after_step", "cb_step_end", "cb_on_minibatch_end", "cb_on_steps_end"),
        "cb_on_step",
    ),
    "cb_on_update": ("cb_update", "cb_onupdate", "cb_on_updates", "cb_on_manual_optimization"),
}


def make_module(role: str, attributes: dict[str, Any]) -> object:
    """Make a module of the kind that plays a role, with some attributes of its class."""
    weight = nn.Parameter(torch.zeros(1))
    if role == "model":
        return type("Model", (nn.Linear,), attributes)(2, 2)
    if role == "optimizer":
        return type("Optimizer", (torch.optim.SGD,), attributes)([weight], 0.1)
    if role == "scheduler":
        base = torch.optim.lr_scheduler.StepLR
        return type("Scheduler", (base,), attributes)(torch.optim.SGD([weight], 0.1), 1)
    base = {"data": Tiny, "criterion": nn.CrossEntropyLoss, "curriculum": object}[role]
    return type(role.title(), (base,), attributes)()


ROLES = ("data", "model", "optimizer", "scheduler", "criterion", "curriculum")


def declared(parameters: str) -> Callable[..., None]:
    """Declare a method with parameters."""
    method: Callable[..., None] = eval(f"lambda {parameters}: None")  # noqa: S307 - our own text
    return method


def right_one(event: str) -> Callable[..., None]:
    """Declare a method as an event demands it."""
    return declared(", ".join(("self", *PARAMETERS[event])))


def mistype(name: str, random: Random, first: int = 0) -> str:
    """Make one typing error, at `first` or behind it."""
    place = random.randrange(first, len(name))
    letter = random.choice(LETTERS)
    following = name[place + 1 : place + 2]
    wrong = random.choice(
        (
            name[:place] + name[place + 1 :],
            name[:place] + name[place] + name[place:],
            name[:place] + letter + name[place + 1 :],
            name[:place] + following + name[place] + name[place + 2 :],
            name[:place] + letter + name[place:],
        )
    )
    return name if wrong.startswith("_") else wrong


def misspelt(event: str, random: Random) -> Iterator[str]:
    """Yield misspellings of an event for ever."""
    while True:
        yield mistype(event, random)
        yield mistype(mistype(event, random, first=3), random, first=3)
        yield random.choice(MEANINGS[event])
        camel = "".join(part.title() for part in event.split("_"))
        end = event.removeprefix("cb_")
        yield random.choice((event.title(), event.upper(), "c" + camel[1:], camel, end, f"cb{end}"))
        yield random.choice((f"{event}s", f"{event}_", f"callback_{end}", f"cb_{end[3:]}"))


def wrongly_declared(event: str) -> Iterator[Any]:
    """Yield declarations that an event cannot call."""
    names = PARAMETERS[event]
    given = ", ".join(names)

    async def asynchronous(self: object, *values: object) -> None:
        """Never run."""

    def generator(self: object, *values: object) -> Iterator[None]:
        yield

    @wraps(declared("self"))
    def pretending(self: object, *values: object) -> None:
        """Take more than the function that it calls."""

    yield declared("")
    yield declared("self")
    yield declared(given)
    yield declared(f"self, {given}, more")
    yield declared(f"self, {given}, *, more")
    yield declared(f"self, {', '.join(f'a_{name}' for name in names)}")
    yield declared(f"self, model, {given}")
    yield staticmethod(right_one(event))
    yield asynchronous
    yield generator
    yield pretending
    yield property(right_one(event))
    yield cached_property(declared("self"))
    yield None
    yield "text"
    yield partial(right_one(event), None, None)
    if len(names) > 1:
        yield declared(f"self, {', '.join(names[:-1])}")
        yield declared(f"self, {', '.join(reversed(names))}")


def refusal(role: str, attributes: dict[str, Any]) -> str:
    """Return why a module with these attributes is refused."""
    try:
        collect_callbacks({role: make_module(role, attributes)})
    except CallbackError as error:
        return str(error)
    pytest.fail(f"{role} with {attributes} was not refused")


@pytest.mark.parametrize("is_thin", others_in_soak([True, False], [True]))
def test_misspelt_or_wrongly_declared_callbacks_are_refused_with_the_right_one(
    *, is_thin: bool
) -> None:
    """None is let through, and 97 % are understood.

    Each event is that of one of the roles in turn, or that of each role.
    """
    random = Random(0)
    understood = count = 0
    pairs = [
        *(zip(cycle(ROLES), PARAMETERS, strict=False) if is_thin else product(ROLES, PARAMETERS))
    ]
    for role, event in pairs:
        method = right_one(event)
        wrong = [
            {name: method} for name in {*islice(misspelt(event, random), 5)} - PARAMETERS.keys()
        ]
        wrong += [{event: declaration} for declaration in wrongly_declared(event)]
        for attributes in wrong:
            said = refusal(role, attributes)
            assert said.startswith(role)
            assert "\n" not in said
            understood += f"'{event}'?" in said or f"`def {event}(self, " in said
            count += 1
    assert count > 20 * len(pairs)
    assert understood > 0.97 * count


@pytest.mark.parametrize(
    ("name", "event"), [(name, event) for event, names in MEANINGS.items() for name in names]
)
def test_name_of_another_framework_is_understood(name: str, event: str) -> None:
    """The nearest is the nearest in meaning, even if nothing is known of the parameters."""
    module = make_module("curriculum", {name: declared("*values")})
    with pytest.raises(CallbackError, match=rf"Did you mean '{event}'\?"):
        collect_callbacks({"curriculum": module})


@pytest.mark.parametrize(
    ("parameters", "event"),
    [("metrics", "cb_on_iteration_end"), ("", "cb_on_iteration_begin")],
)
def test_parameters_decide_what_a_name_leaves_open(parameters: str, event: str) -> None:
    """A callback that takes the metrics means the end."""
    method = declared(f"self, trainer, iteration, {parameters}")
    module = make_module("data", {"cb_on_iteration": method})
    with pytest.raises(CallbackError, match=rf"Did you mean '{event}'\?"):
        collect_callbacks({"data": module})


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("on_cb_step_end", "cb_on_step_end"),
        ("on_cb_train_begin", "cb_on_train_begin"),
        ("CB_on_batch_end", "cb_on_step_end"),
        ("callback_on_epoch_end", "cb_on_iteration_end"),
        ("Cb_On_loader_end", "cb_on_loader_exhausted"),
    ],
)
def test_own_beginning_is_known_in_any_order_and_case(name: str, event: str) -> None:
    """However far the rest is from an event's name."""
    module = make_module("curriculum", {name: declared("self, *values")})
    with pytest.raises(CallbackError, match=f"Did you mean '{event}'"):
        collect_callbacks({"curriculum": module})


def test_helper_that_is_no_callback_is_told_how_to_be_called() -> None:
    """A name that is near to nothing was probably not meant as a callback."""
    module = make_module("data", {"cb_plot_confusion_matrix": declared("self")})
    with pytest.raises(CallbackError, match="give it a name that does not begin with cb_"):
        collect_callbacks({"data": module})


def rightly_declared(event: str) -> Iterator[Any]:
    """Yield declarations that fit an event."""
    names = PARAMETERS[event]
    given = ", ".join(names)

    def annotated(self: object, *values: int) -> None:
        """Do nothing."""

    @wraps(right_one(event))
    def decorated(*values: object, **named: object) -> None:
        """Pass everything on."""

    @wraps(declared(f"self, {given}, injected"))
    def injecting(self: object, trainer: object, *, verbose: bool = False) -> None:
        """Have parameters of its own."""

    yield right_one(event)
    yield declared(f"self, {given}, more=1, *, another=2")
    yield declared(f"self, {', '.join(f'{name}=None' for name in names)}")
    yield declared(f"self, {', '.join(f'_{name}' for name in names)}")
    yield declared(f"self, *, {given}")
    yield declared(f"self, {names[0]}, *rest, **named")
    yield declared(f"_, {given}, /")
    yield annotated
    yield decorated
    yield staticmethod(declared(given))
    yield classmethod(right_one(event))
    yield partial(declared(f"before, {given}"), None)
    yield partial(declared(f"{given}, verbose"), verbose=True)
    yield partialmethod(declared(f"self, {given}, more"), more=1)
    yield torch.no_grad()(right_one(event))
    if len(names) == 1:
        yield injecting


@pytest.mark.parametrize("role", ROLES)
def test_right_callbacks_are_accepted(role: str) -> None:
    """Annotations, defaults, decorators and the kind of method do not matter."""
    for event in PARAMETERS:
        for declaration in rightly_declared(event):
            callbacks = collect_callbacks({role: make_module(role, {event: declaration})})
            getattr(callbacks, event)[0](*range(len(PARAMETERS[event])))


def test_inherited_callbacks_and_those_of_an_instance_are_called() -> None:
    """Whatever the object answers to under an event's name is its callback."""
    heard = []

    class Parent:
        __slots__ = ("cb_on_step_begin", "cb_on_train_begin")

        def __init__(self) -> None:
            self.cb_on_train_begin = lambda trainer: heard.append("instance")

        def cb_on_train_end(self, trainer: object, test_results: object) -> None:
            heard.append("parent")

    callbacks = collect_callbacks({"data": type("Child", (Parent,), {})()})
    callbacks.cb_on_train_begin[0](None)  # type: ignore[arg-type]
    callbacks.cb_on_train_end[0](None, {})  # type: ignore[arg-type]
    assert heard == ["instance", "parent"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"on_train_end": declared("self")},
        {"on_train_end": declared("self, trainer, pl_module")},
        {"on_epoch_end": declared("self, trainer, iteration, metrics")},
        {"_cb_log": declared("self"), "__cb_on": 1},
        {"combine": declared("self"), "cbam": nn.ReLU(), "callback": 3, "train_begin": 1},
    ],
)
def test_names_that_are_none_of_ours_are_left_alone(attributes: dict[str, Any]) -> None:
    """Hooks of other frameworks and private methods are not callbacks."""
    assert not any(
        getattr(collect_callbacks({"model": make_module("model", attributes)}), event)
        for event in PARAMETERS
    )


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("", "abc", 3), ("kitten", "sitting", 3), ("begin", "bigen", 2), ("end", "edn", 1)],
)
def test_edit_distance_counts_typing_errors(first: str, second: str, distance: int) -> None:
    """Swapped neighbours are one error."""
    assert edit_distance(first, second) == edit_distance(second, first) == distance
