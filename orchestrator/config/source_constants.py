"""Constants in the source of a program: strings, and paths beside the file, read without executing it."""

from __future__ import annotations

import ast
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Constant: TypeAlias = str | Path | None
_DEEPEST: Final = 20  # names that stand for names
_FUNCTIONS: Final[Mapping[str, Callable[..., str | Path]]] = {
    "str": str,
    "os.fspath": os.fspath,
    "os.getcwd": os.getcwd,
    "os.path.abspath": os.path.abspath,
    "os.path.dirname": os.path.dirname,
    "os.path.join": os.path.join,
    "os.path.normpath": os.path.normpath,
    "os.path.realpath": os.path.realpath,
    "pathlib.Path": Path,
    "pathlib.Path.cwd": Path.cwd,
}
_METHODS: Final[Mapping[str, Callable[..., str | Path]]] = {
    "absolute": Path.absolute,
    "as_posix": Path.as_posix,
    "joinpath": Path.joinpath,
    "resolve": Path.resolve,
}


class NotConstantError(Exception):
    """The value of an expression is known only where the program is executed."""


class SourceConstants:
    """Evaluates expressions of a file that are made of constants, and of its own path.

    A name counts if the module assigns it once, and nothing else does.
    """

    def __init__(self, tree: ast.Module, file: Path) -> None:
        self._file = str(file.absolute())
        self._imported = dict(_imports(tree))
        stored = Counter(
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        )
        self._assigned = {name: value for name, value in _assignments(tree) if stored[name] == 1}

    def evaluate(self, node: ast.expr, depth: int = 0) -> Constant:
        """Return the value of an expression.

        Raises:
            NotConstantError: It is not a constant, or not one of these types.
        """
        try:
            return self._evaluate(node, depth)
        except (AttributeError, IndexError, OSError, TypeError, ValueError) as error:
            raise NotConstantError from error

    def _evaluate(self, node: ast.expr, depth: int) -> Constant:
        match node:
            case ast.Constant(value=str() | None as value):
                return value
            case ast.Name(id="__file__"):
                return self._file
            case ast.Name(id=name) if name in self._assigned and depth < _DEEPEST:
                return self.evaluate(self._assigned[name], depth + 1)
            case ast.JoinedStr(values=parts):
                return "".join(self._format(part, depth) for part in parts)
            case ast.Call(keywords=[]):
                return self._call(node, depth)
        return self._combine(node, depth)

    def _combine(self, node: ast.expr, depth: int) -> str | Path:
        match node:
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._text(left, depth) + self._text(right, depth)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._path(left, depth) / str(self.evaluate(right, depth))
            case ast.Attribute(value=of, attr="parent"):
                return self._path(of, depth).parent
            case ast.Subscript(
                value=ast.Attribute(value=of, attr="parents"), slice=ast.Constant(value=int(number))
            ):
                return self._path(of, depth).parents[number]
        raise NotConstantError

    def _call(self, node: ast.Call, depth: int) -> str | Path:
        arguments = [self.evaluate(each, depth) for each in node.args]
        function = _FUNCTIONS.get(self._full_name(node.func))
        if function is not None:
            return function(*arguments)
        match node.func:
            case ast.Attribute(value=of, attr=name) if name in _METHODS:
                return _METHODS[name](self._path(of, depth), *arguments)
        raise NotConstantError

    def _full_name(self, node: ast.expr) -> str:
        """Return the dotted name of a function, whatever name it was imported under."""
        first, dot, rest = ast.unparse(node).partition(".")
        return f"{self._imported.get(first, first)}{dot}{rest}"

    def _format(self, part: ast.expr, depth: int) -> str:
        match part:
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return str(self.evaluate(value, depth))
        return self._text(part, depth)

    def _text(self, node: ast.expr, depth: int) -> str:
        value = self.evaluate(node, depth)
        if not isinstance(value, str):
            raise NotConstantError
        return value

    def _path(self, node: ast.expr, depth: int) -> Path:
        value = self.evaluate(node, depth)
        if not isinstance(value, Path):
            raise NotConstantError
        return value


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((each.asname, each.name) for each in names if each.asname)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from ((each.asname or each.name, f"{module}.{each.name}") for each in names)


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
