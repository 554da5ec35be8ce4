"""Classification by Bayes' rule with a generative model of each class."""

import functools
import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen.densities import ClassPrior, Density
from kgen.densities.base import assign, check_density
from kgen.densities.prior import ClassCounts
from kgen.models import counting, faults, graph_checks
from kgen.models.bayes_rule import BayesRule
from kgen.models.logs import LogMeans
from kgen.models.training import compiles, training_step, validation_step
from kgen.models.updates import Player, update
from kgen.parallel import replicas
from kgen.params import Number

_LOGS = ("loss", "generative_loss", "regularization_loss")

_number_of = functools.partial(tf.math.count_nonzero, dtype="float64")
_mean = tf.math.divide_no_nan  # 0 of no examples


class ClassifierLosses(NamedTuple):
    """Means over a batch, in nats per image, and the classes' probabilities.

    Args:
        loss: What is minimised.
        generative_loss: -log p(x, y), or -log p(x) without a label.
        regularization_loss: That of the density.
        soft_labels: P(y|x) of unlabelled examples times their weight, else 0;
            of shape `(batch, classes)`.
        discriminative_loss: -log P(y|x) over the examples with labels, or None.
        accuracy: The share of these that are classified rightly, or None.
    """

    loss: tf.Tensor
    generative_loss: tf.Tensor
    regularization_loss: tf.Tensor | float
    soft_labels: tf.Tensor
    discriminative_loss: tf.Tensor | None = None
    accuracy: tf.Tensor | None = None


