"""The speed of training: kgen against a loop by hand, PyTorch, JAX and Pythae.

    python benchmarks/speed.py --torch-python PATH/bin/python --out FOLDER
    python benchmarks/speed.py --cases gan gan-r1 --contenders tf floor
    python benchmarks/speed.py --cases gan gan-r1 --contenders kgen-lazy
    python benchmarks/speed.py --start-up
    python benchmarks/speed.py --growth --cases vae-dense-128
    python benchmarks/speed.py --epochs
    python benchmarks/speed.py --methods

All train networks of the same layers on the same pictures, with the same objective
and optimizer. In each round they take turns, and each trains for as many steps (the
very slow ones for fewer: the table tells how many). The table has the medians of
the rounds, and the median and the range of the rounds' ratios. `floor` is the
arithmetic alone: the matrix products of dense networks, the convolutions of the
others. PyTorch, JAX and Pythae run in environments of their own, of which the
options are given the interpreters; what has none is left out. On a machine with a
GPU, kgen with XLA (and with --mixed in half precision) is measured, too.

Each contender is a file beside this one: speed_kgen.py, speed_tf.py, and so on;
speed_cases.py has the cases. With --out, speed.txt, speed.csv and speed.png are
written.
"""

import argparse
import gc
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import numpy as np
import speed_epochs
import speed_growth
import speed_methods
import speed_report
import speed_startup
import tensorflow as tf
from speed_cases import CASES, POOL, file_name, pictures
from speed_contenders import FOREIGN, OWN, Contenders, chosen, suits
from speed_process import Failed

import kgen

# A contender that is slower than kgen by more does fewer steps in a round.
_PATIENCE = 3


def check_sizes(case, name, sizes, expected):
    """Ends the program if a contender's networks are not kgen's."""
    if sizes is None:  # it has no weights
        return
    for network in {**expected, **sizes}:
        ours, theirs = expected.get(network, []), sizes.get(network, [])
        if ours != theirs:
            sys.exit(
                f"{case}: the {network} of {name} has {sum(theirs):,} weights "
                f"in arrays of {theirs}, that of kgen {sum(ours):,} in {ours}. "
                "What differs can't be compared."
            )


def lengths(paces, case, seconds):
    """How many steps and epochs each contender trains in a round.

    Args:
        paces: Dictionary from contenders to the seconds that a step takes.
        case: A `Case`.
        seconds: About how long kgen trains. The others do as many steps; one
            that would need more than `_PATIENCE` times as long does fewer.
    """
    most = POOL[case.shape] // case.batch
    counts = {}
    for name, pace in paces.items():
        wanted = min(seconds / paces["kgen"], _PATIENCE * seconds / pace)
        epochs = max(1, round(wanted / most))
        counts[name] = (max(1, min(round(wanted), most)), epochs)
    return counts


def measure(case, contenders, repeats, seconds, notes):
    """Lets contenders take turns.

    Args:
        case: A `Case`.
        contenders: Dictionary from names to contenders; one that fails is
            taken out of it.
        repeats: Number of rounds that count.
        seconds: About how long kgen trains in each.
        notes: List to which a line is added for each that fails.

    Returns:
        Three dictionaries from names: the seconds of a step in each round, the
        number of steps that were trained, and the losses after these.
    """
    counts = dict.fromkeys(contenders, (case.warm_up, 1))
    rounds = {name: [] for name in contenders}
    trained, losses = dict.fromkeys(contenders, 0), {}
    # The first round traces and compiles, the second tells how fast they are.
    for number in range(repeats + 2):
        if number == 2:
            paces = {name: values[-1] for name, values in rounds.items()}
            counts = lengths(paces, case, seconds)
        for name in list(contenders):
            steps, epochs = counts[name]
            try:
                spent, losses[name] = contenders[name].train(steps, epochs)
            except Exception as error:
                leave_out(name, error, notes)
                del contenders[name], rounds[name]
                continue
            trained[name] += steps * epochs
            rounds[name].append(spent / steps / epochs)
            print(f"  {name}: {spent:.1f} s", file=sys.stderr)
    return {name: x[2:] for name, x in rounds.items()}, trained, losses


def leave_out(name, error, notes):
    """Notes why a contender is left out; without kgen there is no comparison."""
    if name == "kgen":
        raise error
    text = (str(error).strip().splitlines() or [""])[0]
    if not isinstance(error, Failed):
        text = f"{type(error).__name__}: {text}"
    notes.append(f"{name} is left out: {text}")


