"""What a model with a Gaussian posterior is worth in nats."""

from typing import Any

import keras

from kgen.errors import invalid
from kgen.metrics.means import mean_and_error
from kgen.params import SEED, Integer, checked


@checked(num_samples=Integer(), elbo_samples=Integer(), seed=SEED)
def bounds(
    model: keras.Model,
    x: Any,
    num_samples: int = 500,
    elbo_samples: int = 10,
    batch_size: int = 128,
    seed: int = 0,
    verbose: int = 0,
) -> dict[str, dict]:
    """Returns bounds on log p(x), and their parts, over a data set.

    `reconstruction` is `-E_q(z|x)[log p(x|z)]`, the distortion, and `kl` is
    `KL(q(z|x) || p(z))`, the rate; `elbo` is minus their sum.
    `log_likelihood` is the importance-sampled estimate, from below, and
    `effective_sample_size` tells how many of the `num_samples` draws bear it:
    `(sum w)^2 / sum w^2`. Near 1, one draw does, and the estimate is much too
    low.

    Args:
        model: `VAE` or `VAEGAN`.
        x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset,
            which is passed through twice; two examples or more.
        num_samples: Draws of z for each example for `log_likelihood`.
        elbo_samples: Draws of z for each example for `reconstruction`.
        batch_size: For arrays: how many are worked on at a time.
        seed: Integer for the draws.
        verbose: 1 shows a progress bar, 0 does not.

    Returns:
        Dictionary from these five names to dictionaries with `value`, the mean
        over the examples, in nats per image (`effective_sample_size`: draws),
        `standard_error`, over the examples, which holds the draws' error too,
        and `each`, the array of shape `(n,)` that both are of.

    Raises:
        InvalidArgument: If the model has no Gaussian posterior, or x does not
            fit it.

    References:
        Kingma & Welling (2014), arXiv 1312.6114, equation 3; Burda et al.
        (2016), arXiv 1509.00519, equation 8; Alemi et al. (2018), Fixing a
        broken ELBO, arXiv 1711.00464, section 2 (rate and distortion); Kong
        (1992), A note on importance sampling using standardized weights.
    """
    from kgen.models.latent import LatentGaussianModel

    if not isinstance(model, LatentGaussianModel):
        raise invalid(
            "model",
            "bounds",
            "a model with a Gaussian posterior: VAE or VAEGAN",
            type(model).__name__,
        )
    kl, reconstruction = (
        part.astype("float64")
        for part in model.rate_distortion(x, elbo_samples, batch_size, seed)
    )
    log_likelihood, size = model.importance_sampling(
        x, num_samples, batch_size, seed, verbose
    )
    examples = {
        "elbo": -(kl + reconstruction),
        "log_likelihood": log_likelihood,
        "effective_sample_size": size,
        "kl": kl,
        "reconstruction": reconstruction,
    }
    if len(kl) < 2:
        raise invalid("x", "bounds", "two examples or more", len(kl))
    results = {}
    for name, values in examples.items():
        value, error = mean_and_error(values)
        results[name] = {
            "value": value,
            "standard_error": error,
            "each": values,
        }
    # The mean of sums may differ from the sum of means in the last digit.
    parts = results["kl"]["value"], results["reconstruction"]["value"]
    results["elbo"]["value"] = -sum(parts)
    return results
