"""`python -m tests.faults`: all faults, or some, and a table of what came."""

import argparse
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.faults import cases
from tests.faults.bench import Bench


def parse(arguments):
    """The options of the command."""
    parser = argparse.ArgumentParser(
        "python -m tests.faults", description=__doc__
    )
    parser.add_argument(
        "cases", nargs="*", help="such as vae:rename:KILL:before:3"
    )
    parser.add_argument(
        "--all", action="store_true", help="all cases there are"
    )
    parser.add_argument("--only", default="", help="of this task, such as vae")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--count", type=int, default=20, help="of each random kind"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    options = parser.parse_args(arguments)
    if not options.cases and not options.all:
        parser.error("name cases, or pass --all")
    return options


def say(text):
    """Prints a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(found):
    """How many cases of each task and fault ended equal, as lines.

    Args:
        found: Dictionary from cases to what was wrong.
    """
    rows = {}
    for case, problems in found.items():
        if problems is not None:
            row = ":".join(case.split(":")[: 3 if ":disk:" not in case else 2])
            rows.setdefault(row, []).append(not problems)
    wide = max(map(len, rows), default=0)
    return [
        f"{row:{wide}}  {sum(fine):3} of {len(fine):3} equal"
        for row, fine in rows.items()
    ]


def main(arguments):
    """Runs cases; the status is 1 where one did not end as it should."""
    options = parse(arguments)
    bench = Bench(pathlib.Path(tempfile.mkdtemp(prefix="kgen-faults-")))
    say(f"seed {options.seed}, in {bench.folder}")
    chosen = options.cases or cases.full(
        bench, options.seed, options.count, options.only
    )
    found = cases.run_all(
        bench,
        chosen,
        options.jobs,
        options.minutes,
        lambda case, problems: say(f"{case}  {'; '.join(problems) or 'equal'}"),
    )
    for line in table(found):
        say(line)
    failed = cases.failed(found)
    left = sum(problems is None for problems in found.values())
    say(f"{len(found) - left} run, {len(failed)} failed, {left} not run")
    if failed:
        say(f"again: python -m tests.faults {' '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
