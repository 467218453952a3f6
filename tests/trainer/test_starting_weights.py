"""A run begins with the weights of another run or of a file; what does not fit is told."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import MakeRun, Train, checkpoints_of, results_of
from torch import nn

import trainer as package
from trainer.checkpoints.reading import read_model_state
from trainer.config_file import read_config
from trainer.errors import TrainerError
from trainer.init_settings import InitSettings
from trainer.starting_weights import begin_with_weights, content_digest, fit_weights
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from pathlib import Path

    from run_files import Interrupt

RUNS = ("folder", "unfinished", "other program", "without weights", "without the best")
STILL = {"optimizer": {"_target_": "torch.optim.SGD", "lr": 0.0}}  # weights stay as they begin


class LowRank(nn.Linear):
    """Add an update to its weights for evaluations."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.change = nn.Parameter(torch.ones(outputs, inputs))

    def train(self, mode: bool = True) -> LowRank:  # noqa: FBT001, FBT002 - PyTorch's signature
        """Take the update out of the weights, or add it."""
        if mode is not self.training:
            with torch.no_grad():
                self.weight += self.change * (-1 if mode else 1)
        return super().train(mode)


def begin(path: Path | str, model: nn.Module, digest: str | None = None) -> None:
    """Give a model the weights of a run or a file."""
    begin_with_weights(model, InitSettings(str(path), digest))


def source(make_run: MakeRun, train: Train, **changes: Any) -> Path:
    """Return a run that is done, with other initial weights than the runs of the tests."""
    run_dir = make_run("source", **{"seed": 1, **changes})
    train(run_dir)
    return run_dir


def weights_of(run_dir: Path) -> dict[str, torch.Tensor]:
    """Return the weights after the last iteration of a run."""
    return read_model_state(checkpoints_of(run_dir)[-1])


def is_equal(one: Any, other: Any) -> bool:
    """Return whether two models have the same weights."""
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("form", ["run", "checkpoint", "state_dict", "model", "plain", "legacy"])
def test_run_begins_with_the_best_weights_of_another(
    make_run: MakeRun, train: Train, tmp_path: Path, form: str
) -> None:
    first = source(make_run, train)
    wanted = package.load(first).state_dict()
    path = tmp_path / "weights.pt"
    match form:
        case "run":
            path = first
        case "checkpoint":
            path = first / "checkpoints" / "best.pt"
        case "plain" | "legacy":
            torch.save(wanted, path, _use_new_zipfile_serialization=form == "plain")
        case _:
            torch.save({form: wanted, "epoch": 3}, path)
    run_dir = make_run(init_from=str(path), iterations=1, **STILL)
    train(run_dir)
    assert is_equal(weights_of(run_dir), wanted)


@pytest.mark.parametrize("model", [{}, {"model": {"_target_": "stand_ins.TiedGpt"}}])
def test_average_is_taken_where_the_evaluations_have_used_it(
    make_run: MakeRun, train: Train, model: dict[str, Any]
) -> None:
    first = source(make_run, train, ema={"decay": 0.9}, **model)
    run_dir = make_run(init_from=str(first), iterations=1, **STILL, **model)
    train(run_dir)
    assert is_equal(weights_of(run_dir), package.load(first).state_dict())
    assert not is_equal(weights_of(run_dir), read_model_state(first / "checkpoints" / "best.pt"))


@pytest.mark.parametrize("ema", [None, {"decay": 0.5}])
def test_model_that_changes_its_weights_for_evaluations_begins_as_it_was_trained(
    make_run: MakeRun, train: Train, ema: dict[str, Any] | None
) -> None:
    """LoRA's layers merge their update for evaluations."""
    merging = {"model": {"_target_": "odd_modules.Merging"}}
    first = source(make_run, train, ema=ema, **merging)
    run_dir = make_run(init_from=str(first), iterations=1, **STILL, **merging)
    train(run_dir)
    wanted = package.load(first).train().state_dict()
    for name, each in weights_of(run_dir).items():
        torch.testing.assert_close(each, wanted[name])


