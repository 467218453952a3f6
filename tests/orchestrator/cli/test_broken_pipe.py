"""A process that writes to a stream without a reader goes on."""

import os
import resource
from contextlib import suppress

from orchestrator.cli.broken_pipe import TolerantStream, discard


def test_writer_does_not_notice_that_its_reader_has_gone() -> None:
    """Neither the first write after that fails, nor any later one, nor the end of the program."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        stream = TolerantStream(file)
        stream.write("hello\n")
        stream.flush()
        assert os.read(reading, 100) == b"hello\n"
        os.close(reading)
        for _ in range(3):
            assert stream.write("is anybody there?\n") == 18
            stream.flush()
        assert stream.isatty() is False


def test_output_is_discarded_without_a_free_descriptor() -> None:
    """The null device takes the number of the stream."""
    reading, writing = os.pipe()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    with os.fdopen(writing, "w") as file:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (writing + 1, limits[1]))
            with suppress(OSError):
                while True:
                    held.append(os.dup(reading))
            discard(file)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for descriptor in [*held, reading]:
                os.close(descriptor)
        assert os.path.samestat(os.fstat(writing), os.stat(os.devnull))  # noqa: PTH116 # as os.fstat


def test_nothing_is_left_for_the_exit() -> None:
    """What is written arrives without a flush, or is lost at once."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        TolerantStream(file).write("hello\n")
        assert os.read(reading, 100) == b"hello\n"
    os.close(reading)
