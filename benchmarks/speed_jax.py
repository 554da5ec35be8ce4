"""The contender jax of speed.py, in an environment with JAX and NumPy.

    python speed_jax.py FOLDER    answers lines such as {"do": "version"}

A VAE in plain JAX, its step jitted, Adam by hand.
"""

import pathlib
import sys
import time

import jax
import numpy as np
import speed_cases
import speed_process
from jax import lax
from jax import numpy as jnp
from speed_cases import DENSE, HIDDEN, LATENT

_AXES = ("NHWC", "HWIO", "NHWC")
_glorot = jax.nn.initializers.glorot_uniform()


def layer(key, *shape):
    """A kernel by Glorot's uniform law, and biases of 0."""
    return {"kernel": _glorot(key, shape), "bias": jnp.zeros(shape[-1])}


def parameters_of(case, key):
    """The layers of the encoder and the decoder, in their order."""
    keys = iter(jax.random.split(key, 20))
    top = case.filters[-1] * case.sides[-1] ** 2
    channels = (case.shape[-1], *case.filters)
    if case.network == "dense":
        encoder = [(case.pixels, HIDDEN), (HIDDEN, 2 * LATENT)]
        decoder = [(LATENT, HIDDEN), (HIDDEN, case.pixels)]
    else:
        pairs = list(zip(channels, channels[1:]))
        encoder = [(3, 3, *pair) for pair in pairs]
        encoder += [(top, DENSE), (DENSE, 2 * LATENT)]
        decoder = [(LATENT, DENSE), (DENSE, top)]
        decoder += [(4, 4, more, less) for less, more in pairs[::-1]]
    return {
        "encoder": [layer(next(keys), *shape) for shape in encoder],
        "decoder": [layer(next(keys), *shape) for shape in decoder],
    }


def dense(x, weights):
    return x @ weights["kernel"] + weights["bias"]


def encode(case, layers, x):
    *hidden, last = layers
    for weights in hidden:
        if weights["kernel"].ndim == 4:
            x = lax.conv_general_dilated(
                x, weights["kernel"], (2, 2), "SAME", dimension_numbers=_AXES
            )
            x = jax.nn.relu(x + weights["bias"])
        else:
            x = jax.nn.relu(dense(x.reshape(len(x), -1), weights))
    return jnp.split(dense(x, last), 2, axis=-1)


def decode(case, layers, z):
    x = jax.nn.relu(dense(z, layers[0]))
    x = dense(x, layers[1])
    if case.network == "dense":
        return x.reshape(-1, *case.shape)
    side = case.sides[-1]
    x = x.reshape(-1, side, side, case.filters[-1])
    for weights, after in zip(layers[2:], case.sides[-2::-1]):
        x, odd = jax.nn.relu(x), after < 2 * x.shape[1]
        # Twice the size, or one less.
        padding = [(2, 1 if odd else 2)] * 2
        x = lax.conv_transpose(
            x, weights["kernel"], (2, 2), padding, dimension_numbers=_AXES
        )
        x = x + weights["bias"]
    return x


def loss_of(case, parameters, x, key):
    mean, log_var = encode(case, parameters["encoder"], x)
    z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
    logits = decode(case, parameters["decoder"], z)
    error = jnp.sum(jax.nn.softplus(logits) - x * logits)
    kl = 0.5 * jnp.sum(jnp.exp(log_var) + mean**2 - 1 - log_var)
    return (error + kl) / len(x)


def adam(parameters, gradients, state, beta_1=0.9, beta_2=0.999):
    count = state["count"] + 1
    rate = speed_cases.RATE * jnp.sqrt(1 - beta_2**count) / (1 - beta_1**count)
    tree = jax.tree_util.tree_map
    mean = tree(
        lambda m, g: beta_1 * m + (1 - beta_1) * g, state["mean"], gradients
    )
    square = tree(
        lambda v, g: beta_2 * v + (1 - beta_2) * g * g,
        state["square"],
        gradients,
    )
    parameters = tree(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + speed_cases.EPSILON),
        parameters,
        mean,
        square,
    )
    return parameters, {"count": count, "mean": mean, "square": square}


class Loop:
    def __init__(self, case, images):
        self.case, self.images = case, images
        self.key = jax.random.key(0)
        self.parameters = parameters_of(case, self.key)
        zeros = jax.tree_util.tree_map(jnp.zeros_like, self.parameters)
        copies = jax.tree_util.tree_map(jnp.copy, zeros)
        self.state = {"count": jnp.zeros(()), "mean": zeros, "square": copies}
        self.sizes = speed_cases.sizes(
            self.parameters,
            lambda layers: [w.shape for each in layers for w in each.values()],
        )

        def step(parameters, state, key, x):
            key, use = jax.random.split(key)
            x = x.astype(jnp.float32) / 255
            loss, gradients = jax.value_and_grad(
                lambda parameters: loss_of(case, parameters, x, use)
            )(parameters)
            return *adam(parameters, gradients, state), key, loss

        self.step = jax.jit(step, donate_argnums=(0, 1, 2))

    def train(self, steps, epochs):
        """Returns seconds, and the losses of the last epoch by name."""
        size, rng = self.case.batch, np.random.default_rng()
        start = time.perf_counter()
        for _ in range(epochs):
            losses = []
            for index in np.split(rng.permutation(steps * size), steps):
                self.parameters, self.state, self.key, loss = self.step(
                    self.parameters, self.state, self.key, self.images[index]
                )
                losses.append(loss)
            mean = float(jnp.stack(losses).mean())
        return time.perf_counter() - start, {"loss": mean}


def build(case, variant, folder):
    case = speed_cases.CASES[case]
    images = np.load(pathlib.Path(folder, speed_cases.file_name(case.shape)))
    return Loop(case, images)


if __name__ == "__main__":
    speed_process.serve(
        f"JAX {jax.__version__} on {jax.default_backend()}", build, sys.argv[1]
    )
