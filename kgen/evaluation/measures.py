"""The metrics that a model can be judged by, by name."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from kgen import metrics
from kgen.errors import InvalidArgument, unknown_name
from kgen.evaluation.evidence import has_labels
from kgen.metrics.means import mean_and_error

_NEIGHBOURHOODS = 10_000  # examples at most; their distances take its square
_BOUNDED = 5_000  # test examples at most whose log p(x) is estimated
_PROBED = 5_000  # codes at most that a probe learns from
_NEAREST = 5  # neighbours that a neighbourhood reaches to
_NEAR = 0.05  # of the test examples are called near to training examples
_GROUPS = 10  # of samples, each left out once for a standard error


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a metric came to.

    Args:
        value: The figure.
        standard_error: Of the value, or None where it isn't known.
        floor: What training examples have in the place of samples, or the
            original pictures, or None.
    """

    value: float
    standard_error: float | None = None
    floor: float | None = None


@dataclasses.dataclass(frozen=True)
class Metric:
    """What a reader should know of a metric.

    Args:
        title: Its name in tables, which may be shared.
        better: `"lower"`, `"higher"`, `"near:1"`, or None.
        unit: The unit, or "".
        reading: How to read it, a sentence.
    """

    title: str
    better: str | None
    unit: str
    reading: str

    @property
    def worst(self):
        """What nothing is worse than."""
        return float("-inf" if self.better == "higher" else "inf")


@dataclasses.dataclass(frozen=True)
class Group:
    """Metrics that are computed at once.

    Args:
        metrics: Dictionary from names to `Metric`s.
        method: What a model must have, the name of a method.
        compute: Function of an `Evidence`: dictionary from names to `Figure`s.
        lacks: Function of an `Evidence`: what else is missing, or None.
    """

    metrics: dict
    method: str
    compute: Callable
    lacks: Callable = lambda evidence: None

    def missing(self, evidence):
        """Why the metrics can't be computed, or None."""
        model = evidence.model
        if not hasattr(model, self.method):
            return f"a {type(model).__name__} has no method `{self.method}`"
        return self.lacks(evidence)


def _mean(values):
    if len(values) < 2:
        return Figure(float(np.mean(values)))
    return Figure(*mean_and_error(values))


def _share(value, count):
    """A share of `count` independent examples.

    Its error is that of the share with two more of both kinds (Agresti & Coull
    1998): none of few is not known exactly.
    """
    near = (value * count + 2.0) / (count + 4.0)
    return Figure(float(value), float(np.sqrt(near * (1.0 - near) / count)))


# Bounds on log p(x)


def _bounds(evidence):
    found = metrics.bounds(
        evidence.model,
        evidence.batches(
            _BOUNDED, batch_size=128, seed=0, binarize=evidence.binarize
        ),
        num_samples=evidence.importance_samples,
        seed=evidence.seed,
    )
    return {
        name: Figure(one["value"], one["standard_error"])
        for name, one in found.items()
    }


_NATS = "nats per image"
_BOUNDS = Group(
    {
        "log_likelihood": Metric(
            "log p(x)",
            "higher",
            _NATS,
            "How likely the model finds unseen examples, by importance samples; "
            "in expectation from below; of 5,000 test examples at most. "
            "Comparable among models of the same data and likelihood only.",
        ),
        "elbo": Metric(
            "ELBO",
            "higher",
            _NATS,
            "The bound on log p(x) that training raises; how far it is below "
            "log p(x) is what the approximate posterior costs.",
        ),
        "kl": Metric(
            "KL (rate)",
            None,
            _NATS,
            "What the code tells of an example beyond the prior. Near 0, the "
            "decoder ignores the code.",
        ),
        "reconstruction": Metric(
            "Reconstruction (distortion)",
            None,
            _NATS,
            "-E log p(x|z): what is lost on the way through the code. The ELBO "
            "is minus the sum of rate and distortion.",
        ),
        "effective_sample_size": Metric(
            "Effective sample size",
            "higher",
            "importance samples",
            "How many of the importance samples count. Near 1, log p(x) is "
            "still far below its true value.",
        ),
    },
    "log_likelihood",
    _bounds,
    lambda evidence: _too_few(evidence.test, 2),
)


