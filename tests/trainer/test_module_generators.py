"""Generators that modules hold go on after a kill, and give the same numbers in each process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from drawing_modules import MAKERS, Drawing, DrawingData
from random_data import Samples
from run_files import results_of
from user_modules import run_program, sabotage

from trainer.loading.loaders import make_loader
from trainer.module_generators import ModuleGenerators, find_in
from trainer.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from run_files import MakeRun, Start


def of(name: str, **keys: Any) -> dict[str, Any]:
    """Return the configuration of a module."""
    return {"_target_": f"drawing_modules.{name}", **keys}


WAYS: dict[str, dict[str, Any]] = {
    **{
        f"a model, {way}": {"model": of("Drawing", way=way)}
        for way in ("Python", "PyTorch", "closure", "global")
    },
    "a seeded model": {"model": of("Drawing", way="Philox", seed=3)},
    "an optimizer": {"optimizer": of("Langevin", lr=0.1)},
    "a scheduler": {"scheduler": of("Halving")},
    "a data module": {"data": of("DrawingData")},
    "a callback": {"curriculum": of("Nudging")},
}


@pytest.mark.parametrize("way", WAYS)
def test_run_that_is_killed_or_repeated_ends_with_the_same_digest(
    make_run: MakeRun, start: Start, tmp_path: Path, way: str
) -> None:
    """In processes of their own, seeded or not, wherever the generator is."""
    killed = {"_target_": "user_modules.FragileTiny"}
    if "data" in WAYS[way]:
        killed = {"_target_": "drawing_modules.FragileDrawingData"}
    digests = set()
    for name in ("one", "two"):
        run_dir = make_run(name, iterations=3, **WAYS[way])
        assert start(run_program, str(run_dir)) == 0, (run_dir / "err.log").read_text()
        digests.add(results_of(run_dir)["digest"])
    saboteur = sabotage(tmp_path, "step_end", 3, "kill") | killed
    run_dir = make_run("killed", iterations=3, **WAYS[way] | {"data": saboteur})
    assert start(run_program, str(run_dir)) == -9
    assert start(run_program, str(run_dir)) == 0, (run_dir / "err.log").read_text()
    assert "\nresuming after iteration " in (run_dir / "out.log").read_text()
    assert results_of(run_dir)["digest"] in digests
    assert len(digests) == 1


def test_seed_of_a_module_decides_what_it_draws(make_run: MakeRun, start: Start) -> None:
    """Nothing that the configuration says is replaced."""
    digests = set()
    for seed in (3, 4):
        run_dir = make_run(f"{seed}", iterations=1, model=of("Drawing", way="NumPy", seed=seed))
        assert start(run_program, str(run_dir)) == 0
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 2


def test_generator_that_is_created_late_is_told(make_run: MakeRun, start: Start) -> None:
    """After the first iteration, once."""
    run_dir = make_run(iterations=3, model=of("Drawing", way="late"))
    assert start(run_program, str(run_dir)) == 0
    assert (run_dir / "out.log").read_text().count("note: model.generator is a random") == 1


def test_generators_of_data_sets_are_left_to_the_loading() -> None:
    """Also where the data module holds them as well."""
    lent, other = np.random.default_rng(), np.random.default_rng()
    data = DrawingData()
    data.train, data.transform, data.generator = Samples(data.train, lent.normal), [lent], other  # type: ignore[assignment, attr-defined]  # a data module may be anything
    assert other in find_in({"data": data}).values()
    loader = make_loader(data.train, "train", read_settings({"seed": 1, "iterations": 1}))
    assert [*ModuleGenerators({"data": data}, [loader]).find()] == ["data.generator"]


@pytest.mark.parametrize("way", [way for way in MAKERS if way != "closure"])
def test_state_is_restored_from_plain_values(way: str) -> None:
    """Of a generator of each kind."""
    model = Drawing(way)
    generators = ModuleGenerators({"model": model})
    generators.look_again()
    model.noise()
    state = generators.state_dict()
    expected = [model.noise() for _ in range(5)]
    generators.load_state_dict(state)
    assert [model.noise() for _ in range(5)] == expected
