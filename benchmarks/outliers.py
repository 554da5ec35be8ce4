"""Outliers by kgen's models and by others, one class known at a time.

    python benchmarks/outliers.py --data FOLDER_WITH_THE_IDX_FILES

Each class of Fashion-MNIST in turn is the known one: a model learns from its 6,000
training pictures, and scores all 10,000 test pictures, of which those of the nine
other classes are the outliers. Of scikit-learn's breast cancer, benign rows are known:
a half of them trains, and the others and all malignant ones are scored, with features
standardised by the training rows. The figure is the AUROC: how often an outlier has a
higher score than a known example. kgen's models stand beside scikit-learn's isolation
forest and one-class SVM, and beside PyOD's autoencoder where PyOD is installed, each
with its defaults unless the lists below say otherwise. No method sees an outlier, or a
label, before its figures. Without `--data` there is breast cancer alone. Writes
result.json to `--out` after each method, where what this has of other methods, classes
and seeds stays; and result.txt, means over seeds.
"""

import argparse
import importlib.util
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import kgen
import kgen.sklearn

CLASSES = 10


class Kgen:
    """A model of kgen, trained for some epochs.

    Args:
        name: As in `kgen.create_model`.
        epochs: How often it sees the examples.
        scores: Dictionary from an ending of the method's name to the arguments of
            `outlier_score`.
        **options: Of `kgen.create_model`.
    """

    def __init__(self, name, epochs=1, scores=None, **options):
        self.name, self.epochs, self.options = name, epochs, options
        self.arguments = scores or {"": {}}

    def fit(self, x, seed, epochs=None):
        keras.utils.set_random_seed(seed)
        self.model = kgen.create_model(
            self.name, input_shape=x.shape[1:], **self.options
        )
        self.model.compile()
        is_density = self.name == "bayes_classifier"
        self.model.fit(
            x,
            np.zeros(len(x), "int32") if is_density else None,
            batch_size=1000 if is_density else 64,
            epochs=1 if is_density else epochs or self.epochs,
            verbose=0,
        )

    def scores(self, x):
        return {
            ending: self.model.outlier_score(x, **arguments)
            for ending, arguments in self.arguments.items()
        }


class Other:
    """A detector of another library, on flat rows.

    Args:
        build: Function of a seed that returns one.
        scores: Function of it and rows: higher for outliers.
    """

    def __init__(self, build, scores):
        self.build, self.scores_of = build, scores

    def fit(self, x, seed, epochs=None):
        del epochs
        self.detector = self.build(seed).fit(x.reshape(len(x), -1))

    def scores(self, x):
        return {"": self.scores_of(self.detector, x.reshape(len(x), -1))}


# -ELBO, and -log p(x) by 100 importance samples.
OF_A_VAE = {"": {}, ", log p(x)": {"num_samples": 100}}


def density(name, **options):
    return Kgen("bayes_classifier", density=name, num_classes=1, **options)


def minus_score(detector, x):
    """An outlier score, of what scores as scikit-learn does."""
    return -detector.score_samples(x)


def others():
    found = {
        "IsolationForest": Other(
            lambda seed: IsolationForest(random_state=seed), minus_score
        ),
        "OneClassSVM": Other(lambda seed: OneClassSVM(), minus_score),
        "OneClassSVM, nu=0.1": Other(
            lambda seed: OneClassSVM(nu=0.1), minus_score
        ),
    }
    if importlib.util.find_spec("pyod"):
        from pyod.models.auto_encoder import AutoEncoder

        found["PyOD AutoEncoder"] = Other(
            lambda seed: AutoEncoder(random_state=seed, verbose=0),
            lambda detector, x: detector.decision_function(x),
        )
    return found


def of_pictures():
    conv = {"network": "conv", "latent_dim": 32}
    return {
        "kgen VAE": Kgen("vae", 20, OF_A_VAE, **conv),
        "kgen autoencoder": Kgen("autoencoder", 20, **conv),
        "kgen denoising autoencoder": Kgen("denoising_autoencoder", 20, **conv),
        "kgen full": density("full"),
        "kgen low_rank:20": density("low_rank:20"),
        "kgen naive_gaussian": density("naive_gaussian"),
        # Chosen by classes 0, 2, 6 and 8, and training pictures alone.
        "kgen.sklearn.OutlierDetector, denoising autoencoder": Other(
            lambda seed: make_pipeline(
                StandardScaler(),
                kgen.sklearn.OutlierDetector(
                    "denoising_autoencoder",
                    latent_dim=16,
                    hidden_units=(256, 128),
                    epochs=20,
                    options={"corruption": "gaussian:0.5"},
                    random_state=seed,
                ),
            ),
            minus_score,
        ),
    }


