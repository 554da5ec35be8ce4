"""The part --start-up of speed.py: how long until something happens.

    python speed_startup.py CASE    prints the moments of a first step, as JSON

All are times from the start of a new process.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import speed_cases
from speed_report import spread

_KGEN = [sys.executable, "-m", "kgen.cli"]


def command(arguments):
    """Seconds from the start of a process to its end."""
    start = time.perf_counter()
    subprocess.run(
        arguments,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def first_step(case):
    """Seconds from the start to: kgen imported, model made, first step done.

    The last of the four numbers is that of another step alone.
    """
    start = time.time()
    done = subprocess.run(
        [sys.executable, __file__, case],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    *moments, step = json.loads(done.stdout)
    return [*(moment - start for moment in moments), step]


def moments(case):
    """What the new process does."""
    import speed_kgen

    imported = time.time()
    case = speed_cases.CASES[case]
    images = speed_cases.pictures(case.shape, case.batch)
    drawn = time.time() - imported  # does not count
    contender = speed_kgen.Kgen(case, images)
    made = time.time()
    contender.train(steps=1, epochs=1)
    first = time.time()
    step, _ = contender.train(steps=1, epochs=1)
    return [imported, made - drawn, first - drawn, step]


def report(cases, repeats):
    """Returns a list, as text.

    Args:
        cases: Names of cases.
        repeats: How often each is done; the list has the medians.
    """

    def line(name, seconds):
        middle, least, most = spread(seconds)
        return f"{name:34} {middle:7.2f} s  ({least:.2f} to {most:.2f})"

    with tempfile.TemporaryDirectory(prefix="kgen-speed-") as folder:
        run = str(pathlib.Path(folder, "run"))
        command(
            [*_KGEN, "train", "vae", "--data", "digits", "--epochs", "1"]
            + ["--set", "hidden_units=[32]", "--out", run]
        )
        sample = [*_KGEN, "sample", run]
        commands = {
            "kgen --help": [*_KGEN, "--help"],
            "kgen sample RUN": sample,
        }
        lines = ["From the start of a process:"]
        for name, arguments in commands.items():
            command(arguments)  # files are in the system's cache now
            seconds = [command(arguments) for _ in range(repeats)]
            lines.append(line(f"  {name}", seconds))
    for case in cases:
        times = zip(*(first_step(case) for _ in range(repeats)))
        imported, made, first, step = map(list, times)
        lines += [
            f"{case}:",
            line("  kgen imported", imported),
            line("  model made", made),
            line("  first step done", first),
        ]
        tracing = [b - a - c for a, b, c in zip(made, first, step)]
        lines.append(line("  tracing alone, of that", tracing))
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(moments(sys.argv[1])))
