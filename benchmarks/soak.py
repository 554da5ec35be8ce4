"""One process that trains, samples, exports and evaluates over and over.

    python benchmarks/soak.py [--minutes 30] [--model vae] [--why]

Each round runs the commands `kgen train`, `sample`, `export` and `evaluate` on small
pictures, with a model of its own, and then asks a model that lives through all
rounds for an epoch of training, samples and reconstructions. A line tells the
resident memory, how many graphs TensorFlow has traced for the commands and for the
lasting model, how many gradients it has registered since it was imported, and how
many objects Python knows.

The status is 1 if memory has grown by more than 5 % since the warm-up of three
rounds, if a round of the commands traces more than one before, or if the lasting
model is traced anew at all. `--why` shows what there is more of than after the
warm-up.
"""

import argparse
import collections
import contextlib
import gc
import io
import os
import pathlib
import shutil
import sys
import tempfile
import time
import tracemalloc

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import numpy as np
from sklearn.datasets import load_digits
from tensorflow.python.framework import func_graph, ops

import kgen
from kgen import registry
from kgen.cli import main as kgen_command

WARM_UP = 3  # rounds
MOST = 1.05  # of the memory after them
SAMPLED = 300


class Traces:
    """Counts the graphs that TensorFlow makes of functions."""

    def __init__(self):
        self.count, begin = 0, func_graph.FuncGraph.__init__

        def counted(graph, *args, **kwargs):
            self.count += 1
            begin(graph, *args, **kwargs)

        func_graph.FuncGraph.__init__ = counted

    def of(self, function):
        """How many `function()` makes."""
        before = self.count
        function()
        return self.count - before


def command(*arguments):
    """Runs `kgen`, as if from the command line; it must end well."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            kgen_command([str(one) for one in arguments])
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{arguments}: {said.getvalue()}") from end


def commands(model, data):
    """A round of commands."""
    for folder in ("run", "saved_models"):
        shutil.rmtree(folder, ignore_errors=True)
    small = "--network dense --latent-dim 2 --epochs 2 --batch-size 32"
    command("train", model, "--data", data, *small.split(), "--out", "run")
    command("sample", "run", "--out", "run/s.npz")
    command("export", "run")
    command(
        *("evaluate", "run", "--extractor", "pixels"),
        *("--num-samples", SAMPLED, "--importance-samples", 5),
    )


class Lasting:
    """A model that lives through all rounds."""

    def __init__(self, model, data):
        self.train, self.test = kgen.data.load(
            data, split=("train", "test"), batch_size=32
        )
        self.x = np.concatenate(list(self.test.as_numpy_iterator()))
        self.model = kgen.create_model(
            model, input_shape=(8, 8, 1), network="dense", latent_dim=2
        )
        self.model.compile()

    def work(self):
        """What a service or a notebook would ask for again and again."""
        self.model.fit(self.train, validation_data=self.test, verbose=0)
        for method, argument in (
            ("sample", 40),
            ("encode", self.x),
            ("reconstruct", self.x),
            ("log_likelihood", self.x),
            ("discriminate", self.x),
        ):
            if hasattr(self.model, method):
                with contextlib.redirect_stdout(io.StringIO()):  # progress
                    getattr(self.model, method)(argument)


def resident():
    """The process's memory in MiB."""
    gc.collect()
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def kinds():
    """How many objects of each class there are."""
    return collections.Counter(
        f"{type(one).__module__}.{type(one).__qualname__}"
        for one in gc.get_objects()
    )


def show_growth(before, snapshot):
    """Prints of which objects there are more, and which lines have made them."""
    print("objects there are more of:")
    for name, count in (kinds() - before).most_common(25):
        print(f"  {count:8} {name}")
    print("lines whose memory has grown:")
    found = tracemalloc.take_snapshot().compare_to(snapshot, "lineno")
    for one in found[:15]:
        print(f"  {one}")


def rounds(options, lasting, data, traces):
    """Prints a line for each round; returns their figures."""
    found, before, snapshot = [], None, None
    until = time.monotonic() + 60 * options.minutes
    print("round  seconds      MiB  traces  lasting  gradients   objects")
    while len(found) <= WARM_UP or time.monotonic() < until:
        start = time.monotonic()
        one = (
            traces.of(lambda: commands(options.model, data)),
            traces.of(lasting.work),
            resident(),
        )
        found.append(one)
        print(
            f"{len(found):5} {time.monotonic() - start:8.1f} {one[2]:8.1f} "
            f"{one[0]:7} {one[1]:8} {len(ops.gradient_registry.list()):10} "
            f"{len(gc.get_objects()):9}",
            flush=True,
        )
        if options.why and len(found) == WARM_UP:
            tracemalloc.start()
            before, snapshot = kinds(), tracemalloc.take_snapshot()
    if options.why:
        show_growth(before, snapshot)
    return found


def problems(found):
    """What has grown, as sentences."""
    after, last = found[WARM_UP - 1], found[-1]
    said = []
    if last[2] > MOST * after[2]:
        each = (last[2] - after[2]) / (len(found) - WARM_UP)
        said.append(f"memory has grown by {each:.2f} MiB a round")
    if max(one[0] for one in found[WARM_UP:]) > after[0]:
        said.append("later rounds of the commands have traced more")
    if any(one[1] for one in found[WARM_UP:]):
        said.append("the lasting model was traced anew")
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--model", choices=registry.MODELS, default="vae")
    parser.add_argument("--why", action="store_true")
    options = parser.parse_args()
    traces = Traces()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["KGEN_CACHE"] = folder
        x = load_digits().images[:200, ..., None]
        np.save("x.npy", (x * 15).astype("uint8"))
        lasting = Lasting(options.model, os.path.abspath("x.npy"))
        found = rounds(options, lasting, os.path.abspath("x.npy"), traces)
    said = problems(found)
    print("\n".join(said) or "nothing has grown")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
