"""A classifier of Fashion-MNIST, whose features judge generated pictures."""

import keras
import numpy as np

import kgen


class Judge:
    """A convolutional classifier, trained on the training pictures.

    Args:
        folder: Where the IDX files are.
        seed: Integer.
        epochs: Of its training.
    """

    def __init__(self, folder, seed, epochs=6):
        source = kgen.data.open_source(folder)
        train, test = source.examples("train"), source.examples("test")
        self.x, self.x_test = (
            part.images / np.float32(255) for part in (train, test)
        )
        self.y, self.y_test = train.labels, test.labels
        self.model = _trained(self.x, self.y, seed, epochs)
        self._features = keras.Model(
            self.model.inputs, self.model.get_layer("features").output
        )
        self.real = self.features(self.x_test)
        accuracy = np.mean(self.classes(self.x_test) == self.y_test)
        self.accuracy = float(accuracy)
        order = np.random.default_rng(seed).permutation(len(self.x))
        self.floor = self.figures(self.x[order[:10_000]])

    def features(self, images):
        return self._features.predict(images, batch_size=1000, verbose=0)

    def classes(self, images):
        logits = self.model.predict(images, batch_size=1000, verbose=0)
        return logits.argmax(axis=1)

    def figures(self, images):
        """What 10,000 pictures are worth against the test pictures."""
        return figures(self.real, self.features(images))


def figures(real, fake):
    """What generated pictures are worth, by features of these and of real ones."""
    return {
        "frechet_distance": kgen.metrics.frechet_distance(real, fake),
        **kgen.metrics.precision_recall(real, fake),
    }


def _trained(x, y, seed, epochs):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(128, activation="relu", name="features"),
            layers.Dropout(0.25),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], steps_per_execution=16)
    model.fit(x, y, batch_size=128, epochs=epochs, verbose=2)
    return model
