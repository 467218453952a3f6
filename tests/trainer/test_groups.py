"""Every parameter is trained as the configuration says, or the configuration is refused."""

from typing import Any

import pytest
import torch
from run_files import MakeRun, Train, results_of
from torch import nn
from user_modules import Interrupted, sabotage

from trainer.build import build_modules
from trainer.errors import ConfigError
from trainer.groups import divide

CPU = torch.device("cpu")
ADAM = {"_target_": "torch.optim.AdamW", "lr": 0.1, "weight_decay": 0.5}
GOOD: dict[str, Any] = {
    "data": {"_target_": "user_modules.Tiny"},
    "model": {"_target_": "grouped_modules.Net"},
    "optimizer": ADAM,
    "criterion": {"_target_": "torch.nn.CrossEntropyLoss"},
}
NO_DECAY = {"kinds": ["norm", "bias"], "weight_decay": 0}


def groups_of(entries: Any, **changes: Any) -> list[tuple[set[str], float, float]]:
    """Return the names, the rate and the decay of each group of the built optimizer."""
    config = {**GOOD, "optimizer": ADAM | {"groups": entries}, **changes}
    modules = build_modules(config, CPU)
    criterion: Any = modules.criterion
    names = {id(each): name for name, each in modules.model.named_parameters()}
    names |= {id(each): f"criterion.{name}" for name, each in criterion.named_parameters()}
    return [
        ({names[id(each)] for each in group["params"]}, group["lr"], group["weight_decay"])
        for group in modules.optimizer.param_groups
    ]


def test_norms_and_biases_may_do_without_decay() -> None:
    """Whatever a norm's parameters are called; embeddings and matrices keep theirs."""
    assert groups_of([NO_DECAY]) == [
        ({"words.weight", "body.weight", "head.weight"}, 0.1, 0.5),
        ({"body.bias", "head.bias", "norm.weight", "norm.bias", "scale.gain"}, 0.1, 0),
    ]


def test_groups_are_selected_by_name_and_combined() -> None:
    """The bias of the head has the rate of the head and the decay of biases."""
    assert groups_of([{"match": "^head", "lr": 1.0}, NO_DECAY]) == [
        ({"words.weight", "body.weight"}, 0.1, 0.5),
        ({"body.bias", "norm.weight", "norm.bias", "scale.gain"}, 0.1, 0),
        ({"head.weight"}, 1.0, 0.5),
        ({"head.bias"}, 1.0, 0),
    ]


def test_match_and_kinds_both_have_to_hold() -> None:
    """An entry with both selects less than one with either."""
    found = groups_of([{"match": "head", "kinds": "bias", "lr": 2.0}])
    assert found[1] == ({"head.bias"}, 2.0, 0.5)


def test_every_parameter_may_be_selected() -> None:
    """There is no empty group then."""
    assert len(groups_of([{"match": "", "lr": 2.0}])) == 1


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"match": "a", "lr": 1}, r"^optimizer\.groups: .* is not a list of groups\. Write"),
        ([], r"^optimizer\.groups: \[\] is not a list"),
        ("bias", r"^optimizer\.groups: 'bias' is not a list"),
        (["bias"], r"^optimizer\.groups\[0\]: 'bias' has neither match nor kinds"),
        ([{"lr": 1}], r"^optimizer\.groups\[0\]: .* has neither match nor kinds"),
        ([{"match": "a"}], r"^optimizer\.groups\[0\]: it does not set any options"),
        ([{"match": "a", "params": 1, "lr": 1}], r"^optimizer\.groups\[0\]\.params: "),
        ([{"match": "(", "lr": 1}], r"^optimizer\.groups\[0\]\.match: '\(' is not a regular"),
        (
            [{"match": ["head"], "lr": 1}],
            r"^optimizer\.groups\[0\]\.match: \['head'\] is not a reg",
        ),
        ([{"match": None, "lr": 1}], r"^optimizer\.groups\[0\]\.match: None is not a regular"),
        ([{"kinds": [], "lr": 1}], r"^optimizer\.groups\[0\]\.kinds: it names no kind"),
        ([{"kinds": "norms", "lr": 1}], r"^optimizer\.groups\[0\]\.kinds: \['norms'\] is not a"),
        ([{"kinds": 3, "lr": 1}], r"^optimizer\.groups\[0\]\.kinds: 3 is not a list of norm"),
        ([NO_DECAY, {"match": "tail", "lr": 1}], r"^optimizer\.groups\[1\]: no parameter is sel"),
        (
            [{"match": "head", "wait_decay": 0}],
            r"wait_decay: AdamW does not have this option\. Did you",
        ),
    ],
)
def test_wrong_groups_are_refused_in_one_line(entries: Any, message: str) -> None:
    """The line names the entry."""
    with pytest.raises(ConfigError, match=message) as caught:
        groups_of(entries)
    assert "\n" not in str(caught.value)


