"""The command line: parses the arguments, calls the command, prints user errors as one line.

Commands are imported only when they are called, so ``orch --help`` starts fast.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import sys
from importlib import import_module
from typing import IO, TYPE_CHECKING, Final, cast

from orchestrator.cli.broken_pipe import TolerantStream, discard
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import FilterError, OrchestratorError, PreloadError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

_STDERR: Final = 2
_COMPLETE: Final = "__complete"  # how the scripts of orch completion ask
_GARBAGE: Final = 1_000_000  # allocations before a garbage collection
_FOLDER_IS_GONE: Final = UsageError(
    "the working folder was removed. Change to a folder that is there."
)


def main() -> None:
    """Run ``orch`` and exit with its exit code."""
    _with_room(_main)


def _with_room(call: Callable[[], None]) -> None:
    """Call a function with room for the frames of all that it calls.

    Python keeps frames in pieces of 16 KB. Where calls go back and forth over the end of one, each
    asks the system for the next piece and returns it: thousands of times, a tenth of a plan's time.
    """
    call()


# A frame that is as large as eight pieces gets a piece of twice that size, in which all others fit.
_with_room.__code__ = _with_room.__code__.replace(co_stacksize=17_000)


def _main() -> None:
    # Modules and the plan live to the end: collecting garbage among them repeatedly, and again at
    # exit, would take a fifth of the time of a small plan.
    gc.set_threshold(_GARBAGE)
    # Some launchers ignore it, which processes inherit: the kernel would keep no exit code of a run.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _occupy_standard_descriptors()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the parent process
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            if isinstance(stream.buffer, io.RawIOBase):  # python -u, which ignores short writes
                stream = open(stream.fileno(), "w", encoding=stream.encoding, closefd=False)  # noqa: SIM115
                setattr(sys, name, stream)
            stream.reconfigure(errors="backslashreplace")
    if sys.stderr.isatty():
        from orchestrator.sanitize import HarmlessStream  # noqa: PLC0415 # terminals only

        sys.stderr = cast("IO[str]", HarmlessStream(sys.stderr))
    # A message that nobody reads must not change what the command does, nor its exit code.
    sys.stderr = cast("IO[str]", TolerantStream(sys.stderr))
    code: int | str | None
    try:
        code = _execute(sys.argv[1:])
        sys.stdout.flush()  # at exit, Python would say in its own words that it failed
    except BrokenPipeError:  # the reader of the output has gone: orch plan | head -1
        discard(sys.stdout)
        code = ExitCode.UNREAD
    except KeyboardInterrupt:
        discard(sys.stdout)  # its reader may not read on
        code = ExitCode.INTERRUPTED
    except OSError as error:  # the system refuses something that every command needs
        _complain(error)
        discard(sys.stdout)
        code = ExitCode.WRONG
    finally:
        gc.freeze()
    sys.exit(code)


def _is_folder_gone() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 # as little as possible
    except FileNotFoundError:
        return True
    return False


def _execute(arguments: Sequence[str]) -> int | str | None:
    """Execute a command line, print a user error as one line, and return the exit code."""
    try:
        if arguments[:1] == [_COMPLETE]:
            import_module("orchestrator.cli.completion").print_candidates(arguments[1:])
            return ExitCode.DONE
        return call(arguments)
    except SystemExit as ended:  # argparse has printed the help or the version
        return ended.code
    except OrchestratorError as error:
        _complain(error)
        return ExitCode.WRONG


def _complain(error: Exception) -> None:
    """Print an error on one line that can be read, whatever the strings that it quotes contain.

    What does not fit on a line of a terminal is indented, and no word is broken. A filter with a caret under the position, and a traceback of a user's module, keep their lines.
    """
    from orchestrator.config.message_redaction import describe_error  # noqa: PLC0415 # errors only
    from orchestrator.sanitize import (  # noqa: PLC0415 # as above
        break_between_words,
        harmless,
        one_line,
        without_the_middle,
    )

    error = _FOLDER_IS_GONE if _is_folder_gone() else error
    has_lines = isinstance(error, FilterError | PreloadError)
    said = describe_error(error, sys.argv[1:])
    text = f"orch: {harmless(said) if has_lines else without_the_middle(one_line(said))}"
    with contextlib.suppress(OSError):  # not a terminal: programs and logs get one line
        if not has_lines:
            text = break_between_words(text, os.get_terminal_size(_STDERR).columns, len("orch: "))
    sys.stderr.write(f"{text}\n")


def _occupy_standard_descriptors() -> None:
    """Open descriptors 0, 1 and 2 where closed: another file would get the number, and our output."""
    with contextlib.suppress(OSError):  # out of descriptors: those three are open then
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)


def call(arguments: Sequence[str]) -> int:
    """Execute a command line and return the exit code.

    Raises:
        OrchestratorError: The user made an error.
    """
    from orchestrator.cli.arguments import parse_arguments  # noqa: PLC0415 # garbage is left alone now

    with _interruptible():
        options = parse_arguments(arguments)
        place = "config_output" if options.cfg else f"commands.{options.command}"
        module = import_module(f"orchestrator.cli.{place}")
    command = module.print_config if options.cfg else getattr(module, options.command)
    return int(command(options, _console()))


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Exit at once on Ctrl-C within the block, in which nothing has begun yet.

    Raised in the middle of an import, or while argparse is at work, ``KeyboardInterrupt`` becomes an
    error of the library's own.
    """
    import signal  # noqa: PLC0415 # a completion does without

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, as by nohup
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(ExitCode.INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _console() -> Console:
    from orchestrator.cli.safe_output import HarmlessConsole  # noqa: PLC0415 # rich: not for orch --help

    # Lines must not be cut at 80 columns where no terminal limits them.
    width = None if sys.stdout.isatty() else 10_000
    return HarmlessConsole(width=width)