def of_rows():
    dense = {"network": "dense", "hidden_units": (64, 32), "latent_dim": 4}
    return {
        "kgen VAE": Kgen("vae", 200, OF_A_VAE, **dense),
        "kgen VAE-GAN": Kgen("vaegan", 200, **dense),
        "kgen autoencoder": Kgen("autoencoder", 200, **dense),
        "kgen denoising autoencoder": Kgen(
            "denoising_autoencoder", 200, corruption="gaussian:0.5", **dense
        ),
        "kgen full": density("full"),
        "kgen low_rank:8": density("low_rank:8"),
        "kgen naive_gaussian": density("naive_gaussian"),
        "kgen.sklearn.OutlierDetector": Other(
            lambda seed: kgen.sklearn.OutlierDetector(random_state=seed),
            minus_score,
        ),
    }


def fashion(folder, classes, limit):
    """What is known, and what is scored: of each class that is asked for."""
    source = kgen.data.open_source(folder)
    parts = []
    for split in ("train", "test"):
        examples = source.examples(split)
        x = np.asarray(examples.images[:], "float32") / 255
        parts.append((x, np.asarray(examples.labels)))
    (x, y), (x_test, y_test) = parts
    for known in classes:
        yield (
            f"class {known}",
            x[y == known][:limit],
            x_test[:limit],
            y_test[:limit] != known,
        )


def breast_cancer(seed):
    x, is_benign = load_breast_cancer(return_X_y=True)
    known, held_out = train_test_split(
        x[is_benign == 1], test_size=0.5, random_state=seed
    )
    scale = StandardScaler().fit(known)
    malignant = x[is_benign == 0]
    rows = np.concatenate([held_out, malignant])
    is_outlier = np.arange(len(rows)) >= len(held_out)
    yield (
        "benign",
        scale.transform(known).astype("float32"),
        scale.transform(rows).astype("float32"),
        is_outlier,
    )


def judged(data, methods, tasks, seed, epochs):
    """A row for each score of each method and task, one after another."""
    tasks = list(tasks)
    for name, method in methods.items():
        for known, x, x_test, is_outlier in tasks:
            method.fit(x, seed, epochs)
            all_scores = method.scores(x_test)
            keras.backend.clear_session()
            for ending, scores in all_scores.items():
                yield {
                    "data": data,
                    "known": known,
                    "method": name + ending,
                    "seed": seed,
                    "auroc": float(roc_auc_score(is_outlier, scores)),
                }


def key(row):
    """What a row is the figure of."""
    return row["data"], row["known"], row["method"], row["seed"]


def table(rows):
    """AUROC by method and known class, and their mean."""
    rows = pd.DataFrame(rows)
    found = rows.pivot_table("auroc", "method", "known", sort=False)
    found["mean"] = found.mean(axis=1)
    by_seed = rows.groupby(["method", "seed"])["auroc"].mean()
    found["sd of seeds"] = by_seed.groupby("method").std()
    return found.sort_values("mean", ascending=False).round(4).to_string()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", help="the folder of the IDX files")
    add("--classes", type=int, nargs="+", default=list(range(CLASSES)))
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--epochs", type=int, help="of each network; default: as listed")
    add("--limit", type=int, help="examples at most, to try the script")
    add("--only", nargs="+", default=[""], help="parts of methods' names")
    add("--out", default="benchmarks/results/outliers")
    arguments = parser.parse_args()
    is_trial = arguments.epochs or arguments.limit
    if is_trial and arguments.out == parser.get_default("out"):
        parser.error("results of a trial need an --out of their own")
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / "result.json"
    kept = json.loads(file.read_text()) if file.exists() else []
    results = {key(row): row for row in kept}
    sets = {"breast cancer": (of_rows(), breast_cancer)}
    if arguments.data:
        pictures = list(
            fashion(arguments.data, arguments.classes, arguments.limit)
        )
        sets["Fashion-MNIST"] = (of_pictures(), lambda seed: pictures)
    for data, (models, tasks) in sets.items():
        methods = {
            name: method
            for name, method in {**models, **others()}.items()
            if any(part in name for part in arguments.only)
        }
        for seed in arguments.seeds:
            rows = judged(data, methods, tasks(seed), seed, arguments.epochs)
            for row in rows:
                results[key(row)] = row
                print(row, flush=True)
                text = json.dumps(list(results.values()), indent=1) + "\n"
                file.write_text(text)
    text = ""
    for data in sets:
        found = [row for row in results.values() if row["data"] == data]
        if found:
            text += f"{data}, AUROC\n{table(found)}\n\n"
    print(text)
    (out / "result.txt").write_text(text)


if __name__ == "__main__":
    main()
