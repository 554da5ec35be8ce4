"""p(x|y) by variational autoencoders."""

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.densities import Density
from kgen.errors import invalid
from kgen.models import estimates
from kgen.models.vae import VAE
from kgen.params import SEED, Integer, checked
from kgen.priors.base import noise
from kgen.tables import Table


@keras.saving.register_keras_serializable(package="kgen")
class VAEDensity(Density):
    """p(x|y) by a VAE that takes labels, or by one VAE for each class.

    In training, log p(x|y) is its bound, the ELBO, by one draw of z. Else it is
    the ELBO too, or an estimate by importance samples, which is closer. The
    draws are then the same for all classes and examples, so that what is
    predicted for x depends on x alone.

    Of the VAEs only the densities count: their `divergence`, `kl_weight`,
    `free_bits` and `importance_samples`, which are of their own training, have no
    effect here.

    Args:
        models: A conditional `VAE`, such as
            `create_model("vae", num_classes=10, ...)`; or a list of
            unconditional ones, one for each class. If `fit_prior` of one is to be
            used, call it before it is given to this class.
        importance_samples: K, the draws of z by which log p(x|y) is estimated;
            1 for the ELBO.
        seed: Integer for these draws.

    Raises:
        InvalidArgument: If the models don't fit together.

    References:
        Kingma & Welling (2014), arXiv 1312.6114; Burda et al. (2016), arXiv
        1509.00519, equation 8.
    """

    @checked(importance_samples=Integer(1), seed=SEED)
    def __init__(
        self,
        models: Any,
        importance_samples: int = 1,
        seed: int = 0,
        **kwargs: Any,
    ):
        one = not isinstance(models, (list, tuple))
        found = [models] if one else list(models)
        for model in found:
            right = isinstance(model, VAE)
            if not right or model.conditional is not one:
                raise invalid(
                    "models",
                    "VAEDensity",
                    "a VAE that takes labels, or a list of VAEs that don't, one "
                    "for each class",
                    models,
                )
            if any(
                isinstance(layer, keras.layers.BatchNormalization)
                for layer in model._flatten_layers()
            ):
                raise invalid(
                    "models",
                    "VAEDensity",
                    "networks without batch normalisation, by which the examples "
                    "of several classes would meet",
                    model,
                )
        shapes = {model.input_shapes[0] for model in found}
        if len(shapes) != 1:
            raise invalid(
                "models", "VAEDensity", "VAEs of one input shape", shapes
            )
        num_classes = found[0].num_classes if one else len(found)
        if num_classes is None:
            raise invalid(
                "models",
                "VAEDensity",
                "a VAE whose networks tell the number of classes, by an "
                "Embedding or kgen's own layers",
                models,
            )
        super().__init__(shapes.pop(), num_classes, **kwargs)
        self.models = models if one else found
        self.importance_samples = importance_samples
        self.seed = seed
        self.support = found[0].support
        self.bits = found[0].likelihood.bits

    @property
    def table(self) -> Table | None:
        """The table whose rows x are, or None."""
        return self._all[0].table

    @property
    def _all(self):
        return self.models if isinstance(self.models, list) else [self.models]

    def log_prob(
        self, x: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> Tensor:
        return self._log_prob(x, self._noise(x) if training else None)

    def log_prob_at(
        self, x: Tensor, places: Tensor, training: bool = False
    ) -> Tensor:
        eps = tf.gather(self._noise(x), places) if training else None
        return self._log_prob(tf.gather(x, places), eps)

    def _log_prob(self, x, eps):
        """log p(x|y) by the noise `eps`, to be differentiated; or its estimate."""
        if eps is None:
            return self._by_all(self._estimate, x)
        # All classes get the same noise, so that their differences vary less.
        rows = _with_one_more(x), _with_one_more(eps)
        return self._by_all(self._bound, *rows)[:-1]

    def _by_all(self, function, *rows):
        """`function(model, labels, *rows)` of each class, side by side."""
        if isinstance(self.models, list):
            parts = [function(model, None, *rows) for model in self.models]
            return tf.stack(parts, axis=1)
        # One run for all classes, in which there are all rows for each class.
        labels = tf.repeat(tf.range(self.num_classes), tf.shape(rows[0])[0])
        tiled = [
            tf.tile(one, [self.num_classes] + [1] * (one.shape.rank - 1))
            for one in rows
        ]
        found = function(self.models, labels, *tiled)
        return tf.transpose(tf.reshape(found, (self.num_classes, -1)))

    def log_prob_in(
        self, x: Tensor, labels: Tensor, training: bool = False
    ) -> Tensor:
        function = self._bound if training else self._estimate
        rows = (x, self._noise(x)) if training else (x,)
        if not isinstance(self.models, list):
            return function(self.models, labels, *rows)
        return self._by_class(
            labels, lambda model, *rows: function(model, None, *rows), *rows
        )

    def draw(self, labels: Tensor, seed: Tensor) -> Tensor:
        """An example of each label, for z from the prior: E[x|z], a row of a table x.

        The means of rows would have too small a variance.
        """
        normal, uniform = noise(tf.shape(labels)[0], self._largest, seed)

        def decoded(model, normal, uniform, labels=None):
            normal = normal[:, : model.latent_dim]
            z = model.serving_prior.transform(normal, uniform)
            code = model.with_labels(z, labels)
            if self.table is None:
                return model.decoded(code)
            return model.decoded_with_noise(code, self._all.index(model), seed)

        if not isinstance(self.models, list):
            return decoded(self.models, normal, uniform, labels)
        return self._by_class(labels, decoded, normal, uniform)

    def _by_class(self, labels, function, *rows):
        """`function(model, *rows)` for each class's rows, in the rows' order."""
        places = tf.dynamic_partition(
            tf.range(tf.shape(labels)[0]), labels, self.num_classes
        )
        parts = []
        for model, place in zip(self.models, places):
            own = [_with_one_more(tf.gather(one, place)) for one in rows]
            parts.append(function(model, *own)[:-1])
        return tf.dynamic_stitch(places, parts)

    @property
    def _largest(self):
        """The largest size of z among the models."""
        return max(model.latent_dim for model in self._all)

    def _noise(self, x):
        """Noise for all rows of a batch.

        Rows are chosen from it afterwards: for a part of the rows, replicas could
        not draw what one device would.
        """
        shape = (tf.shape(x)[0], self._largest)
        return self._all[0].sampling.noise(shape)

    def _bound(self, model, labels, x, eps):
        """The ELBO by one draw of z, to be differentiated."""
        inputs = model.with_labels(x, labels)
        posterior = model.posterior_of(inputs, serving=False, training=True)
        z, log_q = posterior.draw(eps[:, : model.latent_dim])
        parameters = model.decoder(
            model.decoder_inputs(z, inputs), training=True
        )
        kl, _ = posterior.kl(model.prior, z, log_q)
        return model.likelihood.log_prob(x, parameters) - kl

    def _estimate(self, model, labels, x):
        """log p(x|y), not to be differentiated."""
        inputs = model.with_labels(x, labels)
        count = self.importance_samples
        return estimates.log_prob(
            model, inputs, count, self.seed, bound=count == 1
        )

    @property
    def num_start_examples(self) -> int:
        wanted = max(model.num_start_examples for model in self._all)
        if not isinstance(self.models, list):
            return wanted
        return (
            2 * len(self.models) * wanted
        )  # about twice as many of each class

    def start_from(self, x: np.ndarray, labels: np.ndarray) -> None:
        # Examples become the pseudo-inputs of a VampPrior. Those without a label are
        # dealt out to the classes in turn.
        turns = np.arange(len(x)) % self.num_classes
        labels = np.where(labels < 0, turns, labels)
        for label, model in enumerate(self._all):
            if isinstance(self.models, list):  # first those of its own class
                order = np.argsort(labels != label, kind="stable")
                model.start_from(x[order], None)
            else:
                model.start_from(x, labels)

    def regularization(self) -> Tensor:
        return sum(model.regularization() for model in self._all)

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        one = not isinstance(self.models, list)
        return {
            **keras.layers.Layer.get_config(self),
            "models": serialize(self.models)
            if one
            else [serialize(model) for model in self.models],
            "importance_samples": self.importance_samples,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Builds the density that `get_config` described."""
        build = keras.saving.deserialize_keras_object
        models = config["models"]
        is_list = isinstance(models, list)
        models = [build(one) for one in models] if is_list else build(models)
        return cls(**{**config, "models": models})


def _with_one_more(rows):
    """`rows` and zeros: oneDNN's gradients fail where there is no row at all."""
    return tf.pad(rows, [(0, 1)] + [(0, 0)] * (rows.shape.rank - 1))
