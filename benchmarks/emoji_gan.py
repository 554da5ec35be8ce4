"""A GAN of small colour pictures: emoji of 64x64, judged by their categories.

    npm pack emoji-datasource-google@16.0.0
    python benchmarks/emoji_gan.py --data emoji-datasource-google-16.0.0.tgz

The pictures of the folder `img/google/64`, on white, with the ten categories of
`emoji.json`; variants in skin colour are pictures, too. Each model is trained for
`--minutes`, and then as many samples as there are pictures are judged against all
pictures: Frechet distance, precision and recall on the last hidden layer of a
convolutional classifier of the categories, which was trained on nine tenths of the
pictures; its accuracy is that on the last tenth. The figures of one half of the
pictures against the other stand beside. Writes result.json to `--out`, and for each
model a picture of samples, and one of samples above the training pictures that are
nearest to them in pixels.
"""

import argparse
import io
import json
import os
import pathlib
import tarfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import numpy as np
from fashion_judge import figures
from PIL import Image
from timed import fit_for

import kgen

SHAPE = (64, 64, 3)
# Names of models, and what they are made with; all are compiled with the defaults.
MODELS = {"defaults": {}, "resnet": {"network": "resnet", "filters": 8}}


def emoji(package):
    """All pictures in [0, 1], and the numbers of their categories."""
    images, categories = [], []
    with tarfile.open(package) as tar:
        listed = json.load(tar.extractfile("package/emoji.json"))
        category = {}
        for entry in listed:
            variants = entry.get("skin_variations", {}).values()
            for each in (entry, *variants):
                category[each["image"]] = entry["category"]
        for member in tar:
            path = pathlib.PurePosixPath(member.name)
            if str(path.parent) == "package/img/google/64":
                image = Image.open(io.BytesIO(tar.extractfile(member).read()))
                white = Image.new("RGBA", image.size, "white")
                shown = Image.alpha_composite(white, image.convert("RGBA"))
                images.append(np.asarray(shown.convert("RGB")))
                categories.append(category[path.name])
    order = np.random.default_rng(0).permutation(len(images))
    x = np.stack(images)[order].astype("float32") / 255
    _, y = np.unique(np.array(categories)[order], return_inverse=True)
    return x, y


class Judge:
    """A classifier of the categories, whose features judge pictures."""

    def __init__(self, x, y):
        keras.utils.set_random_seed(0)
        layers = keras.layers
        self.model = keras.Sequential([keras.Input(SHAPE)])
        for filters in (32, 64, 128, 128):
            self.model.add(layers.Conv2D(filters, 3, padding="same"))
            self.model.add(layers.BatchNormalization())
            self.model.add(layers.ReLU())
            self.model.add(layers.MaxPooling2D())
        self.model.add(layers.Flatten())
        self.model.add(layers.Dropout(0.5))
        self.model.add(layers.Dense(128, activation="relu", name="features"))
        self.model.add(layers.Dropout(0.5))
        self.model.add(layers.Dense(int(y.max()) + 1))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile("adam", loss, metrics=["accuracy"])
        known = len(x) * 9 // 10
        self.model.fit(x[:known], y[:known], epochs=20, verbose=2)
        _, accuracy = self.model.evaluate(x[known:], y[known:], verbose=0)
        self.accuracy = float(accuracy)
        self._features = keras.Model(
            self.model.inputs, self.model.get_layer("features").output
        )
        self.real = self.features(x)
        half = len(x) // 2
        self.halves = figures(self.real[:half], self.real[half:])

    def features(self, images):
        return self._features.predict(images, batch_size=500, verbose=0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="the package, a .tgz file")
    add("--minutes", type=float, default=40.0)
    add("--latent-dim", type=int, default=64)
    add("--batch-size", type=int, default=16)
    add("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    add("--seed", type=int, default=0)
    add("--out", default="benchmarks/results/emoji_gan")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    x, y = emoji(arguments.data)
    judge = Judge(x, y)
    results = {"halves of the pictures": judge.halves}
    for name in arguments.models:
        model, took = fit_for(
            60 * arguments.minutes,
            "gan",
            x,
            arguments.batch_size,
            arguments.seed,
            {"latent_dim": arguments.latent_dim, **MODELS[name]},
            {},
        )
        images = model.sample(len(x), seed=arguments.seed)
        fake = judge.features(images)
        results[name] = {**took, **figures(judge.real, fake)}
        print(name, results[name], flush=True)
        kgen.plots.samples(images[:100], out / f"samples-{name}.png", name)
        nearest, _ = kgen.metrics.nearest_neighbors(images[:12], x)
        rows = {"sample": images[:12], "nearest": x[nearest]}
        kgen.plots.pairs(rows, out / f"nearest-{name}.png")
    settings = {**vars(arguments), "classifier_accuracy": judge.accuracy}
    del settings["data"], settings["out"]
    (out / "result.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
