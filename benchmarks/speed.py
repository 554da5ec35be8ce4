"""Training throughput of the same VAE: kgen, kgen with a `Guard` against NaN, a
bare loop, and PyTorch.

    python benchmarks/speed.py --data FOLDER --torch-python PATH/bin/python

Each repeat trains five epochs with each in turn; the table gives the median
images per second, and the median ratio of the repeats. `--torch-python` is the
interpreter of an environment with PyTorch and NumPy; without it that column is
left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import kgen

BATCH = 128
NETWORKS = {"dense": {"hidden_units": (400,)}, "conv": {}}
EXAMPLES = {"dense": 60_000, "conv": 10_000}


def model_of(network):
    return kgen.create_model(
        "vae",
        input_shape=(28, 28, 1),
        network=network,
        latent_dim=20,
        likelihood="bernoulli",
        **NETWORKS[network],
    )


class Kgen:
    """`fit` with its defaults, on a dataset of `kgen.data.load`."""

    def __init__(self, network, images, callbacks=()):
        self.dataset = kgen.data.load(images, "all", batch_size=BATCH)
        self.callbacks = list(callbacks)
        self.model = model_of(network)
        self.model.compile(optimizer="adam")

    def train(self, epochs):
        start = time.perf_counter()
        history = self.model.fit(
            self.dataset, epochs=epochs, callbacks=self.callbacks, verbose=0
        )
        return time.perf_counter() - start, history.history["loss"][-1]


class BareLoop:
    """What one writes by hand: a `tf.function` for each batch of tf.data."""

    def __init__(self, network, images):
        model = model_of(network)
        self.encoder, self.decoder = model.encoder, model.decoder
        self.variables = (
            self.encoder.trainable_variables + self.decoder.trainable_variables
        )
        self.optimizer = keras.optimizers.Adam()
        self.optimizer.build(self.variables)
        self.dataset = (
            tf.data.Dataset.from_tensor_slices(images)
            .shuffle(len(images))
            .batch(BATCH)
            .map(lambda x: tf.cast(x, tf.float32) / 255)
            .prefetch(tf.data.AUTOTUNE)
        )
        self.count = len(images)

    @tf.function(reduce_retracing=True)
    def step(self, x):
        with tf.GradientTape() as tape:
            mean, log_var = self.encoder(x, training=True)
            eps = tf.random.normal(tf.shape(mean))
            z = mean + tf.exp(0.5 * log_var) * eps
            logits = self.decoder(z, training=True)
            cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(x, logits)
            reconstruction = tf.reduce_sum(cross_entropy)
            kl = 0.5 * tf.reduce_sum(tf.exp(log_var) + mean**2 - 1.0 - log_var)
            loss = (reconstruction + kl) / tf.cast(tf.shape(x)[0], tf.float32)
        gradients = tape.gradient(loss, self.variables)
        self.optimizer.apply_gradients(zip(gradients, self.variables))
        return loss

    def train(self, epochs):
        start = time.perf_counter()
        for _ in range(epochs):
            total = 0.0
            for x in self.dataset:
                total += self.step(x).numpy() * len(x)
        return time.perf_counter() - start, total / self.count


class Torch:
    """speed_torch.py in a process of its own; one line asks for one training."""

    def __init__(self, python, file):
        script = os.path.join(os.path.dirname(__file__), "speed_torch.py")
        self.process = subprocess.Popen(
            [python, script, file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def train(self, network, epochs, count):
        self.process.stdin.write(f"{network} {epochs} {count}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["seconds"], answer["loss"]


def measure(network, images, torch, repeats, epochs):
    contenders = {
        "kgen": Kgen(network, images).train,
        "with Guard": Kgen(network, images, [kgen.callbacks.Guard()]).train,
        "bare loop": BareLoop(network, images).train,
    }
    if torch:
        contenders["torch"] = lambda epochs: torch.train(
            network, epochs, len(images)
        )
    speeds = {name: [] for name in contenders}
    losses = dict.fromkeys(contenders)
    for repeat in range(repeats + 1):
        for name, train in contenders.items():
            seconds, losses[name] = train(epochs)
            if repeat:  # the first one traces and warms up
                speeds[name].append(epochs * len(images) / seconds)
    for name, values in speeds.items():
        ratio = statistics.median(
            mine / theirs for mine, theirs in zip(speeds["kgen"], values)
        )
        print(
            f"{network:6} {name:10} {statistics.median(values):8.0f} images/s"
            f"   kgen is {ratio:.2f}x   loss {losses[name]:.2f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="28x28 pictures; default: random ones")
    parser.add_argument("--torch-python")
    parser.add_argument(
        "--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS)
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.data:
        batches = kgen.data.load(arguments.data, "train", seed=0)
        images = np.concatenate(list(batches.as_numpy_iterator()))
        images = np.round(images * 255).astype("uint8")
    else:
        images = np.random.default_rng(0).integers(
            0, 256, (60_000, 28, 28, 1), dtype="uint8"
        )
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, images)
        file.flush()
        torch = None
        if arguments.torch_python:
            torch = Torch(arguments.torch_python, file.name)
        for network in arguments.networks:
            measure(
                network,
                images[: EXAMPLES[network]],
                torch,
                arguments.repeats,
                arguments.epochs,
            )


if __name__ == "__main__":
    main()
