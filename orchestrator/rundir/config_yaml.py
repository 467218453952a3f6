"""``config.yaml``: writes and reads the config of a run as OmegaConf does, in a tenth of the time.

OmegaConf uses the YAML parser and emitter in Python; here its classes are combined with those in C,
which give the same results.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run

# Keys that only the orchestrator reads; they are not part of a run's config.
_NOT_TRAINED: Final = ("hydra", "_filters", "orch")
_DEEPEST: Final = 100
_MOST_VALUES: Final = 200_000
# An alias, or a deeply indented line.
_SUSPECT: Final = re.compile(rf"(?:^|[\s\[{{,:?-])\*\S|^[\s:?-]{{{_DEEPEST}}}", re.MULTILINE)
# What PyYAML raises besides its own errors and ValueError, for a value that does not fit its tag: !!bool x.
UNFIT_FOR_TAG: Final = (AttributeError, LookupError, TypeError)
_SCALARS: Final = (str, bool, int, float)


def text_of(run: Run) -> bytes:
    """Return the content of ``config.yaml`` for a run."""
    return write({key: value for key, value in run.written.items() if key not in _NOT_TRAINED})


def write(config: Mapping[str, Value]) -> bytes:
    """Return a config as YAML; interpolations in it are not resolved."""
    from yaml import dump  # noqa: PLC0415 # slow, and not needed by every process

    text: str = dump(
        config,
        Dumper=_dumper(),
        default_flow_style=False,
        allow_unicode=True,
        sort_keys=False,
    )
    return text.encode()


def read(text: bytes, *, any_values: bool = False) -> Mapping[str, Value]:
    """Parse a config; return an empty one if the YAML is not a mapping.

    Only what ``write`` can produce is accepted: no aliases, which can expand to any size, limited
    depth and size, and plain values; with ``any_values`` also others that OmegaConf writes.

    Raises:
        ValueError: The text is something else.
    """
    from yaml import YAMLError, load  # noqa: PLC0415 # as above

    try:
        decoded = text.decode()
        if _is_suspect(decoded):
            _check_events(decoded)
        found = load(decoded, _loader())  # noqa: S506 # a safe one
        if not any_values:
            _check_values(found)
    except YAMLError as error:
        raise ValueError(str(error)) from None
    except UNFIT_FOR_TAG:
        raise ValueError("it has a value that does not fit its tag (!!...)") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return cast("Mapping[str, Value]", found) if isinstance(found, dict) else {}


def _check_events(text: str) -> None:
    """Check the size of a text while it is parsed: constructing it first could exhaust the memory."""
    import yaml  # noqa: PLC0415 # as above

    depth = size = 0
    for event in yaml.parse(text, _loader()):
        size += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it has an alias (*name), which the config of a run never has")  # noqa: TRY004 # it is about the text
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        if size > _MOST_VALUES:
            raise ValueError("it has too many values")


def _is_suspect(text: str) -> bool:
    """Return whether a text may have aliases, deep nesting or many values; most have none."""
    brackets, separators = (sum(map(text.count, signs)) for signs in ("[{", ",\n"))
    return bool(brackets > _DEEPEST or separators > _MOST_VALUES or _SUSPECT.search(text))


def _check_values(node: object) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if not isinstance(key, _SCALARS):
                raise ValueError(f"it has a key of type {type(key).__name__}")  # noqa: TRY004 # it is about the text
            _check_values(value)
    elif isinstance(node, list):
        for value in node:
            _check_values(value)
    elif not (node is None or isinstance(node, _SCALARS)):
        raise ValueError(f"it has a value of type {type(node).__name__}")


@functools.cache
def _loader() -> Any:  # noqa: ANN401 # a class with two untyped bases
    import yaml  # noqa: PLC0415 # as above
    from omegaconf._utils import get_yaml_loader  # noqa: PLC0415

    if not yaml.__with_libyaml__:
        return get_yaml_loader()

    class Loader(yaml.cyaml.CParser, get_yaml_loader()):  # type: ignore[misc, name-defined]
        def __init__(self, stream: str) -> None:
            yaml.cyaml.CParser.__init__(self, stream)  # type: ignore[attr-defined]
            yaml.constructor.SafeConstructor.__init__(self)
            yaml.resolver.Resolver.__init__(self)

    return Loader


@functools.cache
def _dumper() -> Any:  # noqa: ANN401 # as above
    import yaml  # noqa: PLC0415 # as above
    from omegaconf._utils import get_omega_conf_dumper  # noqa: PLC0415

    class Whole(get_omega_conf_dumper()):  # type: ignore[misc]
        def ignore_aliases(self, _value: object) -> bool:
            return True  # a value that occurs twice is written twice, as OmegaConf does

    if not yaml.__with_libyaml__:
        return Whole

    class Dumper(yaml.cyaml.CEmitter, Whole):  # type: ignore[misc, name-defined]
        def __init__(
            self,
            stream: Any,  # noqa: ANN401 # as above
            *,
            default_style: str | None,
            default_flow_style: bool,
            sort_keys: bool,
            **options: Any,  # noqa: ANN401 # as above
        ) -> None:
            yaml.cyaml.CEmitter.__init__(self, stream, **options)  # type: ignore[attr-defined]
            yaml.representer.SafeRepresenter.__init__(
                self,
                default_style=default_style,
                default_flow_style=default_flow_style,
                sort_keys=sort_keys,
            )
            yaml.resolver.Resolver.__init__(self)

    return Dumper