# Codes


def _active_units(evidence):
    mean, _ = evidence.model.posterior(evidence.batches())
    return {"active_units": Figure(float(metrics.active_units(mean)))}


_CODES = Group(
    {
        "active_units": Metric(
            "Active units",
            "higher",
            "latent dimensions",
            "Dimensions of the code whose posterior mean varies from example to "
            "example; the others stay unused.",
        ),
    },
    "posterior",
    _active_units,
    lambda evidence: _too_few(evidence.test, 2),
)


def _no_probes(evidence):
    if evidence.model.conditional:
        return "the labels are known to the encoder"
    if not evidence.has_labels or len(np.unique(evidence.test.labels)) < 2:
        return "the data has no labels"
    if evidence.train is None or not has_labels(evidence.train):
        return "no training examples with labels to learn from"
    return None


def _probes(evidence):
    model, test = evidence.model, evidence.test
    train = evidence.some(evidence.train, _PROBED)
    found = metrics.probe(
        model.encode(train.batches(batch_size=250)),
        train.labels,
        model.encode(test.batches(batch_size=250)),
        test.labels,
    )
    return {name: _share(value, len(test)) for name, value in found.items()}


_PROBES = Group(
    {
        "knn_accuracy": Metric(
            "10-NN accuracy on codes",
            "higher",
            "",
            "How often the classes of the nearest codes are right: whether "
            "what is alike lies together.",
        ),
        "logistic_accuracy": Metric(
            "Logistic accuracy on codes",
            "higher",
            "",
            "How often a linear classifier on codes is right: whether classes "
            "lie on different sides.",
        ),
    },
    "encode",
    _probes,
    _no_probes,
)


# Reconstructions


def _reconstructions(evidence):
    squares, ssim, sharp, originals = [], [], [], []
    with_ssim = min(evidence.model.input_shapes[0][:2]) >= 11
    for batch in evidence.batches():
        inputs, x = evidence.model.unpack(batch)
        x, rebuilt = np.asarray(x), np.asarray(evidence.model(inputs))
        error = np.square(x.astype("float64") - rebuilt)
        squares.append(error.reshape(len(x), -1).mean(axis=1))
        if evidence.is_picture:
            sharp.append(metrics.sharpness(rebuilt))
            originals.append(metrics.sharpness(x))
        if evidence.is_picture and with_ssim:
            ssim.append(metrics.ssim(rebuilt, x))
    squares = np.concatenate(squares)
    found = {"mse": _mean(squares)}
    if evidence.is_picture:
        with np.errstate(divide="ignore"):
            found["psnr"] = _mean(-10.0 * np.log10(squares))
        ratio = _ratio(np.concatenate(sharp), np.concatenate(originals))
        found.update({"reconstruction_sharpness": ratio} if ratio else {})
    if ssim:
        found["ssim"] = _mean(np.concatenate(ssim))
    return found


def _ratio(values, originals):
    """The means' ratio, or None by 0; the error is that of the first one."""
    whole = np.mean(originals)
    return _mean(values / whole) if whole else None


_RECONSTRUCTIONS = Group(
    {
        "mse": Metric(
            "Squared error of reconstructions",
            "lower",
            "a number of x",
            "The mean squared difference from the original.",
        ),
        "psnr": Metric(
            "PSNR of reconstructions",
            "higher",
            "dB",
            "The same on a log scale, in the mean over pictures: 20 is coarse, "
            "30 good, 40 hardly to be told from the original.",
        ),
        "ssim": Metric(
            "SSIM of reconstructions",
            "higher",
            "",
            "Whether local structure is the same: 1 for equal pictures.",
        ),
        "reconstruction_sharpness": Metric(
            "Sharpness of reconstructions",
            "near:1",
            "of the originals'",
            "Below 1, they are blurred; above 1, noisy.",
        ),
    },
    "reconstruct",
    _reconstructions,
)


