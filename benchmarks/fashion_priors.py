"""Test log-likelihood of VAEs with several priors, by a published protocol.

    python benchmarks/fashion_priors.py --data FOLDER --models normal vamp

Fashion-MNIST as in the Exemplar VAE's paper (Norouzi et al. 2020, arXiv 2004.04795):
the first 50,000 training pictures, binarised anew in each epoch; the last 10,000 tell
which epoch's weights are the best, by their ELBO, and the training stops when they have
not become better for `--patience` epochs; the test pictures are binarised once, by
seed 0; the figure is minus the mean of log p(x) by 5,000 importance samples, with its
standard error. Only the last line of a model looks at the test pictures.

The models have two gated dense layers of 300 in the encoder and in the decoder, and a
code of 40: `normal` and `vamp` differ in the prior alone; `levels` has two levels of 40
with a VampPrior on top, `conv` convolutional networks beside these. Each model writes a
line of JSON and its curve (CSV and PNG) to `--out`.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import numpy as np
import pandas as pd

import kgen

DENSE = {"network": "dense", "hidden_units": (300, 300), "activation": "gated"}
CONV = {"network": "conv", "filters": 32, "hidden_units": (256,)}
MODELS = {
    "normal": {**DENSE, "latent_dim": 40},
    "vamp": {**DENSE, "latent_dim": 40, "prior": "vamp:500"},
    "levels": {
        **DENSE,
        "latent_dim": 80,
        "levels": 2,
        "prior": "vamp:500",
    },
    "conv": {**CONV, "latent_dim": 80, "levels": 2, "prior": "vamp:500"},
}


def parsed():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="the folder of the IDX files")
    add("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    add("--epochs", type=int, default=300, help="at most")
    add("--patience", type=int, default=50)
    add("--batch-size", type=int, default=100)
    add("--learning-rate", type=float, default=1e-3)
    add("--importance-samples", type=int, default=1, help="of the objective")
    add("--kl-warmup", type=float, default=20.0)
    add("--num-samples", type=int, default=5000, help="of the test figure")
    add("--seeds", nargs="+", type=int, default=[0])
    add("--out", default="benchmarks/results/fashion_priors")
    return parser.parse_args()


def trained(name, seed, arguments, out):
    """A model with the weights of its best epoch, and the minutes it took."""
    keras.utils.set_random_seed(seed)
    splits = ("train[:50000]", "train[50000:]")
    train, validation = kgen.data.load(
        arguments.data,
        splits,
        seed=seed,
        binarize=True,
        batch_size=arguments.batch_size,
    )
    vae = kgen.create_model(
        "vae",
        input_shape=(28, 28, 1),
        likelihood="bernoulli",
        importance_samples=arguments.importance_samples,
        seed=seed,
        **MODELS[name],
    )
    steps = arguments.epochs * int(train.cardinality())
    rate = keras.optimizers.schedules.CosineDecay(
        arguments.learning_rate, steps, alpha=0.02
    )
    vae.compile(kgen.optimizers.Adam(rate))
    start = time.time()
    vae.fit(
        train,
        validation_data=validation,
        epochs=arguments.epochs,
        callbacks=[
            kgen.callbacks.KLWarmUp(arguments.kl_warmup),
            keras.callbacks.CSVLogger(out / f"{name}-{seed}.csv"),
            keras.callbacks.EarlyStopping(
                "val_elbo",
                mode="max",
                patience=arguments.patience,
                restore_best_weights=True,
            ),
        ],
        verbose=2,
    )
    return vae, (time.time() - start) / 60


def test_pictures(folder):
    """The test pictures, each pixel drawn once."""
    batches = kgen.data.load(folder, "test")
    x = np.concatenate(list(batches.as_numpy_iterator()))
    drawn = np.random.default_rng(0).random(x.shape) < x
    return drawn.astype("float32")


def draw_curves(out):
    """The validation's ELBO of all models, epoch by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for file in sorted(out.glob("*.csv")):
        curve = pd.read_csv(file)["val_elbo"]
        axes.plot(np.arange(1, len(curve) + 1), -curve, label=file.stem)
    axes.set(
        xlabel="epoch",
        ylabel="-ELBO of the validation pictures (nats)",
        ylim=(226, 242),
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(out / "curves.png", dpi=120)


def main():
    arguments = parsed()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    x = test_pictures(arguments.data)
    for name in arguments.models:
        for seed in arguments.seeds:
            vae, minutes = trained(name, seed, arguments, out)
            vae.save(out / f"{name}-{seed}.keras")
            start = time.time()
            log_prob = vae.log_likelihood(
                x, arguments.num_samples, seed=0, verbose=0
            )
            curve = pd.read_csv(out / f"{name}-{seed}.csv")["val_elbo"]
            result = {
                "model": name,
                "seed": seed,
                "nll": round(float(-log_prob.mean()), 3),
                "standard_error": round(
                    float(log_prob.std() / np.sqrt(len(x))), 3
                ),
                "best_epoch": int(curve.idxmax()) + 1,
                "epochs": len(curve),
                "validation_elbo": round(float(curve.max()), 3),
                "training_minutes": round(minutes, 1),
                "evaluation_minutes": round((time.time() - start) / 60, 1),
                **{
                    key: value
                    for key, value in vars(arguments).items()
                    if key not in ("data", "models", "seeds", "out")
                },
            }
            print(json.dumps(result), flush=True)
            with open(out / "results.jsonl", "a") as file:
                file.write(json.dumps(result) + "\n")
            draw_curves(out)


if __name__ == "__main__":
    main()
