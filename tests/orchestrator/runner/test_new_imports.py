"""What a program imported is told by the names of installed modules."""

import os
import sys
from pathlib import Path

import pytest

from orchestrator.runner import project_files
from orchestrator.runner.new_imports import (
    NOTHING_NEW,
    NewImports,
    dump_new_imports,
    find_new_imports,
    parse_new_imports,
)


def test_installed_modules_count_and_those_of_the_project_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does what is not a module, or has another name; the order is that in which imports ended."""
    package = tmp_path / "site-packages/installed_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from installed_package import inner\n")
    (package / "inner.py").write_text(
        "import sys\nclass Lazy:\n    def __getattr__(self, name): raise RuntimeError(name)\n"
        "sys.modules['installed_package.lazy'] = Lazy()\nsys.modules['other_name'] = sys.modules[__name__]\n"
    )
    (tmp_path / "of_the_user.py").write_text("import installed_package\n")
    lazy = ("installed_package.lazy", "other_name")
    for name in ("installed_package", "installed_package.inner", "of_the_user", *lazy):
        monkeypatch.setitem(sys.modules, name, sys)  # so that it is removed in the end
        del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    monkeypatch.setattr(project_files, "_last_preloaded", [*sys.modules][-1:])
    assert find_new_imports() == NOTHING_NEW
    __import__("of_the_user")
    found = find_new_imports()
    assert found.names == ("installed_package.inner", "installed_package")
    assert found.environment == dict(os.environ)
    assert parse_new_imports(dump_new_imports(found)) == found


@pytest.mark.parametrize("told", [b"", b"{", b"[1]", b"[[], 3]", b"\xff", b"null", b"[[1], {"])
def test_anything_else_that_was_told_means_nothing(told: bytes) -> None:
    """The program may have been killed meanwhile."""
    assert parse_new_imports(told) == NOTHING_NEW


def test_variables_of_any_bytes_can_be_told() -> None:
    """They need not be UTF-8."""
    found = NewImports(("a",), {"ODD": os.fsdecode(b"\xff")})
    assert parse_new_imports(dump_new_imports(found)) == found