# Samples


def _no_features(evidence):
    if evidence.extractor is None:
        return "no feature extractor"
    return _too_few_to_compare(evidence, 2)


def _too_few(examples, least):
    if len(examples) < least:
        return f"{least} or more examples are needed, not {len(examples)}"
    return None


def _too_few_to_compare(evidence, least):
    for examples in (evidence.test, evidence.train):
        reason = examples is not None and _too_few(examples, least)
        if reason:
            return reason
    if evidence.num_samples < least:
        return f"{least} or more samples are needed"
    return None


def _as_many(evidence):
    """Features of test examples and samples, and of as many training examples.

    What the number of examples does to a figure, it does to its floor.
    """
    real, fake = evidence.real.features, evidence.samples.features
    if evidence.train is None:
        return real, fake, None
    trained_on = evidence.trained_on.features
    count = min(len(fake), len(trained_on))
    return real, fake[:count], trained_on[:count]


def _no_frechet(evidence):
    missing = _no_features(evidence)
    if missing:
        return missing
    size = evidence.extractor.num_features
    parts = [len(evidence.test)]
    parts += [] if evidence.train is None else [len(evidence.train)]
    # A tenth of the samples is left out for the standard error.
    count = min(*parts, evidence.num_samples) * (_GROUPS - 1) // _GROUPS
    if count <= size:
        return f"there are too few examples or samples for {size} features"
    return None


def _frechet(evidence):
    real, fake, trained_on = _as_many(evidence)
    floor = None
    if trained_on is not None:
        floor = evidence.floor(
            "frechet_distance",
            lambda: metrics.frechet_distance(real, trained_on),
        )
    value = metrics.frechet_distance(real, fake)
    return {"frechet_distance": Figure(value, _jackknife(real, fake), floor)}


def _jackknife(real, fake):
    """The Frechet distance's standard error, by leaving out parts of samples."""
    whole = metrics.FeatureStatistics()
    whole.update(real)
    order = np.arange(len(fake)) % _GROUPS
    found = [
        metrics.frechet_distance(whole, fake[order != group])
        for group in range(_GROUPS)
    ]
    return float(np.std(found) * np.sqrt(_GROUPS - 1))


_FRECHET = Group(
    {
        "frechet_distance": Metric(
            "Frechet distance",
            "lower",
            "squared units of the features",
            "How far the samples' features are from the test examples', both "
            "taken for Gaussians. The floor is what as many training examples "
            "have. Comparable for the same extractor and number of samples only; "
            "the error is that of the samples.",
        ),
    },
    "sample",
    _frechet,
    _no_frechet,
)


def _no_kernel(evidence):
    return _no_features(evidence) or _too_few_to_compare(evidence, 2 * _GROUPS)


def _kernel(evidence):
    real, fake, trained_on = _as_many(evidence)

    def distance(other):
        found = metrics.kernel_distance(real, other, seed=evidence.seed)
        return found["kernel_distance"]

    floor = None
    if trained_on is not None:
        floor = evidence.floor("kernel_distance", lambda: distance(trained_on))
    errors = _errors_by_parts(_small_kernel, real, fake)
    return {
        "kernel_distance": Figure(
            distance(fake), errors["kernel_distance"], floor
        )
    }


def _small_kernel(real, fake):
    found = metrics.kernel_distance(real, fake, subsets=2)
    return {"kernel_distance": found["kernel_distance"]}


