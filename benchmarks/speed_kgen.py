"""The contender kgen of speed.py: `fit` with its defaults.

Kgen(CASES["gan"], images).train(steps=20, epochs=1)
"""

import contextlib
import time

import keras
import speed_cases

import kgen

# The pieces of a model that are compared with the other contenders'.
_NETWORKS = ("encoder", "decoder", "generator", "discriminator")


def model_of(case):
    """The compiled model of a case.

    The average of the generator's weights is left out, which no other
    contender keeps.
    """
    options, compiled = {"latent_dim": speed_cases.LATENT}, {}
    if case.network == "dense":
        options["hidden_units"] = (speed_cases.HIDDEN,)
    if case.model == "vae":
        options["likelihood"] = "bernoulli"
    if case.model == "denoising_autoencoder":
        low, high = speed_cases.NOISE
        options["corruption"] = f"gaussian:{low}:{high}"
    if case.model == "vaegan":
        options["likelihood"] = "gaussian"
        options["kl_weight"] = speed_cases.KL_WEIGHT
    if case.model in ("gan", "vaegan"):
        compiled = {
            "loss": case.loss,
            "penalty": case.penalty,
            "discriminator_steps": case.discriminator_steps,
            "ema_decay": None,
        }
    model = kgen.create_model(
        case.model, input_shape=case.shape, network=case.network, **options
    )
    return model, compiled


class Kgen:
    """A model of kgen and its data.

    Args:
        case: A `Case`.
        images: The pictures, uint8.
        mixed: Whether it trains in half precision, with float32 weights.
        guard: Whether a `Guard` watches for NaN.
        **compiled: Options of `compile` beside the case's.
    """

    def __init__(self, case, images, mixed=False, guard=False, **compiled):
        self.case, self.images = case, images
        with policy("mixed_float16") if mixed else contextlib.nullcontext():
            self.model, of_case = model_of(case)
            self.model.compile(**of_case, **compiled)
        self.callbacks = [kgen.callbacks.Guard()] if guard else []
        self.steps, self.dataset = None, None
        networks = {
            name: getattr(self.model, name)
            for name in _NETWORKS
            if hasattr(self.model, name)
        }
        self.sizes = speed_cases.sizes(
            networks,
            lambda network: [w.shape for w in network.trainable_weights],
        )

    def train(self, steps, epochs):
        """Trains on `steps` batches, `epochs` times.

        Returns:
            Seconds, and the losses of the last epoch by name.
        """
        if steps != self.steps:
            examples = self.images[: steps * self.case.batch]
            source = kgen.data.open_source(examples)
            self.dataset = source.examples("all").batches(
                batch_size=self.case.batch, shuffle=True, seed=0
            )
            self.steps = steps
        start = time.perf_counter()
        history = self.model.fit(
            self.dataset, epochs=epochs, callbacks=self.callbacks, verbose=0
        )
        seconds = time.perf_counter() - start
        last = {name: values[-1] for name, values in history.history.items()}
        return seconds, {name: float(last[name]) for name in self.case.logs}

    def drop(self):
        """Frees what can be freed before the next case."""
        self.model = self.dataset = None


@contextlib.contextmanager
def policy(name):
    """Within it, Keras's layers are made with a dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
