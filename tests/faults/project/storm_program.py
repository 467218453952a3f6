"""A program of milliseconds that says in a file of its own what it does; for storms of signals.

The witness is independent of ``orch``: a line when it starts, one when it has finished (from there on it
takes no request to stop), each with the process that wrote it, and a lock that dies with the process. It
goes on where it was, and appends one metric for each step.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STEPS = 4
PACE = 0.03
ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def answer(how: signal.Handlers) -> None:
    """Take requests to stop as the system does, or ignore them, which what is started inherits."""
    for number in ASKING:
        signal.signal(number, how)


def note(what: str) -> None:
    """Append a line, in one write, to the file that all programs of the storm share."""
    run_dir = Path(os.environ["ORCH_RUN_DIR"])
    words = (what, run_dir.name, os.environ["ORCH_ATTEMPT"], me(), f"{time.time():.3f}", above())
    line = " ".join(words) + "\n"
    place = os.open(run_dir.parents[3] / "witness/said", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(place, line.encode())
    os.close(place)


def me() -> str:
    """Return what names this process on the whole machine."""
    return f"{Path('/proc/self/ns/pid').readlink()}/{os.getpid()}"


def above() -> str:
    """Return the processes above this one, the nearest first: of a function, its runner and its keeper."""
    parent = os.getppid()
    try:
        _, _, rest = Path(f"/proc/{parent}/stat").read_text().rpartition(")")
    except OSError:
        return str(parent)
    return f"{parent},{rest.split()[1]}"


def work() -> None:
    """Do the steps that are left."""
    answer(signal.SIG_DFL)
    run_dir = Path(os.environ["ORCH_RUN_DIR"])
    alone = os.open(run_dir.parents[3] / f"witness/{run_dir.name}", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note("twice")
    note("start")
    metrics = run_dir / "metrics.jsonl"
    content = metrics.read_bytes() if metrics.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(metrics, len(whole))
    with metrics.open("a") as file:
        for step in range(whole.count(b"\n"), STEPS):
            time.sleep(PACE)
            point = {
                "key": "x",
                "value": step / 2,
                "step": step,
                "timestamp": int(time.time() * 1000),
            }
            file.write(json.dumps(point) + "\n")
            file.flush()
    answer(signal.SIG_IGN)
    # Exit code 0 alone does not say so, if the program was asked to stop before.
    (run_dir / "results.json.tmp").write_text('{"finished": 1}')
    (run_dir / "results.json.tmp").replace(run_dir / "results.json")
    note("end")


def main(arguments: list[str] | None = None) -> None:
    """Do the work here, or below a launcher that closes what it has inherited."""
    how = (sys.argv[1:] if arguments is None else arguments)[0]
    if how != "here":
        answer(signal.SIG_IGN)  # or it would be gone before it could say that the work is done
    if how == "below":
        note("part")
        subprocess.run([sys.executable, "-I", "-S", __file__, "here"], check=True)
    elif how == "detached":
        note("part")
        subprocess.run(
            [sys.executable, "-I", "-S", __file__, "here"], check=True, start_new_session=True
        )
    else:
        work()


if __name__ == "__main__":
    main()
