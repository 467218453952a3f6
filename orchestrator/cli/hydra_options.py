"""The options of a Hydra app, as its users type them: most mean the same here, some are refused."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final, NoReturn

from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Options that orch does not have, and what to do instead.
_REFUSED: Final[Mapping[tuple[str, ...], str]] = {
    ("--info", "-i"): "--cfg job shows the config that is composed, and orch plan the runs",
    ("--hydra-help",): "See orch --help, or call the program itself for Hydra's own help",
    ("--shell-completion", "-sc"): "Call the program itself for Hydra's shell completion",
    ("--experimental-rerun",): "orch rerun executes a run again",
    ("--run", "-r"): "orch run executes every run of the grid, also a single one",
}


class _Refuse(argparse.Action):
    """Raises a usage error that says what to do instead."""

    def __call__(
        self, _parser: object, _space: object, _values: object, name: str | None = None
    ) -> NoReturn:
        raise UsageError(
            f"{name} is an option of Hydra apps that orch does not have. {self.const}."
        )


def add_config_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Add the options that say which config is meant; ``default`` is their value if not given."""
    parser.add_argument(
        "--app",
        default=default,
        metavar="PROGRAM",
        help="run this Hydra app, train.py or package.module, with its own config",
    )
    parser.add_argument(
        *("--config-dir", "--config-path", "-cd", "-cp"),
        dest="config_dir",
        default=default,
        metavar="DIR",
        help="read this config folder, relative to the current one (default: conf, or that of the app)",
    )
    parser.add_argument(
        *("--config-name", "-cn"),
        default=default,
        metavar="NAME",
        help="compose this primary config (default: config, or that of the app)",
    )
    is_before = default is not argparse.SUPPRESS
    parser.add_argument(
        *("--multirun", "-m"),
        action="store_true",
        default=False if is_before else argparse.SUPPRESS,
        help="accepted as in Hydra, and not needed: several values always make several runs",
    )
    _add_show_options(parser, is_before=is_before)
    for names, instead in _REFUSED.items():
        parser.add_argument(
            *names,
            dest="refused",
            action=_Refuse,
            nargs="?",
            const=instead,
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )


def _add_show_options(parser: argparse.ArgumentParser, *, is_before: bool) -> None:
    """Add the options that print the composed config instead of doing anything."""
    unset: Any = None if is_before else argparse.SUPPRESS
    parser.add_argument(
        *("--cfg", "-c"),
        choices=["job", "hydra", "all"],
        default=unset,
        help="print the composed config, that of Hydra itself, or both, and do nothing else",
    )
    parser.add_argument(
        "--resolve",
        action="store_true",
        default=False if is_before else unset,
        help="with --cfg job: resolve the interpolations",
    )
    parser.add_argument(
        *("--package", "-p"),
        metavar="KEY",
        default=unset,
        help="with --cfg: print only what is under this key",
    )


def check_show_options(options: argparse.Namespace) -> None:
    """Check that these options fit together.

    Raises:
        UsageError: They do not.
    """
    if options.cfg is None:
        for name in ("resolve", "package"):
            if getattr(options, name):
                raise UsageError(f"--{name} is about what --cfg prints. Add --cfg job.")
    elif options.resolve and options.cfg != "job":
        raise UsageError(
            "--resolve: only the program resolves Hydra's own settings. Use --cfg job."
        )
    elif options.multirun:
        raise UsageError("--cfg prints one config, and --multirun is about several. Remove one.")
