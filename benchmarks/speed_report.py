"""What speed.py prints and writes: the machine, the table, the plot."""

import csv
import importlib.metadata
import pathlib
import platform
import statistics

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from speed_process import cores

COLUMNS = (
    "case",
    "contender",
    "ms_per_step",
    "ms_least",
    "ms_most",
    "images_per_second",
    "kgen_is",
    "kgen_is_least",
    "kgen_is_most",
    "weights",
    "steps",
    "losses",
)


def machine(gpus=()):
    """Lines about the machine and the versions of kgen's own libraries.

    Args:
        gpus: Names of the GPUs.
    """
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            names = [line for line in file if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    except OSError:
        pass  # not Linux
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("tensorflow", "keras", "numpy")
    )
    return [
        f"{model}, {cores()} cores; {', '.join(gpus) or 'no GPU'}",
        f"Python {platform.python_version()}, {versions}",
    ]


def spread(values):
    """The median, the least and the most."""
    return statistics.median(values), min(values), max(values)


def summary(name, case, rounds, weights, steps, losses):
    """The rows of one case.

    Args:
        name: The case's name.
        case: The `Case`.
        rounds: Dictionary from contenders to the seconds of a step in each
            round; that of kgen is what the others are compared with.
        weights: The number of weights, the same for all.
        steps: Dictionary from contenders to the steps that each has trained.
        losses: Dictionary from contenders to their losses, by name, after these.

    Returns:
        List of dictionaries with the keys `COLUMNS`.
    """
    rows = []
    for contender, seconds in rounds.items():
        ratios = [
            theirs / mine for mine, theirs in zip(rounds["kgen"], seconds)
        ]
        milliseconds = spread([1000 * value for value in seconds])
        last = losses[contender].items()
        values = (
            *(name, contender, *milliseconds),
            1000 * case.batch / milliseconds[0],
            *spread(ratios),
            weights if last else "",
            steps[contender] if last else "",
            " ".join(f"{key.removesuffix('_loss')}={x:.4g}" for key, x in last),
        )
        rows.append(dict(zip(COLUMNS, values)))
    return rows


def table(rows):
    """The rows as text."""
    lines = [
        f"{'case':15} {'contender':20} {'ms/step':>9} {'(min to max)':>21} "
        f"{'images/s':>9}   {'kgen is x times as fast':24} {'weights':>9} "
        f"{'steps':>6}  losses"
    ]
    before = None
    for row in rows:
        if before not in (None, row["case"]):
            lines.append("")
        before = row["case"]
        span = f"({row['ms_least']:.2f} to {row['ms_most']:.2f})"
        ratio = f"({row['kgen_is_least']:.2f} to {row['kgen_is_most']:.2f})"
        weights = f"{row['weights']:,}" if row["weights"] else ""
        line = (
            f"{row['case']:15} {row['contender']:20} {row['ms_per_step']:9.2f} "
            f"{span:>21} {row['images_per_second']:9.0f}   "
            f"{row['kgen_is']:7.2f} {ratio:16} {weights:>9} "
            f"{row['steps']!s:>6}  {row['losses']}"
        )
        lines.append(line.rstrip())
    return "\n".join(lines)


def plot(rows, path):
    """Draws, for each case, how many times as fast as each other kgen is."""
    cases = list(dict.fromkeys(row["case"] for row in rows))
    others = [row["contender"] for row in rows if row["contender"] != "kgen"]
    others = list(dict.fromkeys(others))
    figure, axes = pyplot.subplots(
        figsize=(8, 1.2 + 0.2 * len(cases) * (len(others) + 1)),
        layout="constrained",
    )
    for number, other in enumerate(others):
        some = [row for row in rows if row["contender"] == other]
        middle = [row["kgen_is"] for row in some]
        below = [row["kgen_is"] - row["kgen_is_least"] for row in some]
        above = [row["kgen_is_most"] - row["kgen_is"] for row in some]
        shift = (number + 1) / (len(others) + 1) - 0.5
        axes.errorbar(
            middle,
            [cases.index(row["case"]) + shift for row in some],
            xerr=[below, above],
            fmt="o",
            markersize=4,
            capsize=2,
            label=other,
        )
    axes.axvline(1.0, color="grey", linewidth=1)
    for number in range(1, len(cases)):
        axes.axhline(number - 0.5, color="lightgrey", linewidth=0.5)
    axes.set_yticks(range(len(cases)), cases)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="minor", labelsize=7)
    axes.set_xlabel(
        "kgen is x times as fast (median, least and most of rounds)"
    )
    figure.legend(loc="outside right upper")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def write(folder, name, text, rows=()):
    """Writes NAME.txt, and of rows NAME.csv and NAME.png, into a folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(text + "\n")
    if not rows:
        return
    with open(folder / f"{name}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    key: f"{value:.5g}" if isinstance(value, float) else value
                    for key, value in row.items()
                }
            )
    plot(rows, folder / f"{name}.png")
