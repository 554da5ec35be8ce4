"""Test log-likelihood of a VAE on dynamically binarised Fashion-MNIST.

    python benchmarks/fashion_nll.py --data FOLDER_WITH_THE_IDX_FILES

Two (gated) dense layers of 300 in the encoder and in the decoder, z of 40,
Bernoulli pixels drawn anew each epoch. The figure is minus the mean of
log p(x) by 5,000 importance samples over the 10,000 test pictures, with its
standard error. Nothing is selected on the test set: the curve only shows it.
Writes a line of JSON and the curve (CSV and PNG) to `--out`.
"""

import argparse
import csv
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import numpy as np
from matplotlib.figure import Figure

import kgen


def build(arguments, steps):
    vae = kgen.create_model(
        "vae",
        input_shape=(28, 28, 1),
        network="dense",
        latent_dim=40,
        hidden_units=(300, 300),
        activation=arguments.activation,
        likelihood="bernoulli",
        importance_samples=arguments.importance_samples,
        seed=arguments.seed,
    )
    rate = keras.optimizers.schedules.CosineDecay(
        arguments.learning_rate, steps, alpha=0.01
    )
    vae.compile(optimizer=kgen.optimizers.Adam(rate))
    return vae


def train(arguments, out):
    keras.utils.set_random_seed(arguments.seed)
    training, test = kgen.data.load(
        arguments.data, ("train", "test"), seed=arguments.seed, binarize=True
    )
    vae = build(arguments, arguments.epochs * int(training.cardinality()))
    callbacks = [keras.callbacks.CSVLogger(out / "history.csv")]
    if arguments.kl_warmup:
        callbacks.append(kgen.callbacks.KLWarmUp(arguments.kl_warmup))
    start = time.time()
    history = vae.fit(
        training,
        validation_data=test,
        validation_freq=arguments.every,
        epochs=arguments.epochs,
        callbacks=callbacks,
        verbose=2,
    )
    return vae, test, history.history, time.time() - start


def save_curve(history, every, out):
    epochs = np.arange(1, len(history["loss"]) + 1)
    with open(out / "curve.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "test_loss", "test_elbo"])
        writer.writerows(
            zip(
                epochs[every - 1 :: every],
                history["val_loss"],
                history["val_elbo"],
            )
        )
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(epochs, history["loss"], label="training bound")
    axes.plot(
        epochs[every - 1 :: every],
        history["val_loss"],
        "o--",
        label="test bound",
    )
    axes.set(
        xlabel="epoch",
        ylabel="nats per image",
        title="Negative bound on log p(x), Fashion-MNIST",
        ylim=(min(history["loss"]) - 1, min(history["loss"]) + 15),
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(out / "curve.png", dpi=120)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--activation", default="gated")
    parser.add_argument("--importance-samples", type=int, default=5)
    parser.add_argument("--kl-warmup", type=float, default=10.0)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--num-samples", type=int, default=5000)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="benchmarks/results/fashion_nll")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    vae, test, history, seconds = train(arguments, out)
    vae.save(out / "model.keras")
    save_curve(history, arguments.every, out)
    start = time.time()
    log_prob = vae.log_likelihood(
        test, num_samples=arguments.num_samples, seed=0, verbose=0
    )
    result = {
        **vars(arguments),
        "nll": round(float(-log_prob.mean()), 3),
        "standard_error": round(
            float(log_prob.std() / np.sqrt(len(log_prob))), 3
        ),
        "training_minutes": round(seconds / 60, 1),
        "evaluation_minutes": round((time.time() - start) / 60, 1),
    }
    del result["data"], result["out"]
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
