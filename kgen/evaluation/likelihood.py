"""Bounds on log p(x)."""

from kgen import metrics
from kgen.evaluation.estimates import Estimate
from kgen.evaluation.evidence import Evidence
from kgen.evaluation.groups import NATS, Metric, group, too_few

_BOUNDED = 5_000  # test examples at most whose log p(x) is estimated


@group(
    method="log_likelihood",
    obstacles=(too_few(2, "test"),),
    log_likelihood=Metric(
        "log p(x)",
        "higher",
        NATS,
        "How likely the model finds unseen examples, by importance samples; "
        "in expectation from below; of 5,000 test examples at most. "
        "Comparable among models of the same data; probabilities of pixels "
        "that are 0 or 1 do not compare with densities.",
    ),
    elbo=Metric(
        "ELBO",
        "higher",
        NATS,
        "A lower bound on log p(x), with the prior that samples are drawn from; "
        "after `fit_prior`, this is the fitted density. How far it is below "
        "log p(x) is what the approximate posterior costs.",
    ),
    kl=Metric(
        "KL (rate)",
        None,
        NATS,
        "What the code tells of an example beyond the prior. Near 0, the "
        "decoder ignores the code.",
    ),
    reconstruction=Metric(
        "Reconstruction (distortion)",
        None,
        NATS,
        "-E log p(x|z): what is lost on the way through the code. The ELBO "
        "is minus the sum of rate and distortion.",
    ),
    effective_sample_size=Metric(
        "Effective sample size",
        None,
        "importance samples",
        "How many of the importance samples count. Near 1, log p(x) is "
        "still far below its true value.",
    ),
)
def bounds(evidence: Evidence) -> dict[str, Estimate]:
    batches = evidence.batches(
        _BOUNDED, batch_size=128, seed=0, binarize=evidence.binarize
    )
    by_name = metrics.bounds(
        evidence.model,
        batches,
        num_samples=evidence.importance_samples,
        seed=evidence.seed,
    )
    return {name: Estimate(**bound) for name, bound in by_name.items()}