def _errors_by_parts(function, real, fake):
    """Standard errors by the figures of ten parts of both sets.

    Of figures to which a pair of examples contributes: subsets that overlap, or
    counts as if all were independent, would tell too small an error.
    """
    parts = [
        function(real[part::_GROUPS], fake[part::_GROUPS])
        for part in range(_GROUPS)
    ]
    return {
        name: mean_and_error([part[name] for part in parts])[1]
        for name in parts[0]
    }


_KERNEL = Group(
    {
        "kernel_distance": Metric(
            "Kernel distance",
            "lower",
            "",
            "The same by a kernel, without the bias of few samples: 0 for "
            "samples that can't be told from the data.",
        ),
    },
    "sample",
    _kernel,
    _no_kernel,
)


_precision_recall = functools.partial(
    metrics.precision_recall, neighbors=_NEAREST
)


def _no_neighbourhoods(evidence):
    missing = _no_features(evidence)
    return missing or _too_few_to_compare(evidence, _NEAREST + 1)


def _neighbourhoods(evidence):
    real, fake, trained_on = _as_many(evidence)
    # As many of each: more samples would be nearer to everything.
    count = min(_NEIGHBOURHOODS, len(real), len(fake))
    found = _precision_recall(real[:count], fake[:count])
    floors = {}
    if trained_on is not None:
        floors = evidence.floor(
            "neighbourhoods",
            lambda: _precision_recall(real[:count], trained_on[:count]),
        )
    errors = {}
    if count >= _GROUPS * (_NEAREST + 1):
        errors = _errors_by_parts(_precision_recall, real[:count], fake[:count])
    return {
        name: Figure(value, errors.get(name), floors.get(name))
        for name, value in found.items()
    }


_NEIGHBOURS = Group(
    {
        "precision": Metric(
            "Precision",
            "higher",
            "",
            "The share of samples that lie where real examples do: quality.",
        ),
        "recall": Metric(
            "Recall",
            "higher",
            "",
            "The share of real examples that lie where samples do: variety.",
        ),
        "density": Metric(
            "Density",
            "higher",
            "",
            "As precision, but counts how many real neighbourhoods a sample is "
            "in, so that an outlier among the real examples matters less.",
        ),
        "coverage": Metric(
            "Coverage",
            "higher",
            "",
            "The share of real examples with a sample in their neighbourhood.",
        ),
    },
    "sample",
    _neighbourhoods,
    _no_neighbourhoods,
)


def _no_inception(evidence):
    missing = _no_features(evidence)
    if missing is None and not evidence.extractor.is_inception:
        missing = "it is of Inception-v3 only"
    return missing


def _inception_score(evidence):
    found = metrics.inception_score(evidence.samples.probabilities)
    return {
        "inception_score": Figure(
            found["inception_score"], found["standard_error"]
        )
    }


_INCEPTION = Group(
    {
        "inception_score": Metric(
            "Inception score",
            "higher",
            "",
            "High where each sample is of a clear class, and all classes occur.",
        ),
    },
    "sample",
    _inception_score,
    _no_inception,
)


def _no_accuracy_of_samples(evidence):
    missing = _no_features(evidence)
    if missing is None and not evidence.has_labelled_samples:
        missing = "the model's samples have no labels"
    if missing is None and not evidence.extractor.num_classes:
        missing = "the extractor knows no classes"
    return missing


def _accuracy_of_samples(evidence):
    def accuracy(seen):
        return np.mean(seen.probabilities.argmax(axis=1) == seen.labels)

    samples, real = evidence.samples, evidence.real
    floor = accuracy(real) if real.labels is not None else None
    value = _share(accuracy(samples), len(samples.labels))
    return {"sample_accuracy": dataclasses.replace(value, floor=floor)}


_CONDITIONAL = Group(
    {
        "sample_accuracy": Metric(
            "Accuracy on samples",
            "higher",
            "",
            "How often the extractor's classifier sees the class that a sample "
            "was asked for. The floor is how often it is right on test "
            "examples.",
        ),
    },
    "sample",
    _accuracy_of_samples,
    _no_accuracy_of_samples,
)


