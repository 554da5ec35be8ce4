"""Generative and discriminative classifiers of Fashion-MNIST, on the same split.

    python benchmarks/fashion_bayes.py --data FOLDER_WITH_THE_IDX_FILES

All learn from the 60,000 training pictures and are judged by the 10,000 test
pictures: kgen's naive Bayes, pPCA-Bayes and VAE-Bayes, the last one purely
generative and by the hybrid objective, and scikit-learn's nearest neighbours,
decision tree, random forest, logistic regression and SVM. Then from 50 labels a
class: scikit-learn's from these 500 pictures alone, kgen's from the other 59,500
without labels, too. Nothing is selected on the test set. Writes result.json,
after each model, to `--out`; `--only` takes parts of their names.
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
import tensorflow as tf
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import kgen
from kgen.comparison import nested_order
from kgen.data import pipeline

SHAPE, CLASSES = (28, 28, 1), 10


class Bayes:
    """kgen's classifier, with what it is trained by.

    Args:
        epochs: How often it sees the examples.
        batch_size: How many at a time.
        rate: The learning rate that falls to 0, as a cosine does.
        weight: Of the discriminative loss.
        unlabelled_weight: Of an example without a label.
        moved: Whether each batch is moved by a pixel at most, at random.
        samples: By how many importance samples a VAE's log p(x|y) is estimated
            once it is trained.
        first: Another `Bayes`, whose model is trained further, in place of a
            new one.
        **options: Of the model.
    """

    def __init__(
        self,
        epochs=1,
        batch_size=1000,
        rate=0.001,
        weight=0.0,
        unlabelled_weight=1.0,
        moved=False,
        samples=None,
        first=None,
        **options,
    ):
        self.epochs, self.batch_size, self.rate = epochs, batch_size, rate
        self.weight, self.unlabelled_weight = weight, unlabelled_weight
        self.moved, self.samples, self.first = moved, samples, first
        self.options, self.model = options, None

    def fit(self, x, y):
        if self.first is None:
            self.model = self.new_model(x.shape[1:])
        else:
            if self.first.model is None:
                self.first.fit(x, y)
            self.model = self.first.model
        batches = pipeline.batches(
            x, y, batch_size=self.batch_size, shuffle=True, seed=0
        )
        steps = self.epochs * int(batches.cardinality())
        rate = keras.optimizers.schedules.CosineDecay(self.rate, steps)
        if self.moved:
            batches = batches.map(moved_by_a_pixel)
        self.model.compile(
            kgen.optimizers.Adam(rate),
            discriminative_weight=self.weight,
            unlabelled_weight=self.unlabelled_weight,
        )
        self.model.fit(batches, epochs=self.epochs, verbose=2)
        if self.samples:
            self.model.density.importance_samples = self.samples

    def new_model(self, shape):
        keras.utils.set_random_seed(0)
        return kgen.create_model(
            "bayes_classifier",
            input_shape=shape,
            num_classes=CLASSES,
            seed=0,
            **self.options,
        )

    def predict(self, x):
        return self.model.classify(x, batch_size=250)


def moved_by_a_pixel(x, y):
    """The pictures of a batch, all moved by -1 to 1 pixel both ways."""
    place = tf.random.uniform((2,), 0, 3, "int32")
    around = tf.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    moved = around[:, place[0] : place[0] + 28, place[1] : place[1] + 28]
    return tf.ensure_shape(moved, x.shape), y


class OnCodes:
    """A classifier on the codes of a VAE that sees no labels.

    Args:
        classifier: A `Bayes`.
        epochs: How often the VAE sees the pictures.
        **options: Of the VAE.
    """

    def __init__(self, classifier, epochs, **options):
        self.classifier, self.epochs, self.options = classifier, epochs, options

    def fit(self, x, y):
        keras.utils.set_random_seed(0)
        self.vae = kgen.create_model("vae", input_shape=SHAPE, **self.options)
        self.vae.compile()
        batches = pipeline.batches(
            x, None, batch_size=128, shuffle=True, seed=0
        )
        self.vae.fit(batches, epochs=self.epochs, verbose=2)
        self.classifier.fit(self.vae.encode(x), y)

    def predict(self, x):
        return self.classifier.predict(self.vae.encode(x))


class Peer:
    """A classifier of scikit-learn, which wants rows."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, x, y):
        known = y >= 0
        self.estimator.fit(x[known].reshape(known.sum(), -1), y[known])

    def predict(self, x):
        return self.estimator.predict(x.reshape(len(x), -1))


def with_all_labels():
    """The models that learn from 60,000 pictures and their labels."""
    vae = Bayes(
        density="vae",
        network="dense",
        hidden_units=(300, 300),
        activation="gated",
        latent_dim=20,
        likelihood="bernoulli",
        batch_size=128,
        rate=0.002,
        epochs=60,
        samples=256,
    )
    hybrid = Bayes(
        first=vae,
        batch_size=128,
        rate=0.001,
        epochs=20,
        weight=50.0,
        moved=True,
        samples=64,
    )
    return {
        "naive Bayes, Gaussian": Bayes(density="naive_gaussian"),
        "naive Bayes, Bernoulli": Bayes(density="naive_bernoulli"),
        "pPCA-Bayes": Bayes(density="low_rank:20"),
        "VAE-Bayes": vae,
        "VAE-Bayes, hybrid": hybrid,
        **peers(),
    }


def with_few_labels():
    """Those that learn from 500 labels; kgen's from the other pictures, too.

    Of these it learns codes, and a little of each class's place among the codes.
    """
    classifier = Bayes(
        density="full",
        pooling=0.6,
        shrinkage=0.1,
        standardize=False,  # codes have one unit
        unlabelled_weight=0.003,
        epochs=3,
    )
    codes = OnCodes(
        classifier,
        network="dense",
        hidden_units=(300, 300),
        latent_dim=64,
        kl_weight=0.1,
        epochs=8,
    )
    return {"Gaussian-Bayes on a VAE's codes": codes, **peers()}


def peers():
    """scikit-learn's, of its defaults.

    But for the SVM's C=10, and 1,000 iterations of logistic regression at most.
    """
    found = {
        "k-NN": KNeighborsClassifier(),
        "decision tree": DecisionTreeClassifier(random_state=0),
        "random forest": RandomForestClassifier(random_state=0),
        "logistic regression": LogisticRegression(max_iter=1000),
        "SVM, C=10": SVC(C=10),
    }
    return {name: Peer(estimator) for name, estimator in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", default="benchmarks/results/fashion_bayes")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / "result.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    source = kgen.data.open_source(arguments.data)
    (x, y), (x_test, y_test) = (
        (part.images / np.float32(255), part.labels.astype("int32"))
        for part in (source.examples("train"), source.examples("test"))
    )
    few = np.full_like(y, -1)
    chosen = nested_order(y, seed=0)[: 50 * CLASSES]
    few[chosen] = y[chosen]
    for labels, models, given in (
        ("all labels", with_all_labels(), y),
        ("50 labels a class", with_few_labels(), few),
    ):
        for name, model in models.items():
            if arguments.only not in f"{labels}: {name}":
                continue
            start = time.time()
            model.fit(x, given)
            trained = time.time()
            accuracy = float(np.mean(model.predict(x_test) == y_test))
            found.setdefault(labels, {})[name] = {
                "accuracy": round(accuracy, 4),
                "train_seconds": round(trained - start, 1),
                "predict_seconds": round(time.time() - trained, 1),
            }
            print(labels, name, found[labels][name], flush=True)
            file.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
