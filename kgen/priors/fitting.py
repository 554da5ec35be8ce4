"""Priors that are fitted to codes once these are learned."""

import keras
import numpy as np
import tensorflow as tf

from kgen.errors import InvalidArgument, invalid
from kgen.params import Named, resolve
from kgen.priors.base import Prior
from kgen.priors.flow import FlowPrior
from kgen.priors.flows import check_size
from kgen.priors.mixture import MixturePrior

# Of the training of a flow: it ends once the held-out tenth has not become more
# likely for so many epochs.
_PATIENCE, _MOST_EPOCHS, _BATCH_SIZE, _RATE = 10, 200, 256, 1e-3


def fit(identifier: str, codes: np.ndarray, seed: int, owner: str) -> Prior:
    """Fits a density to codes, by maximum likelihood.

    Args:
        identifier: `"gaussian"`, one Gaussian; `"mixture:10"`, as many Gaussians
            with full covariances, by EM; `"flow:4"`, a flow of as many coupling
            layers, by gradients, until held-out codes become no more likely.
        codes: Array of shape `(n, latent_dim)`.
        seed: Integer, of the initial values and the order of codes.
        owner: Whose argument it is, for the message.

    Returns:
        A built `Prior`.

    Raises:
        InvalidArgument: If the name is unknown, there are too few codes, or a flow
            is to be fitted within the scope of a strategy.

    References:
        Ghosh et al. (2020), arXiv 1903.12436, section 4.
    """
    check(identifier, codes.shape[1], len(codes), owner)
    prior = named(identifier, owner)
    prior.build((None, codes.shape[1]))
    if isinstance(prior, MixturePrior):
        fit_mixture(prior, codes, seed)
    elif tf.distribute.has_strategy():
        raise InvalidArgument(
            f"`{owner}`: a flow is trained on one device. Call it outside of the "
            "strategy's scope; all devices get the density."
        )
    else:
        _fit_flow(prior, codes, seed)
    return prior


def check(identifier: str, latent_dim: int, count: int, owner: str) -> None:
    """Raises if there is no such density of so many codes of a size.

    Args:
        identifier: As in `fit`.
        latent_dim: Size of the codes.
        count: How many codes there are.
        owner: Whose argument it is, for the message.

    Raises:
        InvalidArgument: If the name is unknown, or there are too few codes.
    """
    prior = named(identifier, owner)
    if isinstance(prior, FlowPrior):
        check_size(latent_dim, owner)
        fewest = 2
    else:
        # The covariance of as many codes as dimensions is singular.
        fewest = max(latent_dim + 1, prior.num_components)
    if count < fewest:
        expected = (
            f"at least {fewest} examples to fit {identifier} to codes of size "
            f"{latent_dim}"
        )
        raise invalid("x", owner, expected, f"{count} examples")


def named(identifier: str, owner: str, argument: str = "prior") -> Prior:
    """What a name stands for, not yet built nor fitted; raises if it is unknown.

    Args:
        identifier: As in `fit`.
        owner: Whose argument it is, for the message.
        argument: Its name, for the message.
    """
    return resolve(argument, owner, FITTED, identifier)


def fit_mixture(prior: MixturePrior, codes: np.ndarray, seed: int) -> None:
    """Fits a mixture to codes by EM.

    Args:
        prior: The mixture, built; its covariances are full or diagonal.
        codes: Array of shape `(n, latent_dim)`.
        seed: Integer, of the initial values.
    """
    from sklearn.mixture import GaussianMixture

    is_full = prior.covariance == "full"
    # The codes are standardised, in double precision, since scikit-learn adds a
    # constant to the variances that must be small beside them.
    codes = codes.astype("float64")
    mean, scale = codes.mean(axis=0), _scales(codes)
    mixture = GaussianMixture(
        prior.num_components,
        covariance_type="full" if is_full else "diag",
        max_iter=500,
        random_state=seed,
    ).fit((codes - mean) / scale)
    # A factor P of the precision of (z - mean) / scale is diag(1 / scale) P for z.
    prior.set_parameters(
        mixture.weights_,
        mean + scale * mixture.means_,
        mixture.precisions_cholesky_ / (scale[:, None] if is_full else scale),
    )


def _fit_flow(prior, codes, seed):
    rng = np.random.default_rng(seed)
    codes = codes[rng.permutation(len(codes))]
    # They are frozen: a step of Adam would move them by many standard deviations of a
    # dimension that is almost constant.
    for weight, value in (
        (prior.shift, codes.mean(axis=0)),
        (prior.log_scale, np.log(_scales(codes))),
    ):
        weight.assign(value)
        weight.trainable = False
    # By the seed, too, and not by Keras's global random state; all others are zeros.
    for coupling in prior.flow.couplings:
        kernel = coupling.hidden.kernel
        limit = np.sqrt(6.0 / sum(kernel.shape))
        kernel.assign(rng.uniform(-limit, limit, kernel.shape))
    z = keras.Input(codes.shape[1:])
    model = keras.Model(z, prior(z))
    model.compile(
        keras.optimizers.Adam(_RATE),
        loss=lambda _, log_prob: -log_prob,
        steps_per_execution=16,
        jit_compile=False,
    )
    held_out = max(1, len(codes) // 10)
    pairs = [
        tf.data.Dataset.from_tensor_slices((part, np.zeros(len(part))))
        for part in (codes[held_out:], codes[:held_out])
    ]
    model.fit(
        pairs[0].shuffle(len(codes), seed=seed).batch(_BATCH_SIZE),
        validation_data=pairs[1].batch(_BATCH_SIZE),
        epochs=_MOST_EPOCHS,
        shuffle=False,  # the data set does
        callbacks=[
            keras.callbacks.EarlyStopping(
                patience=_PATIENCE, restore_best_weights=True
            )
        ],
        verbose=0,
    )


def _scales(codes):
    """Standard deviations; that of a constant column is a small number, not 0."""
    return np.maximum(codes.std(axis=0), 1e-6)


# A fixed name: Keras would append a number, which is saved and depends on the layers
# that the process has made before.
_NAME = "fitted_prior"
FITTED = {
    "gaussian": Named(lambda: MixturePrior(1, "full", name=_NAME)),
    "mixture": Named(
        lambda k: MixturePrior(k, "full", name=_NAME), ("COMPONENTS",)
    ),
    "flow": Named(lambda layers: FlowPrior(layers, name=_NAME), ("LAYERS",)),
}
