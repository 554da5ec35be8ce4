"""What codes are worth."""

import numpy as np

from kgen import metrics
from kgen.data.examples import subset
from kgen.evaluation.estimates import Estimate, check_finite, mean, share
from kgen.evaluation.evidence import Evidence, has_labels
from kgen.evaluation.groups import Metric, group, no_labels, too_few
from kgen.priors import MixturePrior, fitting

_PROBED = 5_000  # codes at most that a probe learns from
_DENSITY = 10_000  # codes at most that a density is fitted to
_COMPONENTS = 10  # of that density, at most
# Codes for each of its parameters. With n codes a parameter makes the density of other
# codes worse by 1 / (2 n) nats; all of them, by 0.05 nats at most.
_CODES_OF_A_PARAMETER = 10


@group(
    method="posterior",
    obstacles=(too_few(2, "test"),),
    active_units=Metric(
        "Active units",
        None,
        "latent dimensions",
        "Dimensions of the code that vary from example to example; the others "
        "stay unused.",
    ),
)
def active_units(evidence: Evidence) -> dict[str, Estimate]:
    means = evidence.model.codes_for_active_units(evidence.batches())
    codes = check_finite("codes", means)
    return {"active_units": Estimate(float(metrics.active_units(codes)))}


def _no_codes_to_learn(evidence):
    if evidence.train is None:
        return "no training examples to learn the distribution of codes from"
    return None


def _too_few_codes(evidence):
    size = evidence.model.latent_dim
    if _density_for(len(evidence.train), size) is None:
        return f"there are too few training examples for codes of size {size}"
    return None


def _density_for(count, size):
    """A mixture that so many codes of a size suffice for, or None.

    Its covariances are full where there are enough codes, else diagonal.
    """
    count = min(count, _DENSITY) // _CODES_OF_A_PARAMETER
    parameters = {"full": size * (size + 3) // 2, "diagonal": 2 * size}
    for covariance, of_each in parameters.items():
        components = min(_COMPONENTS, count // of_each)
        if components:
            return MixturePrior(components, covariance)
    return None


@group(
    method="log_prior",
    obstacles=(_no_codes_to_learn, _too_few_codes, too_few(2, "test")),
    marginal_kl=Metric(
        "Aggregate posterior to prior",
        "lower",
        "nats per code",
        "At least how far codes of unseen examples, drawn from their posteriors, "
        "are from the prior: KL(q(z) || p(z)), by a mixture of Gaussians for "
        "q(z). Samples are bad where the two differ; `kgen fit-prior` helps.",
    ),
)
def marginal_kl(evidence: Evidence) -> dict[str, Estimate]:
    model, seed = evidence.model, evidence.seed
    options = {"batch_size": 250, "seed": 0, "binarize": evidence.binarize}
    train = subset(evidence.train, _DENSITY, seed)
    train = train.batches(labels=model.conditional, **options)
    codes, test_codes = (
        check_finite("codes", model.sample_codes(batches, seed=seed))
        for batches in (train, evidence.batches(_DENSITY, **options))
    )
    density = _density_for(*codes.shape)
    density.build((None, model.latent_dim))
    fitting.fit_mixture(density, codes, seed)
    # The mean of log q(z) is largest for q itself, so that by a fitted density the
    # divergence comes out too small rather than too large.
    log_q = np.asarray(density.log_prob(test_codes))
    return {"marginal_kl": mean(log_q - model.log_prior(test_codes))}


def _nothing_to_learn(evidence):
    if evidence.model.conditional:
        return "the labels are known to the encoder"
    if no_labels(evidence):
        return "the data has no labels"
    if len(np.unique(evidence.test.labels)) < 2:
        return "the examples are all of one class"
    if evidence.train is None or not has_labels(evidence.train):
        return "no training examples with labels of these classes to learn from"
    return None


@group(
    method="encode",
    obstacles=(_nothing_to_learn,),
    knn_accuracy=Metric(
        "10-NN accuracy on codes",
        "higher",
        "",
        "How often the classes of the nearest codes are right: whether "
        "what is alike lies together.",
    ),
    logistic_accuracy=Metric(
        "Logistic accuracy on codes",
        "higher",
        "",
        "How often a linear classifier on codes is right: whether classes "
        "lie on different sides.",
    ),
)
def probes(evidence: Evidence) -> dict[str, Estimate]:
    model, test = evidence.model, evidence.test
    train = subset(evidence.train, _PROBED, evidence.seed)
    codes, test_codes = (
        check_finite("codes", model.encode(part.batches(batch_size=250)))
        for part in (train, test)
    )
    accuracies = metrics.probe(codes, train.labels, test_codes, test.labels)
    return {name: share(value, len(test)) for name, value in accuracies.items()}
