"""Classification by Bayes' rule with a generative model of each class."""

import inspect
import types
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from scipy.special import log_softmax, logsumexp

from kgen import arrays
from kgen.densities import ClassPrior, Density
from kgen.densities.base import assign
from kgen.densities.prior import ClassCounts
from kgen.errors import InvalidArgument, check_int, check_number, invalid
from kgen.export import guards
from kgen.models import checks, faults, graph_checks
from kgen.models.base import (
    GenerativeModel,
    Player,
    in_scope,
    new_seed,
    own_and_given,
    update,
)
from kgen.models.logs import LogMeans
from kgen.parallel import replicas

_LOGS = ("loss", "generative_loss", "regularization_loss")


@keras.saving.register_keras_serializable(package="kgen")
class BayesClassifier(GenerativeModel):
    """P(y|x) = p(x|y) P(y) / p(x): a generative model that classifies.

    `fit` takes pairs (x, y), y from 0, or -1 where the class is not known. What
    it minimises is, in nats per image,

        - log p(x, y), where y is known
        - unlabelled_weight * log p(x), where it is not
        - discriminative_weight * log P(y|x), where y is known

    averaged over all examples, and the networks' regularizers. These are the
    logs `generative_loss`, `discriminative_loss` (over the examples with labels,
    without its weight) and `regularization_loss`, with the sum `loss`, and
    `accuracy`. Where training does not need P(y|x), the second and last are
    known in validation only.

    A density in closed form is fitted by counting, in one epoch. Each epoch
    counts anew: with unlabelled examples, which count for each class by its
    P(y|x) and the `unlabelled_weight`, an epoch is a step of the EM algorithm;
    the first one leaves them out. What an epoch logs is by the parameters that
    it began with. With a `discriminative_weight`, a density in closed form is
    fitted so once, and then goes on by gradient, as the others do from the
    start.

    Unlabelled examples train a VAE on the bound of the marginal,
    `log sum_y P(y) exp(ELBO(x, y))`: that of the model M2, with the best q(y|x)
    there is.

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

    needs_labels = True

    def __init__(self, density, prior=None, **kwargs):
        # Densities choose their precision; half would not do for P(y|x).
        super().__init__(**{"autocast": False, **kwargs})
        if not isinstance(density, Density):
            raise invalid(
                "density",
                "BayesClassifier",
                "a kgen.densities.Density; `create_model` takes their names",
                density,
            )
        if not hasattr(density, "num_classes"):
            raise invalid(
                "density",
                "BayesClassifier",
                "one whose `__init__` calls `super().__init__(input_shape, "
                "num_classes)`",
                density,
            )
        self.density = density
        self._counting = False
        if isinstance(prior, np.ndarray):
            prior = prior.tolist()
        self.prior = prior
        self.class_prior = ClassPrior(density.num_classes, prior)
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
        # How many examples of each class are judged though it is impossible.
        self._unjudged = ClassCounts(density.num_classes)
        self._set_data(
            _LOGS,
            [density.input_shape, ()],
            density.num_classes,
            density.support,
        )

    @in_scope
    def compile(
        self,
        optimizer="adam",
        discriminative_weight=0.0,
        unlabelled_weight=1.0,
        *,
        steps_per_execution=16,
        run_eagerly=False,
        jit_compile=False,
    ):
        """Says how to train.

        Args:
            optimizer: Keras optimizer or its name, for what is trained by
                gradient.
            discriminative_weight: Weight >= 0 of -log P(y|x) beside
                -log p(x, y). Since the latter is larger by the number of
                pixels, 10 to 1000 make a difference.
            unlabelled_weight: Weight >= 0 of an example without a label beside
                one with it. Where these are few and the density is only roughly
                right, well below 1: else the classes follow the clusters of
                what has no label.
            steps_per_execution: Batches for each call into TensorFlow.
            run_eagerly: Whether steps run as plain Python, for debugging.
            jit_compile: Whether XLA compiles the step. XLA leaves out the
                checks of labels and values in each batch.

        Raises:
            InvalidArgument: If a name is unknown or a value out of range.
        """
        self.discriminative_weight = check_number(
            "discriminative_weight",
            "BayesClassifier.compile",
            discriminative_weight,
        )
        self.unlabelled_weight = check_number(
            "unlabelled_weight", "BayesClassifier.compile", unlabelled_weight
        )
        arguments = {
            "steps_per_execution": steps_per_execution,
            "run_eagerly": run_eagerly,
            "jit_compile": jit_compile,
        }
        self._compile(
            {
                "discriminative_weight": self.discriminative_weight,
                "unlabelled_weight": self.unlabelled_weight,
                **arguments,
            },
            optimizer,
            # What is counted needs no state of an optimizer.
            [] if self.counts else self.density.trainable_variables,
            **arguments,
        )
        self._start()

    @property
    def metrics(self):
        return [self.log_means, self.labelled_means, self.accuracy_mean]

    @property
    def counts(self):
        """Whether training is counting, not following a gradient."""
        return self.density.closed_form and (
            self._counting or not self.discriminative_weight
        )

    # Counting

    def fit(self, x=None, y=None, batch_size=None, *args, **kwargs):
        """`keras.Model.fit` of pairs, y from 0, or -1 where it is not known.

        Raises:
            InvalidArgument: As in every model; and if a class has too few
                examples for its density.
        """
        unfitted = self.density.closed_form and not self.fitted.numpy()
        if unfitted and self.compiled and not self.counts:
            if isinstance(x, types.GeneratorType):
                raise invalid(
                    "x",
                    "BayesClassifier.fit",
                    "data that can be read twice, such as a tf.data.Dataset: it "
                    "is counted first",
                    "a generator",
                )
            # A gradient needs a place to start from.
            self._count_once(x, y, batch_size, *args, **kwargs)
        return super().fit(x, y, batch_size, *args, **kwargs)

    def train_on_batch(self, *args, **kwargs):
        """`keras.Model.train_on_batch`, where no counts are needed.

        What is counted, a density in closed form or P(y), takes all the data of
        an epoch. After a `fit`, or with P(y) given as `prior`, densities are
        trained by gradient on one batch; P(y) stays as it is.

        Raises:
            InvalidArgument: If something would have to be counted.
        """
        owner = f"{type(self).__name__}.train_on_batch"
        if self.counts:
            raise InvalidArgument(
                f"`{owner}`: a {type(self.density).__name__} is fitted by "
                "counting all examples, not one batch. Call `fit`: one epoch is "
                "enough, and data may be a tf.data.Dataset or a generator."
            )
        uncounted = self.density.closed_form or self.prior is None
        if uncounted and not self.fitted.numpy():
            raise InvalidArgument(
                f"`{owner}`: P(y), or the density to start from, is not counted "
                "yet. Call `fit` first; or, of a density that is trained by "
                'gradient, pass P(y) as `prior`, such as "uniform".'
            )
        return super().train_on_batch(*args, **kwargs)

    def _count_once(self, *args, **kwargs):
        """One epoch of counting over what `fit` is given."""
        fit = inspect.signature(keras.Model.fit)
        given = fit.bind(self, *args, **kwargs).arguments
        for name in ("self", "callbacks", "initial_epoch", "validation_data"):
            given.pop(name, None)
        # The last one keeps what a validation_split leaves from being judged.
        once = {"epochs": 1, "verbose": 0, "validation_freq": 2}
        self._counting, self.train_function = True, None
        try:
            super().fit(**{**given, **once})
        finally:
            self._counting, self.train_function = False, None

    def evaluate(self, *args, **kwargs):
        """`keras.Model.evaluate`; examples of impossible classes are errors.

        If P(y) is 0 for an example's class, of which there was no training
        example, -log p(x, y) is infinite. The losses leave such examples out,
        `accuracy` counts them as wrong, and a warning says how many they are.
        """
        self._unjudged.start()
        found = super().evaluate(*args, **kwargs)
        counts = self._unjudged.array()
        for label in np.flatnonzero(counts):
            warnings.warn(
                f"`BayesClassifier`: {counts[label]:.0f} examples of class {label} "
                "can't be judged by a loss, since P(y) is 0: there was no "
                "training example of this class. They count as wrong in "
                "`accuracy`, and are left out of the losses.",
                stacklevel=2,
            )
        return found

    def _with_own_callbacks(self, callbacks):
        return own_and_given(callbacks, lambda given: [_Count(), *given])

    def _start(self):
        self._unjudged.start()
        self.class_prior.start()
        if self.density.closed_form and (
            self.counts or not self.fitted.numpy()
        ):
            self.density.start()

    def _finish(self, counted=True):
        """Ends an epoch's counts: all that they change, or nothing on error."""
        pairs = self.class_prior.counted()
        if self.density.closed_form and counted:
            pairs += self.density.counted()
        assign([*pairs, (self.fitted, np.ones(()))])

    def _known(self, y):
        return tf.one_hot(y, self.num_classes, dtype="float64")

    # Steps

    def _pair(self, data):
        owner = type(self).__name__
        x, y = checks.parts_of(data, owner)
        x = graph_checks.examples(x, self.input_shapes[0], owner)
        y = graph_checks.labels(y, self.num_classes, owner, lowest=-1)
        return x, tf.cast(y, "int32")

    @replicas.step
    @faults.step
    def train_step(self, data):
        x, y = self._pair(data)
        if self.counts:
            parts = self._losses_of_all(x, y, training=False)
        else:
            losses = (
                self._losses_of_all
                if self.discriminative_weight or self.jit_compile
                else self._generative_losses  # of a size that XLA can't know
            )
            parts = update(
                lambda: losses(x, y, training=True),
                Player(self.optimizer, self.density.trainable_variables),
            )
        # Each replica counts its own examples.
        weights = self._known(y) + self.fitted * parts["guessed"]
        weights = faults.zero_if_skipped(replicas.own(weights))
        self.class_prior.observe(weights)
        if self.counts:
            self.density.observe(replicas.own(x), weights)
        return self._logged(parts, y)

    @replicas.step
    def test_step(self, data):
        x, y = self._pair(data)
        graph_checks.check_values(x, self.support, type(self).__name__)
        prior = tf.gather(self.class_prior.log_prior.value, tf.maximum(y, 0))
        judged = tf.logical_or(y < 0, tf.math.is_finite(prior))
        unjudged = tf.where(judged, -1, y)  # which is no class
        self._unjudged.add(self._known(replicas.own(unjudged)))
        parts = self._losses_of_all(x, y, training=False, judged=judged)
        return self._logged(parts, y, judged)

    def _logged(self, parts, y, judged=None):
        if judged is None:
            judged = tf.ones_like(y, "bool")
        y, judged = replicas.own(y), replicas.own(judged)
        self.log_means.update_state(parts, _number_of(judged))
        logs = self.log_means.result()
        if "accuracy" in parts:
            known = _number_of((y >= 0) & judged)
            self.labelled_means.update_state(parts, known)
            self.accuracy_mean.update_state(parts, _number_of(y >= 0))
            logs.update(self.labelled_means.result())
            logs.update(self.accuracy_mean.result())
        return logs

    def _losses_of_all(self, x, y, training, judged=True):
        """The losses by every class's density.

        Args:
            x: Tensor of shape `(batch, *input_shape)`.
            y: Labels of shape `(batch,)`, or -1.
            training: Whether they are to be differentiated.
            judged: Truth values of shape `(batch,)`: which of the examples the
                losses are means over.

        Returns:
            Dictionary of scalars, and `guessed`, of shape `(batch, classes)`.
        """
        joint = self._joint(x, training=training)
        own = tf.gather(joint, tf.maximum(y, 0), axis=1, batch_dims=1)
        marginal = tf.reduce_logsumexp(joint, axis=1)
        known = tf.logical_and(y >= 0, judged)
        # where, not a product: a class may be impossible, its log infinite.
        missed = tf.reduce_sum(tf.where(known, marginal - own, 0.0))
        each = tf.where(y >= 0, own, self.unlabelled_weight * marginal)
        judged = tf.broadcast_to(judged, tf.shape(y))
        total = tf.reduce_sum(tf.where(judged, each, 0.0))
        right = tf.equal(tf.argmax(joint, axis=1, output_type="int32"), y)
        return {
            **self._summed(
                _over(-total, _number_of(judged)),
                _over(missed, _number_of(judged)),
            ),
            "discriminative_loss": _over(missed, _number_of(known)),
            "accuracy": _over(_number_of(right), _number_of(y >= 0)),
            "guessed": tf.where(
                (y < 0)[:, None],
                self.unlabelled_weight * tf.nn.softmax(joint),
                0.0,
            ),
        }

    def _generative_losses(self, x, y, training):
        """The same without P(y|x) of what has a label: by its class alone."""
        unknown = tf.where(y < 0)[:, 0]
        label = tf.maximum(y, 0)
        own = self.density.log_prob_in(x, label, training)
        own = tf.cast(own, "float64")
        own += tf.gather(self.class_prior.log_prior.value, label)
        joint = self._with_prior(self.density.log_prob_at(x, unknown, training))
        marginal = tf.reduce_logsumexp(joint, axis=1)
        total = self.unlabelled_weight * tf.reduce_sum(marginal)
        total += tf.reduce_sum(tf.where(y >= 0, own, 0.0))
        guessed = self.unlabelled_weight * tf.nn.softmax(joint)
        shape = [tf.size(y, tf.int64), self.num_classes]
        return {
            **self._summed(-total / tf.cast(tf.size(y), "float64"), 0.0),
            "guessed": tf.scatter_nd(unknown[:, None], guessed, shape),
        }

    def _summed(self, generative, discriminative):
        """The loss and its parts; all are means over the examples."""
        regularization = ops.cast(self.density.regularization(), "float64")
        loss = generative + regularization
        if self.discriminative_weight:  # 0 times infinity would be NaN
            loss += self.discriminative_weight * discriminative
        return {
            "loss": loss,
            "generative_loss": generative,
            "regularization_loss": regularization,
        }

    def _joint(self, x, mask=None, training=False):
        """log p(x, y) of each class, float64."""
        return self._with_prior(
            self.density.log_prob(x, mask=mask, training=training)
        )

    def _with_prior(self, log_prob):
        """log p(x, y) from log p(x|y)."""
        if not log_prob.shape.is_compatible_with((None, self.num_classes)):
            raise invalid(
                "density",
                "BayesClassifier",
                f"one whose `log_prob` has the shape (batch, {self.num_classes})",
                f"a {type(self.density).__name__} that gives the shape "
                f"{tuple(log_prob.shape)}",
            )
        return tf.cast(log_prob, "float64") + self.class_prior.log_prior.value

    # Once trained

    def call(self, inputs, training=False):
        """P(y|x), of shape `(batch, num_classes)`."""
        expected = self.input_shapes[0]
        if not inputs.shape[1:].is_compatible_with(expected):
            raise invalid(
                "x",
                "BayesClassifier",
                f"shape (batch, {', '.join(map(str, expected))})",
                f"shape {tuple(inputs.shape)}",
            )
        return tf.cast(tf.nn.softmax(self._joint(inputs)), "float32")

    def _unpack(self, data, shape):
        """x alone, twice: what is predicted needs no label."""
        owner = type(self).__name__
        x, _ = checks.parts_of(data, owner)
        x = graph_checks.examples(x, shape, owner)
        return x, x

    def log_joint(self, x, mask=None, batch_size=1024):
        """log p(x, y) for every class y.

        Args:
            x: Array of shape `(n, *input_shape)`, or a dataset.
            mask: None, or truth values of the shape of x, or of one example:
                which numbers of x were seen. The others, which may be NaN, are
                integrated out, exactly; densities in closed form can do it.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of shape `(n, num_classes)`, float64, nats per image; minus
            infinity for a class that the prior rules out.

        Raises:
            InvalidArgument: If the shape is wrong, or the density can't
                integrate.
        """
        if mask is None:
            batches = self._batches_of(x, batch_size)
        else:
            batches = self._masked(x, mask, batch_size)
        return self._in_batches(self._log_joint, batches)

    def classify(self, x, mask=None, batch_size=1024):
        """The likeliest class of each example, `(n,)`; as `log_joint`."""
        return self.log_joint(x, mask, batch_size).argmax(axis=1)

    def predict_log_proba(self, x, mask=None, batch_size=1024):
        """log P(y|x), of shape `(n, num_classes)`; arguments as `log_joint`."""
        return log_softmax(self.log_joint(x, mask, batch_size), axis=1)

    def log_prob(self, x, mask=None, batch_size=1024):
        """log p(x), the sum over the classes, of shape `(n,)`, nats per image."""
        return logsumexp(self.log_joint(x, mask, batch_size), axis=1)

    def outlier_score(self, x, mask=None, batch_size=1024):
        """-log p(x), of shape `(n,)`: larger for what is unlike the data.

        Densities of pixels may find what is simpler than the data likelier than
        the data (Nalisnick et al. 2019, arXiv 1810.09136); compare scores with
        those of held-out data on both sides.
        """
        return -self.log_prob(x, mask, batch_size)

    def sample(self, num_samples, labels=None, seed=None):
        """Examples from the model: y from P(y), x from p(x|y).

        Args:
            num_samples: How many.
            labels: Integer or `num_samples` integers; None to draw them.
            seed: Integer; the same one gives the same examples, also from the
                exported model. None for new ones at each call.

        Returns:
            Array of shape `(num_samples, *input_shape)`. Pictures are clipped
            to [0, 1].
        """
        owner = "BayesClassifier.sample"
        count = check_int("num_samples", owner, num_samples)
        seed = new_seed(seed)
        prior = np.exp(self.class_prior.log_prior.numpy())
        if labels is None:
            draws = np.random.default_rng(seed)
            labels = draws.choice(self.num_classes, count, p=prior)
        labels = self._labels_for(count, labels, "sample")
        impossible = labels[prior[labels] == 0]
        if len(impossible):
            raise invalid(
                "labels",
                owner,
                "classes that the prior allows for",
                impossible[0],
            )
        return self._drawn(tf.constant(labels), tf.constant(seed)).numpy()

    def labels_in_turn(self, count):
        """The possible classes in order, over and over."""
        possible = np.flatnonzero(np.isfinite(self.class_prior.log_prior))
        return np.resize(possible, count)

    def _drawn(self, labels, seed):
        images = self.density.draw(labels, seed)
        return (
            tf.clip_by_value(images, *self.support) if self.support else images
        )

    def _log_joint(self, inputs, number=0):
        if isinstance(inputs, dict):
            return self._joint(inputs["x"], inputs["mask"])
        return self._joint(inputs)

    def _masked(self, x, mask, batch_size):
        """x and where it was seen, as batches."""
        owner = "BayesClassifier"
        if not self.density.marginalises:
            raise invalid(
                "mask",
                owner,
                "None: this density can't integrate over missing numbers. Those "
                "in closed form can",
                type(self.density).__name__,
            )
        if isinstance(x, tf.data.Dataset):
            raise invalid("x", owner, "an array, with a mask", "a dataset")
        x, mask = np.asarray(_without_labels(x)), np.asarray(mask)
        shape = self.input_shapes[0]
        if x.shape[1:] != shape:
            raise invalid(
                "x", owner, f"shape (n, *{shape})", f"shape {x.shape}"
            )
        if (
            mask.shape not in (shape, x.shape)
            or not np.isin(mask, [0, 1]).all()
        ):
            raise invalid(
                "mask",
                owner,
                f"truth values of shape {shape}, or of that of x",
                f"{mask.dtype} of shape {mask.shape}",
            )
        mask = np.broadcast_to(mask.astype(bool), x.shape)
        x = self._checked_inputs(np.where(mask, x, 0), any_range=False)
        batch_size = check_int("batch_size", owner, batch_size)
        pairs = {"x": x, "mask": mask}
        return tf.data.Dataset.from_tensor_slices(pairs).batch(batch_size)

    def _checked_inputs(self, inputs, any_range):
        return self._checked_images(_without_labels(inputs), any_range)

    def check_labels(self, labels, count, owner):
        """Raises unless `labels` are classes, or -1."""
        arrays.check_labels(labels, self.num_classes, count, owner, lowest=-1)

    def endpoints(self):
        """`serving_default` (P(y|x)), `log_joint`, and `sample`."""
        images = [self.image_spec()]
        scalar = tf.TensorSpec((), "int32", "num_samples")
        seed = tf.TensorSpec((), "int32", "seed")

        def serve(images):
            return {"probabilities": self(images)}

        def log_joint(images):
            return {"log_joint": tf.cast(self._joint(images), "float32")}

        def sample(num_samples, seed, labels):
            del num_samples  # there are as many as labels
            prior = tf.gather(self.class_prior.log_prior.value, labels)
            possible = tf.reduce_all(tf.math.is_finite(prior))
            expected = "classes that the prior allows for"
            check = guards.expect(possible, "labels", expected)
            (labels,) = guards.after([check], [labels])
            return {"images": self._drawn(labels, seed)}

        return {
            "serving_default": (serve, images),
            "log_joint": (log_joint, images),
            "sample": (sample, [scalar, seed, *self.label_specs()]),
        }


def _number_of(truths):
    """How many are true, float64."""
    return tf.reduce_sum(tf.cast(truths, "float64"))


def _over(value, count):
    """A mean, or 0 of nothing."""
    return tf.math.divide_no_nan(value, count)


def _without_labels(inputs):
    """x of a pair, as `fit` takes it, or of x alone."""
    pair = isinstance(inputs, (tuple, list)) and len(inputs) == 2
    return inputs[0] if pair else inputs


class _Count(keras.callbacks.Callback):
    """Starts and ends the counting of an epoch; before validation, too."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model._start()
        self.open = True

    def on_test_begin(self, logs=None):
        self._end()

    def on_epoch_end(self, epoch, logs=None):
        self._end()

    def _end(self):
        if self.open:
            self.model._finish(counted=self.model.counts)
        self.open = False
