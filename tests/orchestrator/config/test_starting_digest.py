"""The content of what a run begins with counts in its ID."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.config.load import load_experiment
from orchestrator.config.starting_digest import StartingWeightsError, digest_of_source
from orchestrator.errors import ConfigError
from orchestrator.planning.load import ConfigSource, load_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value

CONFIG = """\
results_dir: results
experiment_id: small
seed: 0
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conf").mkdir()
    Path("conf/config.yaml").write_text(CONFIG)
    for number in range(3):
        Path(f"{number}.pt").write_text(f"weights {number}")


def sha256(text: str) -> str:
    """Return the digest of a file."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def planned(*overrides: str) -> list[tuple[str, Mapping[str, Value]]]:
    """Return the runs of a grid: their IDs and configs."""
    decisions = load_plan(ConfigSource(Path("conf"), "config", list(overrides))).plan.decisions
    return [(decision.run.run_id, decision.run.config) for decision in decisions]


def ids(*overrides: str) -> list[str]:
    """Return the IDs of a grid's runs."""
    return [run_id for run_id, _ in planned(*overrides)]


def digests(*overrides: str) -> list[object]:
    """Return the digests that the configs of a grid's runs have."""
    return [config.get("init_from_digest") for _, config in planned(*overrides)]


def made_run(path: str, **results: object) -> None:
    """Make the directory of a run with these results."""
    Path(path).mkdir(exist_ok=True)
    Path(path, "config.yaml").touch()
    if results:
        Path(path, "results.json").write_text(json.dumps(results))


def test_other_content_is_another_run() -> None:
    before = ids("+init_from=0.pt")
    assert ids("+init_from=0.pt") == before
    Path("0.pt").write_text("other weights")
    assert ids("+init_from=0.pt") != before


def test_file_that_was_replaced_in_place_is_hashed_again() -> None:
    Path("0.pt").write_text("weights 9")
    os.utime("0.pt", ns=(1, 1))
    assert digests("+init_from=0.pt") == [sha256("weights 9")]
    Path("0.pt").write_text("weights 8")
    os.utime("0.pt", ns=(2, 2))
    assert digests("+init_from=0.pt") == [sha256("weights 8")]


def test_run_counts_by_its_digest_and_best_iteration() -> None:
    made_run("run", digest="abc", best={"iteration": 3, "loss": 0.1}, seconds=3)
    before = planned("+init_from=run")
    assert before[0][1]["init_from_digest"] == "run:abc:3"
    made_run("run", digest="abc", best={"iteration": 3, "loss": 0.1}, seconds=4)
    assert planned("+init_from=run") == before
    made_run("run", digest="abc", best={"iteration": 2})
    assert ids("+init_from=run") != [before[0][0]]


def test_digest_follows_the_axes() -> None:
    """Also through interpolations."""
    weights = [sha256(f"weights {number}") for number in range(3)]
    assert digests("+init_from=0.pt,null,1.pt", "seed=0,1") == [
        *[weights[0]] * 2,
        *[None] * 2,
        *[weights[1]] * 2,
    ]
    assert digests("seed=2,0", "+other=1,2", "+init_from='${seed}.pt'") == [
        *[weights[2]] * 2,
        *[weights[0]] * 2,
    ]


def test_large_grid_needs_only_the_axes_that_it_refers_to() -> None:
    """Not each of their combinations with all others."""
    experiment = load_experiment(
        Path("conf"), "config", ["+init_from=0.pt,1.pt", "seed=range(1000)", "+other=range(1000)"]
    )
    from orchestrator.config.grid_templates import make_templates  # noqa: PLC0415 # one test

    (template,) = make_templates(experiment.composer)
    parts = {part.path: part.axes for part in template.parts or ()}
    assert parts[("init_from_digest",)] == parts[("init_from",)]


def test_config_without_it_is_unchanged() -> None:
    assert list(planned()[0][1]) == ["results_dir", "experiment_id", "seed"]


@pytest.mark.parametrize(
    "program", ["+orch.command=[python,train.py]", "+orch.entry_point=package.train:main"]
)
def test_key_of_other_programs_is_theirs(program: str) -> None:
    assert digests("+init_from=nothing.pt", program) == [None]


def test_digest_that_is_given_is_kept() -> None:
    """So the runs have the same IDs when the source is gone."""
    known = f"+init_from_digest='{sha256('weights 0')}'"
    before = ids("+init_from=0.pt")
    Path("0.pt").unlink()
    assert ids("+init_from=0.pt", known) == before


def test_only_the_content_counts_where_the_path_is_excluded() -> None:
    exclude = "+orch.identity.exclude=[init_from]"
    Path("copy.pt").write_text("weights 0")
    assert ids("+init_from=0.pt", exclude) == ids("+init_from=copy.pt", exclude)
    assert ids("+init_from=0.pt", exclude) != ids("+init_from=1.pt", exclude)
    assert ids("+init_from=0.pt") != ids("+init_from=copy.pt")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nothing.pt", r"nothing\.pt: No such file or directory\. Correct init_from"),
        ("conf", r"conf: the run is not done\. Run it to its end, or name a checkpoint"),
        ("folder", r"folder: it is not a run directory\. Correct init_from"),
        (
            "foreign",
            r"foreign: results\.json is not that of the trainer\. Name a file with weights",
        ),
    ],
)
def test_source_that_cannot_be_used_is_one_line(path: str, said: str) -> None:
    Path("folder").mkdir()
    made_run("foreign", test={"loss": 1})
    with pytest.raises(StartingWeightsError, match=f"^{said}$"):
        digest_of_source(path)
    for overrides in ([f"+init_from={path}"], [f"+init_from=0.pt,{path}", "seed=0,1"]):
        with pytest.raises(ConfigError, match=rf"^init_from: {said}\.$"):
            planned(*overrides)


def test_what_is_no_path_is_left_to_the_trainer() -> None:
    assert digests("+init_from=3") == digests("+init_from={a: 1}") == [None]


def test_trainer_computes_the_same() -> None:
    pytest.importorskip("torch")
    from trainer.starting_weights import content_digest  # noqa: PLC0415 # needs PyTorch

    made_run("run", digest="abc", best={"iteration": None})
    for path in ("0.pt", "run"):
        assert content_digest(Path(path)) == digest_of_source(path)


@pytest.mark.parametrize("kind", ["pipe", "sparse", "link"])
def test_results_that_are_not_a_small_file_are_neither_waited_for_nor_read(kind: str) -> None:
    """The run may be somebody else's."""
    made_run("theirs", digest="d", best={"iteration": 1})
    path = Path("theirs/results.json")
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        Path("target").write_text("{}")
        path.symlink_to(Path("target").absolute())
    else:
        path.touch()
        os.truncate(path, 200 << 30)
    with pytest.raises(StartingWeightsError, match=r"^theirs: .*\. Correct init_from$"):
        digest_of_source("theirs")


def test_pipe_with_weights_is_not_waited_for() -> None:
    os.mkfifo("pipe")
    with pytest.raises(StartingWeightsError, match=r"^pipe: .*\. Correct init_from$"):
        digest_of_source("pipe")