def compare(name, makers, names, images, arguments):
    """Measures one case; returns the rows of the table, and notes."""
    case, contenders, notes = CASES[name], {}, []
    for contender in names:
        if not suits(contender, case):
            continue
        print(f"{name}: making {contender}", file=sys.stderr)
        try:
            contenders[contender] = makers.make(contender, name, images)
        except Exception as error:
            leave_out(contender, error, notes)
    expected = contenders["kgen"].sizes
    for contender, made in contenders.items():
        check_sizes(name, contender, made.sizes, expected)
    results = measure(
        case, contenders, arguments.repeats, arguments.seconds, notes
    )
    for made in contenders.values():
        made.drop()
    contenders.clear()
    gc.collect()
    weights = sum(map(sum, expected.values()))
    rounds, trained, losses = results
    rows = speed_report.summary(name, case, rounds, weights, trained, losses)
    return rows, [f"{name}: {note}" for note in notes]


def parsed():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", help="28x28 pictures; default: smooth random ones")
    for script in ("torch", "jax", "pythae"):
        add(f"--{script}-python", help="the interpreter of an environment")
    add("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    add("--contenders", nargs="+", choices=[*OWN, *FOREIGN], metavar="NAME")
    add("--repeats", type=int, default=3, help="rounds that count")
    add("--seconds", type=float, default=2.0, help="of kgen in each round")
    add("--mixed", action="store_true", help="kgen in half precision, on a GPU")
    add("--start-up", action="store_true", help="times until a first step")
    add("--growth", action="store_true", help="a step where there is more data")
    add("--epochs", action="store_true", help="an epoch beside its steps")
    add("--methods", action="store_true", help="samples and log p(x)")
    add("--out", help="a folder for the table, as text and CSV, and a plot")
    arguments = parser.parse_args()
    arguments.pythons = {
        script: getattr(arguments, f"{script}_python")
        for script in ("torch", "jax", "pythae")
    }
    return arguments


def images_by_shape(arguments):
    """The pictures of each shape that the cases need."""
    images = {}
    for shape in dict.fromkeys(CASES[name].shape for name in arguments.cases):
        if arguments.data and shape == (28, 28, 1):
            batches = kgen.data.load(arguments.data, "train", seed=0)
            x = np.concatenate(list(batches.as_numpy_iterator()))
            x = np.round(x * 255).astype("uint8")
            images[shape] = np.resize(x, (POOL[shape], *shape))
        else:
            images[shape] = pictures(shape, POOL[shape])
    return images


def main():
    arguments = parsed()
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    head = speed_report.machine(gpus)
    name, rows = "speed", []
    if arguments.start_up:
        name = "start-up"
        text = speed_startup.report(arguments.cases, arguments.repeats)
    elif arguments.epochs:
        name = "epochs"
        text = speed_epochs.report(("vae", "gan"), arguments.repeats)
    elif arguments.methods:
        name, text = "methods", speed_methods.report(arguments.repeats)
    elif arguments.growth:
        name, images = "growth", images_by_shape(arguments)
        text = speed_growth.report(
            arguments.cases, images.get, arguments.repeats, arguments.seconds
        )
    else:
        names = chosen(
            arguments.contenders, arguments.pythons, gpus, arguments.mixed
        )
        text, rows = comparison(arguments, names)
    text = "\n".join([*head, text])
    print(text)
    if arguments.out:
        speed_report.write(arguments.out, name, text, rows)


def comparison(arguments, names):
    """Measures all cases; returns the text and the table's rows."""
    images, rows, notes = images_by_shape(arguments), [], []
    with tempfile.TemporaryDirectory(prefix="kgen-speed-") as folder:
        for shape, x in images.items():
            np.save(pathlib.Path(folder, file_name(shape)), x)
        makers = Contenders(arguments.pythons, folder)
        try:
            for case in arguments.cases:
                x = images[CASES[case].shape]
                more, why = compare(case, makers, names, x, arguments)
                rows += more
                notes += why
                print(speed_report.table(more), file=sys.stderr)
        finally:
            makers.close()
    lines = [
        *makers.versions(),
        f"Medians of {arguments.repeats} rounds of about "
        f"{arguments.seconds:g} s; kgen is x times as fast as the contender.",
        "",
        speed_report.table(rows),
        *(["", *notes] if notes else []),
    ]
    return "\n".join(lines), rows


if __name__ == "__main__":
    main()
