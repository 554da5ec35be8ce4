"""A method of tables.py in a fresh process: the rows it draws, and what they cost.

    process.serve(METHODS)      in tables_kgen.py and tables_peers.py
    process.run(...)            in tables.py

A process fits one method to train.csv, and leaves in its folder rows.csv, as many
synthetic rows, and cost.json.
"""

import argparse
import json
import os
import pathlib
import resource
import signal
import subprocess
import time

import pandas as pd
import tables_sets


def _cpu():
    """Seconds of all threads and ended children of this process."""
    return sum(os.times()[:4])


def _peak():
    """Most memory that this process has had, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def serve(methods):
    """Does what `run` asks of this process.

    Args:
        methods: Dictionary from names to functions. A function imports what it
            needs and returns an object with `fit(rows, columns, target)`,
            `sample(count)` and `note`, a text for the table or None. What it
            imports costs nothing, but is part of the memory.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("method", choices=methods)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("train")
    parser.add_argument("target")
    parser.add_argument("seed", type=int)
    parser.add_argument("limit", type=int)
    parser.add_argument("--epochs", type=int)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CPU, (asked.limit, asked.limit + 60))
    columns = tables_sets.kinds(pd.read_csv(asked.train))
    texts = {name: str for name in columns if columns[name] == "category"}
    rows = pd.read_csv(asked.train, dtype=texts)
    options = {} if asked.epochs is None else {"epochs": asked.epochs}
    method = methods[asked.method](asked.seed, **options)
    cost = {"imported_mib": _peak()}
    start, start_cpu = time.perf_counter(), _cpu()
    method.fit(rows, columns, asked.target)
    cost["fit_cpu_seconds"] = round(_cpu() - start_cpu, 2)
    cost["fit_seconds"] = round(time.perf_counter() - start, 2)
    start_cpu = _cpu()
    drawn = method.sample(len(rows))
    cost["sample_cpu_seconds"] = round(_cpu() - start_cpu, 2)
    cost |= {"peak_mib": _peak(), "note": method.note}
    drawn.to_csv(asked.folder / "rows.csv", index=False)
    (asked.folder / "cost.json").write_text(json.dumps(cost) + "\n")


def environment(threads):
    """The environment of a process whose libraries use so many threads.

    Threads that wait for each other on a busy machine count as working: with two,
    ten times the CPU seconds have been seen.
    """
    libraries = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM")
    libraries += ("TF_NUM_INTRAOP", "TF_NUM_INTEROP")
    names = [f"{library}_THREADS" for library in libraries]
    return os.environ | dict.fromkeys(names, str(threads))


def run(python, script, asked, options, limit, threads):
    """Runs a method in a process of its own.

    Args:
        python: Interpreter of the script's environment.
        script: Name of a file beside this one.
        asked: The name of the method, its folder, the path of the training rows,
            their target and the seed.
        options: Further arguments of the command line.
        limit: CPU seconds after which the process is ended.
        threads: See `environment`.

    Returns:
        What is in cost.json; where there are no rows, only `error`, a text.
    """
    folder = asked[1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").unlink(missing_ok=True)
    path = pathlib.Path(__file__).with_name(script)
    command = [python, path, *asked, limit, *options]
    with open(folder / "log.txt", "w+") as log:
        code = subprocess.run(
            [str(part) for part in command],
            stdout=log,
            stderr=log,
            env=environment(threads),
        ).returncode
        log.seek(0)
        lines = log.read().strip().splitlines() or ["no message"]
    if code == -signal.SIGXCPU:
        return {"error": f"left out: takes more than {limit} CPU seconds"}
    if code:
        return {"error": f"failed: {lines[-1][:200]}"}
    return json.loads((folder / "cost.json").read_text())
