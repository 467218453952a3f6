"""Without a private name of PyTorch, a run trains, saves and resumes to the same bits.

What the code relies on may be gone with any release; ``tests/contract/test_private_names.py`` lists it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from run_files import MakeRun, Train, results_of
from thinning import others_in_soak

from trainer.checkpoints.fast_pickle import KINDS
from trainer.compute_environment import fix_compiler
from trainer.errors import ConfigError

# Programs that take a name away before anything of the trainer is imported.
AWAY = {
    "_NormBase": "del torch.nn.modules.batchnorm._NormBase",
    "the compiler's place": (
        "from trainer import lazy_compiler\n"
        "lazy_compiler.PathFinder = type('Finder', (), {'find_spec': lambda *_: None})"
    ),
    "the compiler's callers": (
        "import torch._compile\nfrom trainer import lazy_compiler\n"
        "lazy_compiler.OPTIMIZER_STEP = lazy_compiler.OTHER_METHODS = ('other', 'names')"
    ),
}
PROGRAM = """
import sys
import torch
{}
from trainer.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def run_without(name: str, run_dir: Path) -> None:
    """Train a run in a process in which a name is gone."""
    subprocess.run(
        [sys.executable, "-c", PROGRAM.format(AWAY[name]), str(run_dir)],
        check=True,
        capture_output=True,
        env={"PYTHONPATH": str(Path(__file__).parent / "user_code"), "PATH": ""},
    )


@pytest.mark.parametrize("name", others_in_soak(AWAY, ["_NormBase", "the compiler's place"]))
def test_run_ends_with_the_same_bits(make_run: MakeRun, train: Train, name: str) -> None:
    """Half of it is trained without the name, and resumed with it."""
    train(make_run("whole"))
    half, rest = make_run("run", iterations=2), make_run("config")
    run_without(name, half)
    (half / "results.json").unlink()
    (rest / "config.yaml").rename(half / "config.yaml")
    train(half)
    assert results_of(half)["digest"] == results_of(half.with_name("whole"))["digest"]


def test_files_name_the_memory_as_pytorch_does() -> None:
    """So that ``torch.load`` reads them."""
    storage = __import__("torch").storage
    theirs = storage._dtype_to_storage_type_map()
    assert {dtype: kind.__name__ for dtype, kind in KINDS.items()} == theirs


@pytest.mark.parametrize("gone", [None, "recompile_limit", "fail_on_recompile_limit_hit"])
def test_compiling_without_a_limit_to_set_is_one_line(
    monkeypatch: pytest.MonkeyPatch, gone: str | None
) -> None:
    """Results would depend on which batch comes first."""

    class Settings:
        """The compiler's settings, without one of them."""

        def __setattr__(self, name: str, value: object) -> None:
            if name == gone:
                raise AttributeError(f"{name} does not exist")

    class Module:
        """``torch._dynamo``, with settings or without."""

    if gone is not None:
        Module.config = Settings()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch._dynamo", Module)  # type: ignore[misc]
    with pytest.raises(ConfigError, match=r"^compile: PyTorch .* Set compile: false") as caught:
        fix_compiler()
    assert "\n" not in str(caught.value)
