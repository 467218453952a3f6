"""What is constant in a source is found without executing it, and nothing else is."""

import ast
from pathlib import Path

import pytest

from orchestrator.config.source_constants import Constant, NotConstantError, SourceConstants


def evaluate(source: str, file: Path = Path("/project/src/train.py")) -> Constant:
    """Return the value of the last line of a source."""
    tree = ast.parse(source)
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    return SourceConstants(tree, file).evaluate(last.value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'conf'", "conf"),
        ("None", None),
        ("'a' 'b' + 'c'", "abc"),
        ("A = 'conf'\nB: str = A\nf'{B}/{A}'", "conf/conf"),
        ("from pathlib import Path\nstr(Path(__file__).parent / 'conf')", "/project/src/conf"),
        ("import pathlib as p\np.Path(__file__).absolute().parents[1] / 'c'", Path("/project/c")),
        ("from pathlib import Path as P\nP('a', 'b').joinpath('c').as_posix()", "a/b/c"),
        ("import os\nos.path.join(os.path.dirname(__file__), 'conf')", "/project/src/conf"),
        ("import os.path as p\np.normpath(p.dirname(__file__) + '/..')", "/project"),
        ("from os.path import abspath, dirname\ndirname(abspath(__file__))", "/project/src"),
        ("import os\nos.getcwd()", str(Path.cwd())),
        ("from os import path\npath.join('a', 'b')", "a/b"),
    ],
)
def test_constants_are_what_python_makes_of_them(source: str, value: Constant) -> None:
    assert evaluate(source) == value
    scope = {"__file__": "/project/src/train.py"}
    *before, last = source.split("\n")
    exec("\n".join(before), scope)  # noqa: S102 # that is what it is compared with
    assert eval(last, scope) == value  # noqa: S307


@pytest.mark.parametrize(
    "source",
    [
        "A = 'a'\nA = 'b'\nA",
        "A = 'a'\nA += 'b'\nA",
        "A = 'a'\nfor A in 'xy': pass\nA",
        "A = A\nA",
        "def f():\n    A = 'a'\nA",
        "import os\nos.environ['HOME']",
        "import os\nos.path.join()",
        "open('/etc/passwd').read()",
        "'{}'.format('a')",
        "f'{1 + 1}'",
        "f'{A!r}'",
        "1",
        "'a' / 'b'",
        "from pathlib import Path\nPath('a').parents[9]",
        "__import__('os').getcwd()",
        "from .settings import CONF\nCONF",
    ],
)
def test_what_only_execution_can_tell_is_not_guessed(source: str) -> None:
    with pytest.raises(NotConstantError):
        evaluate(source)


def test_nothing_is_executed(tmp_path: Path) -> None:
    with pytest.raises(NotConstantError):
        evaluate(f"import os\nos.mkdir('{tmp_path}/made')")
    assert list(tmp_path.iterdir()) == []
