"""Test log-likelihood of VAEs with several priors, by a published protocol.

    python benchmarks/fashion_priors.py --data FOLDER --models normal vamp

Fashion-MNIST as in the Exemplar VAE's paper (Norouzi et al. 2020, arXiv 2004.04795):
the first 50,000 training pictures, binarised anew in each epoch; the last 10,000 tell
which epoch's weights are the best, by their ELBO, and the training stops when they have
not become better for `--patience` epochs; the test pictures are binarised once, by
seed 0; the figure is minus the mean of log p(x) by 5,000 importance samples, with its
standard error. Only the last line of a model looks at the test pictures.

All train by the bound of 5 samples. Dense models have two gated layers of 300 in the
encoder and in the decoder: `normal` and `vamp` have a code of 40 and differ in the
prior alone; `levels` has two levels of 40 with a VampPrior on top. `conv` has
convolutional networks, a code of 40 and a normalising flow as its prior.
Writes result.json, curves.csv and curves.png, the validation's ELBO epoch by epoch, to
`--out`; what they hold of other models is kept. Minutes are those of the processors.
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
    "levels": {**DENSE, "latent_dim": 80, "levels": 2, "prior": "vamp:500"},
    "conv": {**CONV, "latent_dim": 40, "prior": "flow:4"},
}


def parsed():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="the folder of the IDX files")
    add("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    add("--epochs", type=int, default=240, help="at most")
    add("--patience", type=int, default=50)
    add("--batch-size", type=int, default=100)
    add("--learning-rate", type=float, default=1e-3)
    add("--kl-warmup", type=float, default=20.0)
    add("--num-samples", type=int, default=5000, help="of the test figure")
    add("--seeds", nargs="+", type=int, default=[0])
    add("--out", default="benchmarks/results/fashion_priors")
    return parser.parse_args()


def trained(name, seed, arguments):
    """A model with the weights of its best epoch, and the validation's ELBO."""
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
        importance_samples=5,
        seed=seed,
        **MODELS[name],
    )
    steps = arguments.epochs * int(train.cardinality())
    rate = keras.optimizers.schedules.CosineDecay(
        arguments.learning_rate, steps, alpha=0.02
    )
    vae.compile(kgen.optimizers.Adam(rate))
    history = vae.fit(
        train,
        validation_data=validation,
        epochs=arguments.epochs,
        callbacks=[
            kgen.callbacks.KLWarmUp(arguments.kl_warmup),
            keras.callbacks.EarlyStopping(
                "val_elbo",
                mode="max",
                patience=arguments.patience,
                restore_best_weights=True,
            ),
        ],
        verbose=2,
    )
    return vae, history.history["val_elbo"]


def test_pictures(folder):
    """The test pictures, each pixel drawn once."""
    batches = kgen.data.load(folder, "test")
    x = np.concatenate(list(batches.as_numpy_iterator()))
    drawn = np.random.default_rng(0).random(x.shape) < x
    return drawn.astype("float32")


def judged(vae, x, num_samples):
    """Minus the mean of log p(x), and its standard error."""
    log_prob = vae.log_likelihood(x, num_samples, seed=0, verbose=0)
    error = float(log_prob.std() / np.sqrt(len(x)))
    return {
        "nll": round(float(-log_prob.mean()), 3),
        "standard_error": round(error, 3),
    }


def save(name, result, curve, out):
    """Adds a model to the results, and draws all curves."""
    file, table = out / "result.json", out / "curves.csv"
    results = json.loads(file.read_text()) if file.exists() else {}
    results[name] = result
    file.write_text(json.dumps(results, indent=2) + "\n")
    curves = pd.DataFrame()
    if table.exists():
        curves = pd.read_csv(table, index_col="epoch")
    epochs = pd.RangeIndex(1, len(curve) + 1, name="epoch")
    curve = pd.Series(curve, epochs, name=name).round(3)
    curves = curves.drop(columns=name, errors="ignore").join(curve, how="outer")
    curves.rename_axis("epoch").to_csv(table)
    axes = (-curves).plot(figsize=(6.5, 4.5), grid=True, ylim=(226, 242))
    axes.set_ylabel("-ELBO of the validation pictures (nats)")
    axes.figure.savefig(out / "curves.png", dpi=120, bbox_inches="tight")


def main():
    arguments = parsed()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    x = test_pictures(arguments.data)
    own = ("data", "models", "seeds", "out")
    settings = {k: v for k, v in vars(arguments).items() if k not in own}
    for name in arguments.models:
        for seed in arguments.seeds:
            times = [time.process_time()]
            vae, curve = trained(name, seed, arguments)
            times.append(time.process_time())
            figures = judged(vae, x, arguments.num_samples)
            times.append(time.process_time())
            training, evaluation = np.diff(times) / 60
            result = {
                **figures,
                "best_epoch": int(np.argmax(curve)) + 1,
                "epochs": len(curve),
                "settings": settings,
                "validation_elbo": round(max(curve), 3),
                "training_minutes": round(training, 1),
                "evaluation_minutes": round(evaluation, 1),
            }
            print(name, seed, json.dumps(result), flush=True)
            label = f"{name}, {arguments.epochs} epochs, seed {seed}"
            save(label, result, curve, out)


if __name__ == "__main__":
    main()
