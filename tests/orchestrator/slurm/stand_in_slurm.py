"""A stand-in for the commands of Slurm: jobs are processes of this machine, started at once.

It is called by the name of a command. Its folder has one file per job with the process and the name,
``calls`` with all commands, and may have ``fault-COMMAND`` with a line of Python that is executed
first. ``hold`` lets jobs wait.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def option(name: str, default: str = "") -> str:
    return next((a.partition("=")[2] for a in sys.argv if a.startswith(f"--{name}=")), default)


def jobs() -> list[Path]:
    return sorted(FOLDER.glob("job-*"))


def state(path: Path) -> str:
    pid = path.read_text().split()[0]
    if pid == "-":
        return "PENDING"
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "COMPLETED"
    return "COMPLETED" if fields[0] == "Z" else "RUNNING"


def sbatch() -> None:
    script = sys.stdin.read()
    if "--test-only" in sys.argv:
        print(
            "sbatch: Job 7 to start at 2030-01-01T00:00:00 using 1 processors on nodes n1",
            file=sys.stderr,
        )
        return
    (FOLDER / "script").write_text(script)
    number = 1 + len({path.name.split("-")[1] for path in jobs()})
    count = int(option("array", "0-0").rpartition("-")[2]) + 1
    for at in range(count):
        environment = {
            **os.environ,
            "SLURM_JOB_ID": f"{number}{at:03}",
            "SLURM_ARRAY_TASK_ID": str(at),
            "SLURM_JOB_END_TIME": str(int(time.time()) + 3600),
            "SLURM_NTASKS": "1",
        }
        log = option("output").replace("%a", str(at))
        pid = "-"
        if not (FOLDER / "hold").exists():
            with Path(log).open("w") as file:
                started = subprocess.Popen(
                    ["bash", "-c", script],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                )
            pid = str(started.pid)
        (FOLDER / f"job-{number}-{at}").write_text(f"{pid} {option('job-name')}")
    print(number)


def squeue() -> None:
    if "-j" in sys.argv:
        print("1:00:00")
        return
    for path in jobs():
        _, number, at = path.name.split("-")
        name = path.read_text().split()[1]
        if name in option("name").split(","):
            print(f"{number}_{at}|{number}{int(at):03}|{name}|{state(path)}|N/A|n1|0:05|Priority")


def scancel() -> None:
    for path in jobs():
        pid, name = path.read_text().split()
        if name in option("name").split(",") and pid == "-":
            path.write_text(f"999999999 {name}")
        elif name in option("name").split(",") and option("state") != "PENDING":
            os.kill(int(pid), signal.SIGTERM)


if __name__ == "__main__":
    command = Path(sys.argv[0]).name
    with (FOLDER / "calls").open("a") as calls:
        print(
            command, *(re.sub(r"[0-9a-f]{8}", "NONCE", word) for word in sys.argv[1:]), file=calls
        )
    fault = FOLDER / f"fault-{command}"
    if fault.exists():
        exec(fault.read_text())  # noqa: S102 # the test's own
    {"sbatch": sbatch, "squeue": squeue, "scancel": scancel}[command]()