@keras.saving.register_keras_serializable(package="kgen")
class BayesClassifier(BayesRule):
    """P(y|x) = p(x|y) P(y) / p(x): a generative model that classifies.

    `fit` takes pairs (x, y), y from 0, or -1 where the class is not known. What
    it minimises is, in nats per image, the mean over all examples of

        -log p(x, y) - discriminative_weight * log P(y|x)   where y is known,
        -unlabelled_weight * log p(x)                       where it is not,

    and the networks' regularizers. These are the logs `generative_loss`,
    `discriminative_loss` (over the examples with labels, without its weight) and
    `regularization_loss` (where there are any), with the sum `loss`, and `accuracy`.
    Where training does not need P(y|x), the second and last are known in validation
    only.

    A density in closed form is fitted by counting. With labels only, one epoch fits
    it exactly. With unlabelled examples, which count for each class by its P(y|x)
    and the `unlabelled_weight`, each epoch is a step of the EM algorithm, and the
    first one counts the labelled examples only. P(y) is always counted, at the end
    of each epoch, unless `prior` is given; until then it is uniform. What an epoch
    logs of training is by the parameters that it began with: in the first one, those
    of a model that is not fitted yet. With a `discriminative_weight`, a
    density in closed form is fitted so once, and then goes on by gradient, as the
    others do from the start.

    Unlabelled examples train a VAE on the bound of the marginal, `log sum_y P(y)
    exp(ELBO(x, y))`: that of the model M2, with the best q(y|x) there is.

    Args:
        density: A `kgen.densities.Density`, such as
            `kgen.densities.NaiveGaussian((8, 8, 1), 10)` or
            `kgen.VAEDensity(vae)`.
        prior: P(y): None, to count it; `"uniform"`; or one number a class. A
            class without an example is counted as impossible.

    Raises:
        InvalidArgument: If a value is out of range.

    Example:

        train = kgen.data.load("digits", "train", labels=True)
        model = kgen.create_model(
            "bayes_classifier", input_shape=(8, 8, 1), num_classes=10,
            density="low_rank:8",
        )
        model.compile()
        model.fit(train)
        probabilities = model.predict(x)

    References:
        Ng & Jordan (2001), On Discriminative vs. Generative Classifiers;
        Nigam et al. (2000), Text Classification from Labeled and Unlabeled
        Documents using EM, section 5 (the weight: equation 8); Kingma et al.
        (2014), arXiv 1406.5298, equations 6 to 9 (M2); Bouchard & Triggs
        (2004), The Tradeoff Between Generative and Discriminative Classifiers,
        equation 6.
    """

    def __init__(
        self,
        density: Density,
        prior: Sequence[float] | np.ndarray | str | None = None,
        **kwargs: Any,
    ):
        # Densities choose their precision; half precision would not do for P(y|x).
        super().__init__(**{"autocast": False, **kwargs})
        check_density("BayesClassifier", density)
        self.density = density
        self.prior = prior.tolist() if isinstance(prior, np.ndarray) else prior
        self.class_prior = ClassPrior(density.num_classes, self.prior)
        self._counts_before_gradient = False
        # Before the first count, what is not labelled can't be guessed.
        self.fitted = self.add_weight(
            name="fitted",
            shape=(),
            initializer="zeros",
            dtype="float64",
            trainable=False,
        )
        self.labelled_means = LogMeans(
            ("discriminative_loss",), "labelled_means"
        )
        self.accuracy_mean = LogMeans(("accuracy",), "accuracy_mean")
        # How many examples there are of classes that the prior rules out.
        self._impossible_counts = ClassCounts(density.num_classes)
        self._set_data(
            _LOGS,
            [density.input_shape, ()],
            density.num_classes,
            density.support,
        )

    @compiles(discriminative_weight=Number(0.0), unlabelled_weight=Number(0.0))
    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | str = "adam",
        discriminative_weight: float = 0.0,
        unlabelled_weight: float = 1.0,
        *,
        steps_per_execution: int = 16,
        run_eagerly: bool = False,
        jit_compile: bool = False,
    ) -> None:
        """Configures training.

        Args:
            optimizer: Keras optimizer or its name, for what is trained by
                gradient.
            discriminative_weight: Weight >= 0 of -log P(y|x) beside
                -log p(x, y). The latter grows with the number of pixels, so
                that useful values are 10 to 1000.
            unlabelled_weight: Weight >= 0 of an example without a label beside
                one with it. With few labels and a density that is only roughly
                right, use well below 1, or the classes will follow the clusters
                of unlabelled examples.
            steps_per_execution: Batches for each call into TensorFlow.
            run_eagerly: Whether steps run as plain Python, for debugging.
            jit_compile: Whether XLA compiles the step. XLA leaves out the
                checks of labels and values in each batch.

        Raises:
            InvalidArgument: If a name is unknown or a value out of range.
        """
        self.discriminative_weight = discriminative_weight
        self.unlabelled_weight = unlabelled_weight
        self._compile(
            {
                "discriminative_weight": discriminative_weight,
                "unlabelled_weight": unlabelled_weight,
            },
            optimizer,
            # What is counted needs no state of an optimizer.
            [] if self.counts else self.density.trainable_variables,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
            jit_compile=jit_compile,
        )
        self._start_epoch()

    @property
    def metrics(self) -> list:
        return [self.log_means, self.labelled_means, self.accuracy_mean]

    # Training: the EM algorithm, or gradient descent

    @property
    def counts(self) -> bool:
        """Whether training counts, instead of following a gradient."""
        return self.density.closed_form and (
            self._counts_before_gradient or not self.discriminative_weight
        )

    @training_step
    def train_step(self, data: Any) -> dict:
        x, y = self._pair(data)
        step = self._counting_step if self.counts else self._gradient_step
        return self._log_means(step(x, y), y, tf.ones_like(y, "bool"))

    def _counting_step(self, x, y):
        """Adds a batch to the sums of p(x|y) and P(y) for the M-step."""
        losses = self._step_losses(x, y, training=False)
        responsibilities = self._e_step(y, losses.soft_labels)
        self.class_prior.observe(responsibilities)
        self.density.observe(replicas.without_padding(x), responsibilities)
        return losses

    def _gradient_step(self, x, y):
        """Updates p(x|y) by gradient, and adds a batch to the sums of P(y)."""
        losses = update(
            lambda: self._losses_to_minimise(x, y),
            Player(self.optimizer, self.density.trainable_variables),
        )
        self.class_prior.observe(self._e_step(y, losses.soft_labels))
        return losses

    def _e_step(self, y, soft_labels):
        """Returns how much of each example belongs to each class.

        All of an example with a label belongs to its class; one without counts
        for each class by P(y|x), once there has been a first M-step.
        """
        responsibilities = self._one_hot(y) + self.fitted * soft_labels
        responsibilities = replicas.without_padding(responsibilities)
        return faults.zero_if_skipped(responsibilities)

    def _m_step(self):
        """Maximises the sum of r log p(x, y), r being the responsibilities."""
        # If there is an error, none of them is changed.
        pairs = self.class_prior.counted()
        if self.counts:
            pairs += self.density.counted()
        assign([*pairs, (self.fitted, np.ones(()))])

    def _start_epoch(self):
        """Sets the sums of the epoch to 0."""
        self._impossible_counts.start()
        self.class_prior.start()
        # A training by gradient starts from what was counted, and keeps it.
        is_new = not self.fitted.numpy()
        if self.density.closed_form and (self.counts or is_new):
            self.density.start()

    def _own_callbacks(self, callbacks):
        return [_Epochs(), *callbacks]

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """`keras.Model.fit` of pairs, y from 0, or -1 where it is not known.

        Raises:
            InvalidArgument: As in every model; if a class has too few examples
                for its density; or if `steps_per_epoch` leaves examples out.
        """
        x = self.encoded(x, "fit")
        if self.compiled and (self.counts or self.prior is None):
            part = kwargs.get("validation_split", 0.0)
            steps = kwargs.get("steps_per_epoch")
            counting.check_whole_epochs(x, batch_size or 32, part, steps)
        uncounted = self.density.closed_form and not self.fitted.numpy()
        if uncounted and self.compiled and not self.counts:
            # Training by gradient starts from the parameters that are counted.
            self._count_once(x, y, batch_size, *args, **kwargs)
        return super().fit(x, y, batch_size, *args, **kwargs)

    def _count_once(self, x, *args, **kwargs):
        """Counts for one epoch over what `fit` is given."""
        counting.check_can_be_read_twice(x)
        fit = inspect.signature(keras.Model.fit)
        arguments = fit.bind(self, x, *args, **kwargs).arguments
        for name in ("self", "callbacks", "initial_epoch", "validation_data"):
            arguments.pop(name, None)
        # With this validation_freq, a single epoch ends without validation.
        arguments.update(epochs=1, verbose=0, validation_freq=2)
        self._counts_before_gradient, self.train_function = True, None
        try:
            super().fit(**arguments)
        finally:
            self._counts_before_gradient, self.train_function = False, None

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.train_on_batch`, where no counts are needed.

        What is counted, a density in closed form or P(y), takes all the data of
        an epoch. After a `fit`, or with P(y) given as `prior`, densities are
        trained by gradient on one batch; P(y) stays as it is.

        Raises:
            InvalidArgument: If something would have to be counted.
        """
        if self.compiled:  # else Keras says that it must be
            counting.check_one_batch_is_enough(self)
        return super().train_on_batch(*args, **kwargs)

    # Losses

    def _step_losses(self, x, y, training, included=True):
        """The losses, by the densities of all classes.

        Args:
            x: Tensor of shape `(batch, *input_shape)`.
            y: Labels of shape `(batch,)`, or -1.
            training: Whether they are to be differentiated.
            included: Truth values of shape `(batch,)`: which examples the
                losses are means over.
        """
        joint = self._joint(x, training=training)
        log_joint_y = tf.gather(joint, tf.maximum(y, 0), axis=1, batch_dims=1)
        marginal = tf.reduce_logsumexp(joint, axis=1)
        known = tf.logical_and(y >= 0, included)
        # where, not a product: a class may be impossible, its log infinite.
        log_posterior = tf.where(known, log_joint_y - marginal, 0.0)
        discriminative = -tf.reduce_sum(log_posterior)
        unlabelled = self.unlabelled_weight * marginal
        log_prob = tf.where(y >= 0, log_joint_y, unlabelled)
        included = tf.broadcast_to(included, tf.shape(y))
        count = _number_of(included)
        total = tf.reduce_sum(tf.where(included, log_prob, 0.0))
        is_correct = tf.equal(tf.argmax(joint, axis=1, output_type="int32"), y)
        soft_labels = self.unlabelled_weight * tf.nn.softmax(joint)
        return ClassifierLosses(
            **self._weighted_losses(
                _mean(-total, count), _mean(discriminative, count)
            ),
            soft_labels=tf.where((y < 0)[:, None], soft_labels, 0.0),
            discriminative_loss=_mean(discriminative, _number_of(known)),
            accuracy=_mean(_number_of(is_correct), _number_of(y >= 0)),
        )

    def _losses_to_minimise(self, x, y):
        """The losses in training; without P(y|x) where it is not needed."""
        # XLA can't know the number of rows without labels, which
        # `_generative_losses` chooses.
        if self.discriminative_weight or self.jit_compile:
            return self._step_losses(x, y, training=True)
        return self._generative_losses(x, y)

    def _generative_losses(self, x, y):
        """`_step_losses` in training, without P(y|x) of labelled examples."""
        unknown = tf.where(y < 0)[:, 0]
        label = tf.maximum(y, 0)
        log_joint_y = self.density.log_prob_in(x, label, training=True)
        log_joint_y = tf.cast(log_joint_y, "float64")
        log_joint_y += tf.gather(self.class_prior.log_prior.value, label)
        log_prob = self.density.log_prob_at(x, unknown, training=True)
        joint = self._with_prior(log_prob)
        marginal = tf.reduce_logsumexp(joint, axis=1)
        total = self.unlabelled_weight * tf.reduce_sum(marginal)
        total += tf.reduce_sum(tf.where(y >= 0, log_joint_y, 0.0))
        soft_labels = self.unlabelled_weight * tf.nn.softmax(joint)
        shape = [tf.size(y, tf.int64), self.num_classes]
        generative = -total / tf.cast(tf.size(y), "float64")
        return ClassifierLosses(
            **self._weighted_losses(generative, 0.0),
            soft_labels=tf.scatter_nd(unknown[:, None], soft_labels, shape),
        )

    def _weighted_losses(self, generative, discriminative):
        """The loss and its parts; all are means over the examples."""
        regularization = self.density.regularization()
        if not isinstance(regularization, float):  # else there are none
            regularization = ops.cast(regularization, "float64")
        loss = generative + regularization
        if self.discriminative_weight:  # 0 times infinity would be NaN
            loss += self.discriminative_weight * discriminative
        return dict(zip(_LOGS, (loss, generative, regularization)))

    # Validation and logs

    @validation_step
    def test_step(self, data: Any) -> dict:
        x, y = self._pair(data)
        graph_checks.check_values(x, self.support, type(self).__name__)
        prior = tf.gather(self.class_prior.log_prior.value, tf.maximum(y, 0))
        included = tf.logical_or(y < 0, tf.math.is_finite(prior))
        impossible = tf.where(included, -1, y)  # -1 is no class
        self._impossible_counts.add(
            self._one_hot(replicas.without_padding(impossible))
        )
        losses = self._step_losses(x, y, training=False, included=included)
        return self._log_means(losses, y, included)

    def _log_means(self, losses, y, included):
        y, included = (
            replicas.without_padding(y),
            replicas.without_padding(included),
        )
        values = losses._asdict()
        self.log_means.update_state(values, _number_of(included))
        logs = self.log_means.result()
        if losses.accuracy is not None:
            known = _number_of((y >= 0) & included)
            self.labelled_means.update_state(values, known)
            self.accuracy_mean.update_state(values, _number_of(y >= 0))
            logs.update(self.labelled_means.result())
            logs.update(self.accuracy_mean.result())
        return logs


class _Epochs(keras.callbacks.Callback):
    """Begins an epoch's sums, and takes the M-step before validation."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model._start_epoch()
        self.is_open = True

    def on_test_begin(self, logs=None):
        self._end()

    def on_epoch_end(self, epoch, logs=None):
        self._end()

    def _end(self):
        if self.is_open:
            self.model._m_step()
        self.is_open = False
