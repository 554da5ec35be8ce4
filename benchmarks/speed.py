"""The speed of training: kgen against a loop by hand, PyTorch, JAX and Pythae.

    python benchmarks/speed.py --torch-python PATH/bin/python --out FOLDER
    python benchmarks/speed.py --cases gan gan-r1 --contenders tf floor
    python benchmarks/speed.py --start-up
    python benchmarks/speed.py --growth --cases vae-dense-128

All train networks of the same layers on the same pictures, with the same
objective and optimizer. In each round they take turns, and each trains for as many
steps; the table has the medians of the rounds, and the median and the range of the
rounds' ratios. `floor` is the arithmetic alone: the matrix products of dense
networks, the convolutions of the others. PyTorch, JAX and Pythae run in
environments of their own, of which the options are given the interpreters; what has
none is left out. On a machine with a GPU, kgen with XLA (and with --mixed in half
precision) is measured, too.

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
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import numpy as np
import speed_growth
import speed_report
import speed_startup
import tensorflow as tf
from speed_cases import CASES, POOL, file_name, pictures
from speed_contenders import FOREIGN, OWN, Contenders, chosen, suits
from speed_process import Failed

import kgen


def check_sizes(case, name, sizes, expected):
    """Ends the program if a contender's networks are not kgen's."""
    if sizes is None or sizes == expected:
        return
    for network, weights in expected.items():
        theirs = sizes.get(network, [])
        if theirs != weights:
            sys.exit(
                f"{case}: the {network} of {name} has {sum(theirs):,} weights "
                f"in arrays of {theirs}, that of kgen {sum(weights):,} in "
                f"{weights}. What differs can't be compared."
            )


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
        The seconds of a step in each round, and the last losses; both are
        dictionaries from the contenders' names.
    """
    steps, epochs = case.warm_up, 1
    rounds = {name: [] for name in contenders}
    losses = {}
    # The first round traces and compiles, the second tells how fast kgen is.
    for number in range(repeats + 2):
        for name in list(contenders):
            try:
                spent, losses[name] = contenders[name].train(steps, epochs)
            except Failed as error:
                notes.append(f"{name} is left out: {error}")
                del contenders[name], rounds[name]
                continue
            rounds[name].append(spent / steps / epochs)
            print(f"  {name}: {spent:.1f} s", file=sys.stderr)
        if number == 1:
            wanted = max(1, round(seconds / rounds["kgen"][-1]))
            most = POOL[case.shape] // case.batch
            epochs = max(1, round(wanted / most))
            steps = min(wanted, most)
    return {name: values[2:] for name, values in rounds.items()}, losses


def compare(name, makers, names, images, arguments, notes):
    """Measures one case; returns the rows of the table."""
    case, contenders = CASES[name], {}
    for contender in names:
        if not suits(contender, case):
            continue
        print(f"{name}: making {contender}", file=sys.stderr)
        try:
            contenders[contender] = makers.make(contender, name, images)
        except Failed as error:
            notes.append(f"{name}: {contender} is left out: {error}")
    expected = contenders["kgen"].sizes
    for contender, made in contenders.items():
        check_sizes(name, contender, made.sizes, expected)
    told = []
    rounds, losses = measure(
        case, contenders, arguments.repeats, arguments.seconds, told
    )
    notes += [f"{name}: {line}" for line in told]
    for made in contenders.values():
        made.drop()
    contenders.clear()
    gc.collect()
    weights = sum(map(sum, expected.values()))
    return speed_report.summary(name, case, rounds, weights, losses)


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
    add("--seconds", type=float, default=3.0, help="of kgen in each round")
    add("--mixed", action="store_true", help="kgen in half precision, on a GPU")
    add("--start-up", action="store_true", help="times until a first step")
    add("--growth", action="store_true", help="a step where there is more data")
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
    lines = speed_report.machine(gpus)
    name, rows = "speed", []
    if arguments.start_up:
        name = "start-up"
        lines.append(speed_startup.report(arguments.cases, arguments.repeats))
    elif arguments.growth:
        name, images = "growth", images_by_shape(arguments)
        lines.append(
            speed_growth.report(
                arguments.cases,
                images.get,
                arguments.repeats,
                arguments.seconds,
            )
        )
    else:
        names = chosen(
            arguments.contenders, arguments.pythons, gpus, arguments.mixed
        )
        rows, more = comparison(arguments, names)
        lines += more
    text = "\n".join(lines)
    print(text)
    if arguments.out:
        speed_report.write(arguments.out, name, text, rows)


def comparison(arguments, names):
    """Measures all cases; returns the table's rows, and lines of text."""
    images, rows, notes = images_by_shape(arguments), [], []
    with tempfile.TemporaryDirectory(prefix="kgen-speed-") as folder:
        for shape, x in images.items():
            np.save(pathlib.Path(folder, file_name(shape)), x)
        makers = Contenders(arguments.pythons, folder)
        try:
            for case in arguments.cases:
                x = images[CASES[case].shape]
                rows += compare(case, makers, names, x, arguments, notes)
        finally:
            makers.close()
    return rows, [
        *makers.versions(),
        f"Medians of {arguments.repeats} rounds of about "
        f"{arguments.seconds:g} s; kgen is x times as fast as the contender.",
        "",
        speed_report.table(rows),
        *(["", *notes] if notes else []),
    ]


if __name__ == "__main__":
    main()