@pytest.mark.parametrize("form", ["run", "checkpoint", "copy"])
def test_weights_of_a_model_that_merges_are_taken_as_they_were_trained(
    make_run: MakeRun, train: Train, tmp_path: Path, form: str
) -> None:
    merging = {"model": {"_target_": "odd_modules.Merging"}}
    first = source(make_run, train, **merging)
    path = {"run": first, "checkpoint": first / "checkpoints" / "best.pt"}.get(form)
    if path is None:
        path = tmp_path / "copy.pt"
        shutil.copy(first / "checkpoints" / "best.pt", path)
    run_dir = make_run(init_from=str(path), iterations=1, **STILL, **merging)
    train(run_dir)
    assert is_equal(weights_of(run_dir), read_model_state(first / "checkpoints" / "best.pt"))


def test_layer_without_a_shape_is_refused(tmp_path: Path) -> None:
    """It would take any, also that of another number of classes."""
    first, path = nn.Linear(6, 6), tmp_path / "x.pt"
    model = nn.Sequential(nn.Linear(6, 6), nn.LazyLinear(2))
    torch.save(nn.Sequential(first, nn.Linear(6, 5)).state_dict(), path)
    with pytest.raises(TrainerError, match=r"^init_from: 1\.weight has no shape before"):
        begin(path, model)
    torch.save(nn.Sequential(first).state_dict(), path)
    begin(path, model)  # it has nothing for that layer
    assert torch.equal(model[0].weight, first.weight)


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("is_old", [False, True])
def test_model_that_merges_begins_with_the_weights_of_one_that_does_not(
    tmp_path: Path,
    *,
    is_old: bool,
    mode: bool,
) -> None:
    """Its own update is not in them, also those that an earlier version saved."""
    weights = nn.Linear(6, 2).state_dict()
    state = {"modules": {"model": weights}} | ({} if is_old else {"modes": {"model": {"": False}}})
    torch.save({"state": state}, tmp_path / "x.pt")
    begin(tmp_path / "x.pt", model := LowRank(6, 2).train(mode))
    assert model.training is mode
    torch.testing.assert_close(model.train().weight.detach(), weights["weight"])


def test_merged_weights_that_an_earlier_version_saved_are_taken_as_they_were_trained(
    tmp_path: Path,
) -> None:
    saved = LowRank(6, 2)
    trained = saved.weight.detach().clone()
    torch.save({"state": {"modules": {"model": saved.eval().state_dict()}}}, tmp_path / "x.pt")
    begin(tmp_path / "x.pt", model := LowRank(6, 2))
    assert model.training
    torch.testing.assert_close(model.weight.detach(), trained)


@pytest.mark.parametrize("iteration", [1, 2])
def test_interrupted_run_ends_with_the_same_bits(
    make_run: MakeRun, train: Train, interrupt: Interrupt, iteration: int
) -> None:
    first = source(make_run, train)
    interrupt("iteration_begin", iteration, init_from=str(first), model__dropout=0.3)


def test_resumed_run_does_not_read_the_weights_again(make_run: MakeRun, train: Train) -> None:
    """It may even be gone."""
    first = source(make_run, train)
    changes = {"init_from": str(first), "init_from_digest": content_digest(first)}
    whole, stopped = make_run("whole", **changes), make_run("stopped", **changes)
    train(whole)
    begun = ModularTaskTrainer(read_config(stopped / "config.yaml"), stopped)
    begun.stop_after = 2
    with pytest.raises(Exception, match="2"):
        begun.train()
    first.rename(first.with_name("gone"))
    train(stopped)
    assert results_of(stopped)["digest"] == results_of(whole)["digest"]


def test_what_does_not_fit_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    given = {
        "0.weight": torch.ones(3, 2),
        "0.bias": torch.ones(4),
        "1.num_batches_tracked": torch.tensor(1.5),  # not a whole number
        **{f"head.{number}": torch.ones(1) for number in range(5)},
    }
    torch.save(given, tmp_path / "w.pt")
    before = model[2].weight.clone()
    begin(tmp_path / "w.pt", model)
    assert torch.equal(model[0].weight, torch.ones(3, 2))
    assert torch.equal(model[2].weight, before)
    told = capsys.readouterr()
    assert (told.out + told.err).strip() == (
        f"begins with the weights of {tmp_path / 'w.pt'}: 1 of 9 parameters and buffers; 6 missing there:"
        " 1.weight, 1.bias, 1.running_mean, ...; 2 with another shape or type: 0.bias,"
        " 1.num_batches_tracked; 5 unexpected: head.0, head.1, head.2, ..."
    )


