"""The speed of training, against another version of kgen.

    git worktree add ../before COMMIT
    python benchmarks/speed_versions.py --before ../before

Each version trains the cases of `speed.py` in a process of its own, and the two take
turns. The table has the median of the rounds' ratios, and their range; above 1, this
version is faster. The options of the cases must be known to the other version.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import speed_cases

HERE = pathlib.Path(__file__).parent
STEPS = 14  # of an epoch


class Version:
    """A process with the kgen of a folder."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def train(self, case, epochs):
        """The seconds of some epochs; the first call for a case makes the model."""
        print(json.dumps([case, epochs]), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{case}: a version can't train it; see above.")
        return json.loads(line)


def serve(folder):
    """Answers the requests of a `Version` until there are no more."""
    sys.path.insert(0, str(folder))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    import speed_kgen  # which imports the kgen of the folder

    rng, made = np.random.default_rng(0), {}
    for line in sys.stdin:
        name, epochs = json.loads(line)
        if name not in made:
            made.clear()
            case = speed_cases.CASES[name]
            shape = (STEPS * case.batch, *case.shape)
            images = rng.integers(0, 256, size=shape, dtype=np.uint8)
            made[name] = speed_kgen.Kgen(case, images)
        seconds, _ = made[name].train(STEPS, epochs)
        print(json.dumps(seconds), file=answers, flush=True)


def ratios(name, before, now, arguments):
    """Seconds of the other version over this one's, round by round."""
    for version in (before, now):
        version.train(name, 2)  # makes the model, and traces it
    epochs = max(1, round(arguments.seconds / now.train(name, 1)))
    found = []
    for turn in range(arguments.repeats):
        order = (before, now) if turn % 2 else (now, before)
        seconds = {each: each.train(name, epochs) for each in order}
        found.append(seconds[before] / seconds[now])
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--before", type=pathlib.Path, help="its folder")
    parser.add_argument("--serve", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--cases", nargs="+", default=list(speed_cases.CASES), metavar="CASE"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve.resolve())
        return
    if not arguments.before or not (arguments.before / "kgen").is_dir():
        parser.error("--before: expected the folder of another version.")
    before, now = Version(arguments.before), Version(HERE.parent)
    for name in arguments.cases:
        found = ratios(name, before, now, arguments)
        middle, low, high = statistics.median(found), min(found), max(found)
        print(f"{name:16}{middle:.2f} ({low:.2f} to {high:.2f})", flush=True)


if __name__ == "__main__":
    main()
