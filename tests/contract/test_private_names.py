"""The private names of Hydra, OmegaConf and PyTorch that the code relies on, each with its signature.

They may move with any release. The first test finds out which private names the code uses, so that
none comes to rely on one in silence; the second says at once what an upgrade has moved.
"""

from __future__ import annotations

import argparse
import ast
import ctypes
import inspect
import multiprocessing
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch
from omegaconf import AnyNode
from omegaconf.basecontainer import BaseContainer
from torch import nn

ROOT = Path(__file__).parents[2]
LIBRARIES = ("hydra", "omegaconf", "torch", "filelock", "rich", "mlflow", "yaml", "numpy")
# Private by Python's own convention, and documented: namedtuples, the frame of a caller.
PUBLIC = {"_replace", "_asdict", "_fields", "_getframe", "_exit"}

# "module:name", or "module:Class.name", and the signature; None for what cannot be called.
IMPORTED: dict[str, str | None] = {
    "hydra._internal.config_loader_impl:ConfigLoaderImpl": "(config_search_path)",
    "hydra._internal.config_repository:CachingConfigRepository": "(delegate)",
    "hydra._internal.config_repository:IConfigRepository": "()",
    "hydra._internal.defaults_list:create_defaults_list": "(repo, config_name, overrides_list, prepend_hydra, skip_missing)",
    "omegaconf._utils:get_omega_conf_dumper": "()",
    "omegaconf._utils:get_yaml_loader": "()",
    "omegaconf._utils:split_key": "(key)",
    "torch._dynamo:config": None,
}
# Methods that are looked up on objects of these classes, and functions on these modules.
METHODS: dict[str, str | None] = {
    "atexit:_clear": None,
    "atexit:_run_exitfuncs": None,
    "hydra._internal.config_loader_impl:ConfigLoaderImpl._apply_overrides_to_config": "(overrides, cfg)",
    "hydra._internal.config_loader_impl:ConfigLoaderImpl._compose_config_from_defaults_list": "(self, defaults, repo)",
    "hydra._internal.config_loader_impl:ConfigLoaderImpl._process_config_searchpath": "(self, config_name, parsed_overrides, repo)",
    "hydra.core.override_parser.types:Override._convert_value": "(value)",
    "hydra.core.override_parser.types:Override._get_value_element_as_str": "(value, space_after_sep=False)",
    "hydra.plugins.config_source:ConfigSource._normalize_file_name": "(filename)",
    "multiprocessing.forkserver:_forkserver": None,
    "numpy.random:Generator._bit_generator": None,
    "omegaconf:Container._get_child": "(self, key, validate_access=True, validate_key=True, throw_on_missing_value=False, throw_on_missing_key=False)",
    "omegaconf:Container._resolve_key_and_root": "(self, key)",
    "omegaconf:DictConfig._get_node": "(self, key, validate_access=True, validate_key=True, throw_on_missing_value=False, throw_on_missing_key=False)",
    "omegaconf:Node._dereference_node": "(self)",
    "omegaconf:Node._get_full_key": "(self, key)",
    "omegaconf:Node._get_parent_container": "(self)",
    "omegaconf:Node._is_interpolation": "(self)",
    "omegaconf:Node._is_missing": "(self)",
    "omegaconf:Node._is_none": "(self)",
    "torch:_dynamo": None,
}
# What only instances have, each with one.
INSTANCES: dict[str, Callable[[], object]] = {
    "_actions": argparse.ArgumentParser,
    "_buffers": nn.Module,
    "_config": multiprocessing.current_process,
    "_indices": lambda: torch.zeros(1).to_sparse(),
    "_non_persistent_buffers_set": nn.Module,
    "_resolvers": lambda: BaseContainer,
    "_SimpleCData": lambda: ctypes,
    "_val": lambda: AnyNode(1),
    "_values": lambda: torch.zeros(1).to_sparse(),
}
# Names that only type checkers look up.
TYPES = {"_Hash"}
# Modules that are only named, for the import system.
MODULES: tuple[str, ...] = (
    "torch._compile",
    "torch._dynamo",
    "torch._dynamo.eval_frame",
)


def _sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("orch", "orchestrator", "trainer"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def _imported() -> set[str]:
    """Return what is imported from private modules of libraries, or under private names."""
    found = set()
    for _, tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = node.module.split(".")
                if parts[0] in LIBRARIES:
                    is_private = any(map(_is_private, parts))
                    names = [each.name for each in node.names]
                    found |= {f"{node.module}:{n}" for n in names if is_private or _is_private(n)}
    return found


def _looked_up() -> set[str]:
    """Return the private attributes of objects that are not ours.

    Those of ``self`` and ``cls`` are ours, unless they are listed as inherited ones, and so are those that
    some class of ours defines.
    """
    ours = {
        name
        for _, tree in _sources()
        for node in ast.walk(tree)
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            else [node.attr]
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("self", "cls")
            else [node.target.id]
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            else []
        )
    }
    return {
        node.attr
        for _, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and _is_private(node.attr)
        and node.attr not in ours - {*INSTANCES}
    }


def _named_modules() -> set[str]:
    """Return the private modules that stand in strings."""
    return {
        node.value
        for _, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.split(".")[0] in LIBRARIES
        and all(part.isidentifier() for part in node.value.split("."))
        and any(map(_is_private, node.value.split(".")))
    }


def _signature(place: str) -> str | None:
    module, _, path = place.partition(":")
    found = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    if not callable(found) or inspect.isbuiltin(found):  # those of C have no signature
        return None
    signature = inspect.signature(found)
    bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def test_every_private_name_that_is_used_is_listed() -> None:
    """And nothing is listed that is not used."""
    assert _imported() == set(IMPORTED)
    methods = {place.rpartition(".")[2].rpartition(":")[2] for place in METHODS}
    assert _looked_up() == methods | set(INSTANCES) | TYPES
    assert _named_modules() == set(MODULES)


@pytest.mark.parametrize("place", [*IMPORTED, *METHODS])
def test_private_name_is_where_it_was_with_the_same_signature(place: str) -> None:
    """Where this fails after an upgrade, look at each use before the signature is renewed."""
    assert _signature(place) == (IMPORTED | METHODS)[place]


@pytest.mark.parametrize("name", INSTANCES)
def test_private_attribute_is_there(name: str) -> None:
    """On an object as the code meets it."""
    assert hasattr(INSTANCES[name](), name)


@pytest.mark.parametrize("name", MODULES)
def test_private_module_is_there(name: str) -> None:
    """What is only named is imported by somebody else, or held back."""
    assert import_module(name.rpartition(".")[0])
    assert import_module(name)


if __name__ == "__main__":  # prints what is used, to renew the lists above
    for place in sorted(_imported()):
        print(f'    "{place}": "{_signature(place)}",')
    print(sorted(_looked_up()))
    print(sorted(_named_modules()))