def test_what_is_no_tensor_is_left_out() -> None:
    fit = fit_weights(nn.Linear(1, 1), {"weight": [[1.0]], "bias": torch.ones(1), "epoch": 3})
    assert [*fit.weights], fit.missing == (["bias"], ["weight"])
    assert fit.unexpected == []


class Compiled(nn.Module):
    """Names its weights as what `torch.compile` returns, which takes seconds to import."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._orig_mod = model


def wrapped(model: nn.Sequential, wrapper: str) -> nn.Module:
    """Return a model as a training may have wrapped it before saving."""
    match wrapper:
        case "compiled":
            return Compiled(model)
        case "averaged":
            return torch.optim.swa_utils.AveragedModel(model)
        case "parallel":
            return nn.DataParallel(model)
        case "both":
            return nn.DataParallel(Compiled(model))
        case "a part":
            return nn.Sequential(Compiled(model[0]), model[1])
    return model


@pytest.mark.parametrize("wrapper", ["none", "compiled", "averaged", "parallel", "both", "a part"])
@pytest.mark.parametrize("prefix", ["", "encoder.", "deep.er."])
def test_what_wraps_a_model_or_contains_it_adds_nothing_to_its_names(
    wrapper: str, prefix: str
) -> None:
    """The names are those that PyTorch gives them."""
    first, second = (nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)) for _ in range(2))
    saved = wrapped(first, wrapper).state_dict()
    inner = {f"{prefix}{name}": value for name, value in saved.items()}
    fit = fit_weights(second, inner | ({"head.weight": torch.ones(1)} if prefix else {}), prefix)
    assert (fit.missing, fit.other, fit.apart) == ([], [], 1 if prefix else 0)
    assert [*fit.unexpected] == (["n_averaged"] if wrapper == "averaged" else [])
    assert is_equal(dict(sorted(fit.weights.items())), dict(sorted(first.state_dict().items())))


def test_wrapper_around_the_prefix_is_removed_before_it() -> None:
    one, two = torch.ones(1, 1), torch.ones(1)
    saved = {"module.encoder._orig_mod.weight": one, "module.encoder.bias": two, "module.x": two}
    fit = fit_weights(nn.Linear(1, 1), saved, "encoder.")
    assert (fit.missing, fit.unexpected, fit.apart) == ([], [], 1)
    assert fit.describe() == "2 of 2 parameters and buffers; 1 without the prefix"


def test_name_that_the_model_has_is_left_as_it_is() -> None:
    """Its own module may be called so, and the plain name wins over a wrapped one."""
    model = nn.ModuleDict({"module": nn.Linear(1, 1, bias=False)})
    assert fit_weights(model, {"module.weight": torch.ones(1, 1)}).missing == []
    for names in (("weight", "module.weight"), ("module.weight", "weight")):
        saved = {name: torch.full((1, 1), float(name == "weight")) for name in names}
        fit = fit_weights(nn.Linear(1, 1, bias=False), saved)
        assert float(fit.weights["weight"]) == 1


def test_prefix_of_the_config_is_that_of_a_run(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    first = source(make_run, train)
    wanted = package.load(first).state_dict()
    saved = {f"encoder.{name}": value for name, value in wanted.items()}
    torch.save(saved | {"head.bias": torch.ones(1)}, tmp_path / "w.pt")
    path = str(tmp_path / "w.pt")
    run_dir = make_run(init_from=path, init_from_prefix="encoder", iterations=1, **STILL)
    train(run_dir)
    assert is_equal(weights_of(run_dir), wanted)


def test_safetensors_are_read_if_they_can_be(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "w.safetensors"
    safetensors.save_file({"weight": torch.ones(1, 1), "bias": torch.ones(1)}, path)
    model = nn.Linear(1, 1)
    begin(path, model)
    assert is_equal(model.state_dict(), {"weight": torch.ones(1, 1), "bias": torch.ones(1)})
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TrainerError, match=r"it cannot be used: .*Name a file with a state_dict"):
        begin(path, model)


def test_safetensors_that_are_not_installed_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(
        TrainerError, match=r"is not installed. Install it: pip install safetensors"
    ):
        begin(tmp_path / "w.safetensors", nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("missing", r"^init_from: .*nothing: No such file or directory. Correct the path"),
        ("other", r"^init_from: nothing in .* fits the model: 0 of 2 .*1 unexpected: a\. Name"),
        ("cut", r"it cannot be used: .*\. Name a file with a state_dict"),
        ("flipped", r"it cannot be used: .* is damaged"),
        ("text", r"it cannot be used: it is damaged, or torch.save did not write it"),
        ("empty", r"it cannot be used: it is damaged, or torch.save did not write it"),
        (
            "module",
            r"it cannot be used: .*Weights only load failed\. Name a file with a state_dict",
        ),
        ("tensor", r"it cannot be used: .* has a Tensor, not a mapping"),
        ("folder", r"^init_from: .*: it is not a run directory. Correct the path"),
        ("unfinished", r"^init_from: .*: the run is not done. Run it to its end"),
        ("other program", r"^init_from: .*: results.json is not that of the trainer"),
        (
            "without weights",
            r"^init_from: .*: there are no checkpoints. Restore it, or name a file with weights\.$",
        ),
        (
            "without the best",
            r"^init_from: .*: it is gone, and so is iteration 3, the best one. Restore it, or name a",
        ),
    ],
)
def test_weights_that_cannot_be_used_are_one_line(tmp_path: Path, spoil: str, said: str) -> None:
    path = spoiled_run(tmp_path, spoil) if spoil in RUNS else spoiled_file(tmp_path, spoil)
    with pytest.raises(TrainerError, match=said) as raised:
        begin(path, nn.Linear(1, 1))
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def spoiled_file(tmp_path: Path, spoil: str) -> Path:
    """Return a file that cannot be used."""
    path = tmp_path / "it.pt"
    saved = {"tensor": torch.ones(1), "module": nn.Linear(1, 1), "other": {"a": torch.ones(1)}}
    torch.save(saved.get(spoil, {"weight": torch.ones(200, 200)}), path)
    content = path.read_bytes()
    middle = len(content) // 2
    contents = {
        "cut": content[:-40],
        "flipped": content[:middle] + b"\1" + content[middle + 1 :],
        "text": b"hello",
        "empty": b"",
    }
    path.write_bytes(contents.get(spoil, content))
    return path.with_name("nothing") if spoil == "missing" else path


def spoiled_run(run_dir: Path, spoil: str) -> Path:
    """Return a folder that is not that of a usable run."""
    results = {
        "other program": {},
        "without weights": {"digest": "1", "best": {"iteration": None}},
        "without the best": {"digest": "1", "best": {"iteration": 3}},
    }
    if spoil != "folder":
        (run_dir / "config.yaml").touch()
        (run_dir / "checkpoints").mkdir()
    if spoil in results:
        (run_dir / "results.json").write_text(json.dumps(results[spoil]))
    return run_dir


@pytest.mark.parametrize("form", ["run", "file"])
def test_content_that_has_changed_is_refused(
    make_run: MakeRun, train: Train, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "w.pt"
    torch.save({"weight": torch.ones(1, 1)}, path)
    if form == "run":
        path = source(make_run, train)
        run_dir = make_run(init_from=str(path), init_from_digest=content_digest(path))
        train(run_dir)
    else:
        begin(path, nn.Linear(1, 1), content_digest(path))
    with pytest.raises(TrainerError, match=r"has changed: it is .*, and init_from_digest is other"):
        begin(path, nn.Linear(1, 1), "other")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    """With them, the first loss would be NaN, and the run end as diverged. Others may have any value."""
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
    model[2].requires_grad_(False)
    state = model.state_dict()
    state["1.running_var"][0] = state["2.weight"][0] = value
    torch.save(state, tmp_path / "weights.pt")
    begin(tmp_path / "weights.pt", model)
    state["0.bias"][1] = value
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(
        TrainerError, match=r"^init_from: .*weights\.pt has values .* in 0\.bias\. Name"
    ):
        begin(tmp_path / "weights.pt", model)
