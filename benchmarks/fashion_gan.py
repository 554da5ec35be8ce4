"""A GAN against a VAE on Fashion-MNIST, by the features of a classifier.

    python benchmarks/fashion_gan.py --data FOLDER_WITH_THE_IDX_FILES

Both models have networks of the same widths and kgen's defaults, and are trained
for the same number of seconds. 10,000 samples of each are judged against the
10,000 test pictures: Frechet distance, precision, recall, density and coverage
on the last hidden layer of a convolutional classifier trained on the training
pictures. The training pictures' own figures are the floor. Nothing is selected
on the test set. Writes result.json and samples.png to `--out`.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
from fashion_judge import Judge

import kgen


class Seconds(keras.callbacks.Callback):
    """Ends training after so many; in the second half the rate falls to 0."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_train_begin(self, logs=None):
        self.start = time.monotonic()
        self.rate = float(self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch, logs=None):
        passed = (time.monotonic() - self.start) / self.seconds
        left = min(max(2.0 * (1.0 - passed), 0.0), 1.0)
        self.model.optimizer.learning_rate = self.rate * left
        self.model.stop_training = passed >= 1.0


def train(name, arguments):
    keras.utils.set_random_seed(arguments.seed)
    model = kgen.create_model(
        name,
        input_shape=(28, 28, 1),
        latent_dim=arguments.latent_dim,
        filters=arguments.filters,
        max_filters=arguments.max_filters,
        seed=arguments.seed,
    )
    model.compile()
    x = kgen.data.load(
        arguments.data,
        "train",
        batch_size=arguments.batch_size,
        seed=arguments.seed,
    )
    seconds = Seconds(60 * arguments.minutes)
    history = model.fit(x, epochs=10_000, verbose=2, callbacks=[seconds])
    return model, len(history.epoch)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--minutes", type=float, default=14.0)
    parser.add_argument("--latent-dim", type=int, default=64)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--max-filters", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--only", choices=["gan", "vae"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="benchmarks/results/fashion_gan")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)

    judge = Judge(arguments.data, arguments.seed)
    results = {"training pictures": judge.floor}
    rows = {"real": judge.x_test[:24]}
    for name in ("vae", "gan"):
        if arguments.only not in (None, name):
            continue
        model, epochs = train(name, arguments)
        images = model.sample(10_000, seed=arguments.seed)
        rows[name.upper()] = images[:24]
        results[name] = {"epochs": epochs, **judge.figures(images)}
        print(name, results[name], flush=True)
    kgen.plots.pairs(rows, out / "samples.png", "Samples", columns=12)
    settings = {**vars(arguments), "classifier_accuracy": judge.accuracy}
    del settings["data"], settings["out"]
    (out / "result.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=2) + "\n"
    )
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
