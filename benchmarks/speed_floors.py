"""The floors of speed.py: what the arithmetic of a step alone takes.

    python speed_floors.py FOLDER    answers lines such as {"do": "version"}

For dense networks, all matrix products of a step, by NumPy (on a GPU by
TensorFlow); for convolutional ones, all convolutions, by `tf.nn.conv2d` and the
raw operations of its two gradients, without the dense layers. This is about what
the arithmetic alone takes, one operation at a time: a step that runs several at once
can be a little faster.
"""

import os
import sys
import time
from concurrent import futures

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first
# NumPy's products: one thread for each core's part of the work.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import keras
import numpy as np
import speed_cases
import speed_process
import tensorflow as tf
from speed_tf_networks import networks_of

ON_GPU = bool(tf.config.list_physical_devices("GPU"))


def passes_of(case):
    """How often a batch passes through each network in one part of a step.

    Returns:
        Dictionary from names to counts of: passes forward; gradients by the
        kernels; gradients by the inputs of all layers but the first; and of the
        first.
    """
    if case.model == "vaegan":
        return {
            "encoder": (1, 1, 1, 0),
            # Of x1 and x2; by the inputs for L, and for each half of G.
            "decoder": (2, 2, 3, 3),
            # Of x, x1 and x2; three gradients for D, and three for L and G.
            "discriminator": (3, 3, 6, 3),
        }
    if case.model != "gan":
        return {"encoder": (1, 1, 1, 0), "decoder": (1, 1, 1, 1)}
    # Of real and generated examples.
    forward, kernel, inputs, first = 2, 2, 2, 0
    if case.penalty:
        # The gradient by x, and the gradients of that: as the logit is
        # piecewise linear in x, these don't go through the pass forward again.
        forward, kernel = forward + 1, kernel + 1
        inputs, first = inputs + 1, first + 1
    if case.penalty == "gradient_penalty":
        forward += 1  # at points of its own
    # Once in K parts, the generator's update follows.
    share = 1 / case.discriminator_steps
    return {
        "generator": (1 + share, share, share, share),
        "discriminator": (
            forward + share,
            kernel,
            inputs + share,
            first + share,
        ),
    }


def dense_products(case):
    """The products, for each core a list: its rows of each of them.

    The entries are functions without arguments, each with the number of times a
    step. The cores need not wait for each other, as they must in a training.
    """
    cores = 1 if ON_GPU else speed_process.cores()
    work = [[] for _ in range(cores)]
    rng = np.random.default_rng(0)

    def array(*shape):
        return rng.normal(size=shape).astype("float32")

    def add(a, b, count):
        for part, rows in zip(work, np.array_split(a, cores)):
            part.append((product(rows, b), count))

    for network, kernels in dense_kernels(case).items():
        forward, by_kernel, by_input, by_first = passes_of(case)[network]
        for number, (rows, columns) in enumerate(kernels):
            x, upstream = array(case.batch, rows), array(case.batch, columns)
            kernel = array(rows, columns)
            add(x, kernel, forward)
            add(x.T, upstream, by_kernel)
            add(upstream, kernel.T, by_input if number else by_first)
    return work


def product(a, b):
    """A function that multiplies two matrices."""
    if ON_GPU:
        a, b = tf.constant(a), tf.constant(b)
        return lambda: tf.matmul(a, b)
    out = np.empty((len(a), b.shape[1]), "float32")
    return lambda: np.matmul(a, b, out=out)


def dense_kernels(case):
    return {
        name: [
            tuple(layer.kernel.shape)
            for layer in network.layers
            if isinstance(layer, keras.layers.Dense)
        ]
        for name, network in networks_of(case).items()
    }


def convolutions(case):
    """Functions without arguments, each with the number of times a step.

    It is a list of one such list: TensorFlow itself shares them among the cores.
    """
    parts = case.discriminator_steps
    found = []
    for name, network in networks_of(case).items():
        forward, by_kernel, by_input, by_first = passes_of(case)[name]
        is_first = True
        for layer in network.layers:
            is_transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            if not (is_transposed or isinstance(layer, keras.layers.Conv2D)):
                continue
            by_x = by_first if is_first else by_input
            is_first = False
            big, small = layer.input.shape[1:], layer.output.shape[1:]
            down, up = forward, by_x
            if is_transposed:  # it is the gradient of a convolution
                big, small, down, up = small, big, by_x, forward
            functions = operations(
                case.batch // parts,
                (big, small, layer.kernel.shape, layer.strides[0]),
            )
            counts = (down, up, by_kernel)
            found += [
                (function, count * parts)
                for function, count in zip(functions, counts)
            ]
    return [found]


def operations(batch, convolution):
    """A convolution, its gradient by the input, and that by the kernel."""
    big, small, kernel, stride = convolution
    big, small = (batch, *big), (batch, *small)
    x, y, k = (tf.random.normal(shape) for shape in (big, small, kernel))
    options = {"strides": [1, stride, stride, 1], "padding": "SAME"}

    @tf.function
    def forward(x, k):
        return tf.nn.conv2d(x, k, **options)

    @tf.function
    def by_input(y, k):
        return tf.raw_ops.Conv2DBackpropInput(
            input_sizes=big, filter=k, out_backprop=y, **options
        )

    @tf.function
    def by_kernel(x, y):
        return tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=kernel, out_backprop=y, **options
        )

    return (
        lambda: forward(x, k),
        lambda: by_input(y, k),
        lambda: by_kernel(x, y),
    )


class Floor:
    sizes = None  # it has no weights to compare

    def __init__(self, case):
        is_dense = case.network == "dense"
        self.work = dense_products(case) if is_dense else convolutions(case)

    def train(self, steps, epochs):
        """Returns the seconds of as many steps, which it does not train."""

        def run(part):
            for step in range(steps * epochs):
                for function, count in part:
                    # Of a fraction, in some steps more than in others.
                    times = int((step + 1) * count) - int(step * count)
                    for _ in range(times):
                        result = function()
            np.asarray(result)  # a GPU has finished now

        start = time.perf_counter()
        with futures.ThreadPoolExecutor(len(self.work)) as pool:
            list(pool.map(run, self.work))
        return time.perf_counter() - start, {}


def build(case, variant, folder):
    return Floor(speed_cases.CASES[case])


if __name__ == "__main__":
    speed_process.serve(
        f"NumPy {np.__version__} and TensorFlow {tf.__version__}, "
        "the arithmetic alone",
        build,
        sys.argv[1],
    )
