"""How unlike its data a model finds an example, and what counts as an outlier."""

import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
import tensorflow as tf

from kgen.errors import InvalidArgument, check_keywords
from kgen.models.base import GenerativeModel
from kgen.params import Number, checked


@dataclasses.dataclass(frozen=True)
class Threshold:
    """The score above which an example is an outlier.

    Args:
        value: The score.
        quantile: The share of the scores of held-out examples below it.
        options: The arguments of `outlier_score` by which these were computed.
            Scores by others can't be compared with them.
    """

    value: float
    quantile: float
    options: dict[str, Any]


class OutlierScorer(GenerativeModel):
    """Base of models that score how unlike their data an example is.

    A score is a number of nats, higher for what is more of an outlier, and depends
    on the example alone, not on those beside it. A subclass implements
    `outlier_score`, and `_outlier_score` for a batch.
    """

    # Arguments of `outlier_score` by which scores differ in their meaning.
    _score_options: ClassVar[tuple[str, ...]] = ()
    # What `fit_threshold` has found, which is saved with the model.
    _threshold: Threshold | None = None

    def outlier_score(self, x: Any, *, batch_size: int = 1024) -> np.ndarray:
        """How unlike the data each example is: a higher score, more of an outlier.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]` for a conditional
                model, or a dataset.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of shape `(n,)`, nats per example: a picture, or a row of a table.
        """
        raise NotImplementedError

    def _outlier_score(self, inputs, number=0, **options):
        """The scores of a batch, of shape `(batch,)`."""
        raise NotImplementedError

    @property
    def threshold(self) -> float | None:
        """The score above which `is_outlier` is true; None until it is fitted."""
        return None if self._threshold is None else self._threshold.value

    @property
    def threshold_options(self) -> dict[str, Any]:
        """The arguments of `outlier_score` that `is_outlier` takes."""
        return {} if self._threshold is None else dict(self._threshold.options)

    @checked(quantile=Number(0.0, maximum=1.0))
    def fit_threshold(
        self,
        x: Any,
        quantile: float = 0.99,
        batch_size: int = 1024,
        **options: Any,
    ) -> float:
        """Sets the score above which an example is an outlier.

        It is a quantile of the scores of held-out examples: with 0.99, one in a
        hundred examples like these is taken for an outlier. It is saved and exported
        with the model. After more training or another `fit_prior`, which change
        scores, fit it again.

        Args:
            x: Examples like those of training, which the model was not trained on;
                in a form that `outlier_score` takes.
            quantile: Number from 0 to 1.
            batch_size: For arrays: how many are worked on at a time.
            **options: `num_samples` and `seed` of `outlier_score`, of models that
                have them; `is_outlier` and the export then take the same.

        Returns:
            The threshold, in nats per example; `threshold` is it, too.

        Raises:
            InvalidArgument: If examples or a value can't be used, or scores are not
                finite.

        Example:

            vae.fit(train)
            vae.fit_threshold(validation, quantile=0.99)
            unlike = x[vae.is_outlier(x)]
        """
        owner = f"{type(self).__name__}.fit_threshold"
        known = ("x", "quantile", "batch_size", *self._score_options)
        check_keywords(owner, known, options)
        scores = self.outlier_score(x, batch_size=batch_size, **options)
        if not np.isfinite(scores).all():
            raise InvalidArgument(
                f"`{owner}`: the scores of these examples are not finite numbers."
            )
        value = float(np.quantile(scores, quantile))
        # Plain numbers, as JSON holds them; `outlier_score` has checked them.
        kept = {name: n if n is None else int(n) for name, n in options.items()}
        self._threshold = Threshold(value, quantile, kept)
        return value

    def is_outlier(self, x: Any, batch_size: int = 1024) -> np.ndarray:
        """Whether the score of each example is above the threshold.

        Args:
            x: As in `outlier_score`.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Booleans of shape `(n,)`.

        Raises:
            InvalidArgument: If there is no threshold yet, or examples can't be used.
        """
        if self._threshold is None:
            raise InvalidArgument(
                f"`{type(self).__name__}.is_outlier`: there is no threshold yet. "
                "Call `fit_threshold` with held-out examples first."
            )
        scores = self.outlier_score(
            x, batch_size=batch_size, **self.threshold_options
        )
        return scores > self._threshold.value

    # Files

    def _outlier_endpoint(self):
        """The signature `outlier_score`; with `is_outlier` if there is a threshold."""
        threshold, options = self.threshold, self.threshold_options

        def outlier_score(images, labels=None):
            inputs = images
            if not self.needs_labels:
                inputs = self.with_labels(images, labels)
            scores = self._outlier_score(inputs, **options)
            found = {"outlier_score": tf.cast(scores, "float32")}
            if threshold is not None:
                found["is_outlier"] = scores > threshold
            return found

        labels = [] if self.needs_labels else self.label_specs()
        return {"outlier_score": (outlier_score, [self.image_spec(), *labels])}

    def get_config(self) -> dict:
        """Returns every argument of `__init__`, and the threshold if there is one."""
        config = super().get_config()
        if self._threshold is not None:
            config["threshold"] = dataclasses.asdict(self._threshold)
        return config

    @classmethod
    def from_config(
        cls, config: dict, custom_objects: dict | None = None
    ) -> Self:
        """Builds the model that `get_config` described, with its threshold."""
        config = dict(config)
        threshold = config.pop("threshold", None)
        model = super().from_config(config, custom_objects)
        if threshold is not None:
            model._threshold = Threshold(**threshold)
        return model
