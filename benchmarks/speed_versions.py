"""The speed of training, against another version of kgen.

    git worktree add ../before COMMIT
    python benchmarks/speed_versions.py --before ../before

Each version trains the cases of `speed.py` in a process of its own, and the two take
turns. The table has the median of the rounds' ratios, and their range; above 1, this
version is faster. The options of the cases must be known to the other version.
"""

import argparse
import pathlib
import sys

import speed_cases
from speed_folder import STEPS
from speed_process import Process
from speed_report import spread

HERE = pathlib.Path(__file__).resolve().parent.parent


def ratios(name, before, now, arguments):
    """Seconds of the other version over this one's, round by round."""
    versions = [process.build(name, "kgen") for process in (before, now)]
    for version in versions:
        version.train(STEPS, 2)  # traces the step
    one, _ = versions[1].train(STEPS, 1)
    epochs = max(1, round(arguments.seconds / one))
    found = []
    for turn in range(arguments.repeats):
        # They take turns in being the first.
        order = versions[:: 1 if turn % 2 else -1]
        seconds = {each: each.train(STEPS, epochs)[0] for each in order}
        found.append(seconds[versions[0]] / seconds[versions[1]])
    for version in versions:
        version.drop()
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--before", type=pathlib.Path, required=True)
    parser.add_argument(
        "--cases",
        nargs="+",
        default=list(speed_cases.CASES),
        choices=list(speed_cases.CASES),
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    if not (arguments.before / "kgen").is_dir():
        parser.error("--before: expected the folder of another version.")
    before, now = (
        Process(sys.executable, "speed_folder.py", folder.resolve())
        for folder in (arguments.before, HERE)
    )
    for name in arguments.cases:
        middle, low, high = spread(ratios(name, before, now, arguments))
        print(f"{name:16}{middle:.2f} ({low:.2f} to {high:.2f})", flush=True)


if __name__ == "__main__":
    main()