def test_groups_are_trained_and_resumed(make_run: MakeRun, train: Train, tmp_path: Any) -> None:
    """With another result than without, and the same one after an interruption."""
    digests = []
    for name, groups in (("plain", None), ("whole", [NO_DECAY]), ("broken", [NO_DECAY])):
        optimizer = ADAM if groups is None else ADAM | {"groups": groups}
        changes = {"curriculum": sabotage(tmp_path, "step_end", 3, "raise")}
        run_dir = make_run(name, optimizer=optimizer, **(changes if name == "broken" else {}))
        if name == "broken":
            with pytest.raises(Interrupted):
                train(run_dir)
        train(run_dir)
        digests.append(results_of(run_dir)["digest"])
    assert digests[0] != digests[1] == digests[2]


WEIGHTS = {"_target_": "grouped_modules.WeightedLoss"}


def test_parameters_of_the_criterion_are_trained(make_run: MakeRun, train: Train) -> None:
    """They are part of the digest, and of the groups."""
    run_dir = make_run(criterion=WEIGHTS)
    train(run_dir)
    assert results_of(run_dir)["final"]["weight"] != 0.0
    groups = groups_of([{"match": "^criterion", "lr": 3.0}], criterion=WEIGHTS)
    assert groups[1] == ({"criterion.weight"}, 3.0, 0.5)


def test_parameters_that_an_optimizer_of_its_own_trains_are_left_to_it(
    make_run: MakeRun, train: Train
) -> None:
    """A criterion may be one half of a contest."""
    own = WEIGHTS | {"when": "init"}
    assert (
        len(build_modules(GOOD | {"criterion": own}, CPU).optimizer.param_groups[0]["params"]) == 8
    )
    train(make_run(criterion=own))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"criterion": WEIGHTS | {"when": "begin"}}, "^criterion: two optimizers have the param"),
        (
            {"criterion": WEIGHTS, "optimizer": {"_target_": "grouped_modules.of_the_model"}},
            "^criterion: no optimizer has parameters of WeightedLoss, as weight. Call",
        ),
        ({"curriculum": WEIGHTS}, "^curriculum: no optimizer has parameters of WeightedLoss"),
    ],
)
def test_parameters_that_are_trained_by_nobody_or_twice_are_refused(
    make_run: MakeRun, train: Train, changes: dict[str, Any], message: str
) -> None:
    """In one line, before the first batch."""
    with pytest.raises(ConfigError, match=message):
        train(make_run(**changes))


def test_frozen_parameters_of_a_criterion_are_left_alone(make_run: MakeRun, train: Train) -> None:
    """A network that only measures is not trained."""
    frozen = WEIGHTS | {"frozen": True}
    run_dir = make_run(criterion=frozen)
    train(run_dir)
    assert results_of(run_dir)["final"]["weight"] == 0.0


def test_tied_parameters_are_in_one_group() -> None:
    """Under the first of their names."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    groups = divide(model, {}, [{"match": "weight", "lr": 1}])
    assert [len(group["params"]) for group in groups] == [2, 1]


def test_state_of_every_module_is_in_the_digest(make_run: MakeRun, train: Train) -> None:
    """Two runs that differ in the state of a curriculum alone differ in their digests."""
    digests = set()
    for value in (1, 2):
        run_dir = make_run(
            f"run-{value}", curriculum={"_target_": "grouped_modules.Remembering", "value": value}
        )
        train(run_dir)
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"lr": -1},
            r"^optimizer.groups\[1\]: optimizer: torch.optim.SGD: Invalid learning rate: -1",
        ),
        ({"lr": "fast"}, r"^optimizer.groups\[1\]: optimizer.lr: 'fast' is not a number"),
        ({"momentum": -0.5}, r"^optimizer.groups\[1\]: optimizer.momentum: -0.5 is below 0"),
    ],
)
def test_value_of_a_group_is_checked_as_one_for_all(
    make_run: MakeRun, train: Train, options: dict[str, Any], message: str
) -> None:
    """PyTorch would take any, and climb with a negative rate."""
    groups = [{"kinds": "bias", "lr": 0.01}, {"match": "weight", **options}]
    with pytest.raises(ConfigError, match=message):
        train(make_run(optimizer={"_target_": "torch.optim.SGD", "lr": 0.1, "groups": groups}))


def test_value_that_only_groups_can_have_is_taken(make_run: MakeRun, train: Train) -> None:
    """Some are not arguments of the constructor."""
    groups = [{"kinds": "bias", "weight_decay": 0.0, "decoupled_weight_decay": False}]
    train(make_run(optimizer={"_target_": "torch.optim.AdamW", "lr": 0.1, "groups": groups}))
