"""The text of a run's config: written and read as OmegaConf does, in a tenth of the time.

OmegaConf has YAML written and read in Python; the same classes on top of the library in C do it
alike. A run directory is made and read for every run, and a grid has many.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.identity import Run
    from orchestrator.grid.values import Value

# What the orchestrator reads in a config; the run has no use for it.
_NOT_TRAINED: Final = ("hydra", "_filters", "orch")


def text_of(run: Run) -> bytes:
    """Return what stands in the ``config.yaml`` of a run."""
    return write({key: value for key, value in run.written.items() if key not in _NOT_TRAINED})


def write(config: Mapping[str, Value]) -> bytes:
    """Return the text of a config of plain values; references in it stay as they are."""
    from yaml import dump  # noqa: PLC0415 # only who makes or reads run directories pays for it

    text: str = dump(
        config,
        Dumper=_dumper(),
        default_flow_style=False,
        allow_unicode=True,
        sort_keys=False,
    )
    return text.encode()


def read(text: bytes) -> Mapping[str, Value]:
    """Return the config that a text holds; an empty one, if it holds no keys with values.

    Raises:
        ValueError: It is no YAML, or no text at all.
    """
    from yaml import YAMLError, load  # noqa: PLC0415 # as above

    try:
        found = load(text.decode(), _loader())  # noqa: S506 # a safe one
    except YAMLError as error:
        raise ValueError(str(error)) from None
    return cast("Mapping[str, Value]", found) if isinstance(found, dict) else {}


@functools.cache
def _loader() -> Any:  # noqa: ANN401 # a class made of two that are not typed
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
            return True  # a value that stands in two places is written twice, as OmegaConf does

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