def _no_pictures(evidence):
    return None if evidence.is_picture else "examples are no pictures"


def _sharpness(evidence):
    value = _ratio(evidence.samples.sharpness, evidence.real.sharpness)
    if value is None:
        return {}
    floor = None
    if evidence.train is not None:
        floor = _ratio(evidence.trained_on.sharpness, evidence.real.sharpness)
    return {
        "sample_sharpness": dataclasses.replace(
            value, floor=floor and floor.value
        )
    }


_SHARPNESS = Group(
    {
        "sample_sharpness": Metric(
            "Sharpness of samples",
            "near:1",
            "of the test pictures'",
            "Below 1, samples are blurred; above 1, noisy.",
        ),
    },
    "sample",
    _sharpness,
    _no_pictures,
)


def _no_diversity(evidence):
    missing = _no_pictures(evidence)
    if missing is None and min(evidence.model.input_shapes[0][:2]) < 11:
        missing = "pictures are smaller than 11 x 11"
    return missing or _too_few_to_compare(evidence, 3)


def _diversity(evidence):
    found = metrics.diversity(evidence.samples.first, seed=evidence.seed)
    real = metrics.diversity(evidence.real.first, seed=evidence.seed)
    return {
        "similarity": Figure(
            found["ms_ssim"], found["standard_error"], real["ms_ssim"]
        )
    }


_DIVERSITY = Group(
    {
        "similarity": Metric(
            "Similarity of samples (MS-SSIM)",
            "lower",
            "",
            "How alike two samples are in the mean. Well above the floor, that "
            "of test pictures, samples lack variety.",
        ),
    },
    "sample",
    _diversity,
    _no_diversity,
)


def _no_memorization(evidence):
    if evidence.train is None:
        return "no training examples to be near to"
    return _too_few(evidence.test, 20)


def _memorization(evidence):
    samples, real = evidence.samples.first, evidence.real.first
    both = np.concatenate([samples, real])
    _, distance = metrics.nearest_neighbors(
        both, evidence.train.batches(batch_size=1000)
    )
    near = np.quantile(distance[len(samples) :], _NEAR)
    value = _share(np.mean(distance[: len(samples)] < near), len(samples))
    return {"memorization": dataclasses.replace(value, floor=_NEAR)}


_MEMORY = Group(
    {
        "memorization": Metric(
            "Samples that are near to training examples",
            "lower",
            "",
            "The share that is nearer to a training example than 95 % of the "
            "test examples are. Well above the floor, the model repeats what it "
            "was trained on, or its samples are blander than the data: look at "
            "the nearest ones.",
        ),
    },
    "sample",
    _memorization,
    _no_memorization,
)


# Classifiers


def _no_classes(evidence):
    return None if evidence.has_labels else "the data has no labels"


def _classification(evidence):
    from scipy.special import log_softmax, logsumexp

    labels = evidence.test.labels
    joint = evidence.model.log_joint(evidence.batches(labels=False))
    log_proba = log_softmax(joint, axis=1)
    right = joint.argmax(axis=1) == labels
    return {
        "accuracy": _share(right.mean(), len(right)),
        "negative_log_likelihood": _mean(
            -log_proba[np.arange(len(labels)), labels]
        ),
        "calibration_error": Figure(
            metrics.calibration_error(np.exp(log_proba), labels)
        ),
        "log_prob": _mean(logsumexp(joint, axis=1)),
    }


_CLASSES = Group(
    {
        "accuracy": Metric("Accuracy", "higher", "", "How often it is right."),
        "negative_log_likelihood": Metric(
            "-log P(y|x)",
            "lower",
            "nats per image",
            "What the probabilities are worth: guessing costs log of the number "
            "of classes.",
        ),
        "calibration_error": Metric(
            "Calibration error",
            "lower",
            "",
            "How far its confidence is from its accuracy, in the mean.",
        ),
        "log_prob": Metric(
            "log p(x)",
            "higher",
            _NATS,
            "How likely it finds unseen examples, whatever their class.",
        ),
    },
    "predict_log_proba",
    _classification,
    _no_classes,
)


