"""A GAN against a VAE on Fashion-MNIST, by the features of a classifier.

    python benchmarks/fashion_gan.py --data FOLDER_WITH_THE_IDX_FILES
    python benchmarks/fashion_gan.py --data FOLDER --per-class 100 --minutes 10 \\
        --models gan "augmented gan"

All models have networks of the same widths and kgen's defaults, and are trained for
the same time: as many epochs as fit into `--minutes`, by the time of a few epochs
before. 10,000 samples of each are judged against the 10,000 test pictures: Frechet
distance, precision, recall, density and coverage on the last hidden layer of a
convolutional classifier, which was trained on all training pictures. The training
pictures' own figures are the floor. With `--per-class`, the models see only so many
pictures of each class; the augmented GAN has `augmentation="adaptive"`. Nothing is
selected on the test set. Writes result.json and samples.png to `--out`; with
`--per-class 100`, these are result-100.json and samples-100.png.
"""

import argparse
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import numpy as np
from fashion_judge import Judge
from timed import fit_for

import kgen

# Names of models, and what they are compiled with.
MODELS = {
    "vae": ("vae", {}),
    "gan": ("gan", {}),
    "augmented gan": ("gan", {"augmentation": "adaptive"}),
}


def pictures_of(judge, per_class):
    """The first training pictures of each class, or all."""
    if per_class is None:
        return judge.x
    chosen = [np.flatnonzero(judge.y == y)[:per_class] for y in range(10)]
    return judge.x[np.sort(np.concatenate(chosen))]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--minutes", type=float, default=14.0)
    parser.add_argument("--latent-dim", type=int, default=64)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--max-filters", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--per-class", type=int)
    parser.add_argument(
        "--models", nargs="+", choices=list(MODELS), default=["vae", "gan"]
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="benchmarks/results/fashion_gan")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)

    judge = Judge(arguments.data, arguments.seed)
    results = {"training pictures": judge.floor}
    rows = {"real": judge.x_test[:24]}
    x = pictures_of(judge, arguments.per_class)
    for name in arguments.models:
        kind, compiled = MODELS[name]
        model, figures = fit_for(
            60 * arguments.minutes,
            kind,
            x,
            arguments.batch_size,
            arguments.seed,
            {
                "latent_dim": arguments.latent_dim,
                "filters": arguments.filters,
                "max_filters": arguments.max_filters,
            },
            compiled,
        )
        images = model.sample(10_000, seed=arguments.seed)
        rows[name] = images[:24]
        results[name] = {**figures, **judge.figures(images)}
        print(name, results[name], flush=True)
    few = f"-{arguments.per_class}" if arguments.per_class else ""
    kgen.plots.pairs(rows, out / f"samples{few}.png", "Samples", columns=12)
    settings = {**vars(arguments), "classifier_accuracy": judge.accuracy}
    del settings["data"], settings["out"]
    (out / f"result{few}.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=2) + "\n"
    )
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
