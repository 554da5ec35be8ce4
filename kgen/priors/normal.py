"""The standard normal prior."""

import keras
from keras import ops
from tensorflow import Tensor

from kgen.losses.divergences import gaussian_kl, gaussian_log_prob
from kgen.priors.base import Prior


@keras.saving.register_keras_serializable(package="kgen")
class NormalPrior(Prior):
    """N(0, I), to which the KL of a Gaussian posterior has a closed form.

    References:
        Kingma & Welling (2014), arXiv 1312.6114, section 3.
    """

    def log_prob(self, z: Tensor) -> Tensor:
        return ops.sum(gaussian_log_prob(z, 0.0, 0.0), axis=-1)

    def transform(self, normal: Tensor, uniform: Tensor | None) -> Tensor:
        return normal

    def kl(self, mean: Tensor, log_var: Tensor) -> Tensor:
        return gaussian_kl(mean, log_var)