# Denoising


def _denoised(evidence):
    found, done = {"noisy_psnr": [], "denoised_psnr": []}, 0
    for batch in evidence.batches():
        _, x = evidence.model.unpack(batch)
        noisy = evidence.model.corrupt(x, done)
        clean = evidence.model(
            evidence.model.with_labels(noisy, _labels(batch))
        )
        for name, images in (("noisy", noisy), ("denoised", clean)):
            images = np.asarray(images, "float32")
            found[f"{name}_psnr"].append(metrics.psnr(images, np.asarray(x)))
        done += len(x)
    return {name: _mean(np.concatenate(v)) for name, v in found.items()}


def _labels(batch):
    return batch[1] if isinstance(batch, tuple) else None


_DENOISING = Group(
    {
        "denoised_psnr": Metric(
            "PSNR once denoised",
            "higher",
            "dB",
            "Of pictures that were corrupted as in training.",
        ),
        "noisy_psnr": Metric(
            "PSNR of the noisy pictures", None, "dB", "What it began with."
        ),
    },
    "denoise",
    _denoised,
)

GROUPS = (
    _CLASSES,
    _BOUNDS,
    _FRECHET,
    _KERNEL,
    _INCEPTION,
    _NEIGHBOURS,
    _CONDITIONAL,
    _SHARPNESS,
    _DIVERSITY,
    _MEMORY,
    _DENOISING,
    _RECONSTRUCTIONS,
    _CODES,
    _PROBES,
)
METRICS = {
    name: metric for group in GROUPS for name, metric in group.metrics.items()
}


def check_metrics(owner, names):
    """Returns `names` as a tuple, None as all there are; or raises."""
    if names is None:
        return tuple(METRICS)
    for name in names:
        if name not in METRICS:
            raise unknown_name("metrics", owner, METRICS, name)
    return tuple(names)


def suits(name, model):
    """Whether models of this kind can have the metric."""
    return any(
        name in group.metrics and hasattr(model, group.method)
        for group in GROUPS
    )


def check_possible(evidence, names):
    """Raises if one of `names` can't be computed from `evidence`."""
    for group in GROUPS:
        asked = [name for name in names if name in group.metrics]
        reason = group.missing(evidence) if asked else None
        if reason:
            raise _impossible(asked[0], reason)


def _impossible(name, reason):
    return InvalidArgument(
        f"The metric {name!r} can't be computed: {reason}. Leave it out."
    )


def compute(evidence, names=None, report=None):
    """Computes metrics.

    Args:
        evidence: An `Evidence`.
        names: Names out of `METRICS`, or None for all that the model allows.
        report: What is called with the names of those that are computed next,
            or None.

    Returns:
        Dictionary from names to `Figure`s; and one from names to the reason why
        a metric is left out that such a model could have.

    Raises:
        InvalidArgument: If a name is unknown, or one that was asked for can't
            be had.
    """
    asked = check_metrics("compute", names)
    found, left_out = {}, {}
    for group in GROUPS:
        wanted = [name for name in group.metrics if name in asked]
        if names is None and not hasattr(evidence.model, group.method):
            continue
        if not wanted:
            continue
        reason = group.missing(evidence)
        if reason is None:
            if report:
                report(", ".join(METRICS[name].title for name in wanted))
            figures = group.compute(evidence)
            found.update((k, figures[k]) for k in wanted if k in figures)
            reason = "it is not defined for such examples"
        left_out.update((n, reason) for n in wanted if n not in found)
    if names is not None and left_out:
        raise _impossible(*next(iter(left_out.items())))
    return found, left_out
