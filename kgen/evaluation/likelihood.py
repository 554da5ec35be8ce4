"""Bounds on log p(x)."""

from kgen import metrics
from kgen.evaluation.figures import NATS, Figure, Group, Metric, too_few

_BOUNDED = 5_000  # test examples at most whose log p(x) is estimated


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
        name: Figure(one["value"], one["standard_error"], each=one["each"])
        for name, one in found.items()
    }


BOUNDS = Group(
    {
        "log_likelihood": Metric(
            "log p(x)",
            "higher",
            NATS,
            "How likely the model finds unseen examples, by importance samples; "
            "in expectation from below; of 5,000 test examples at most. "
            "Comparable among models of the same data; probabilities of pixels "
            "that are 0 or 1 do not compare with densities.",
        ),
        "elbo": Metric(
            "ELBO",
            "higher",
            NATS,
            "The bound on log p(x) that training raises; how far it is below "
            "log p(x) is what the approximate posterior costs.",
        ),
        "kl": Metric(
            "KL (rate)",
            None,
            NATS,
            "What the code tells of an example beyond the prior. Near 0, the "
            "decoder ignores the code.",
        ),
        "reconstruction": Metric(
            "Reconstruction (distortion)",
            None,
            NATS,
            "-E log p(x|z): what is lost on the way through the code. The ELBO "
            "is minus the sum of rate and distortion.",
        ),
        "effective_sample_size": Metric(
            "Effective sample size",
            None,
            "importance samples",
            "How many of the importance samples count. Near 1, log p(x) is "
            "still far below its true value.",
        ),
    },
    "log_likelihood",
    _bounds,
    lambda evidence: too_few(evidence.test, 2),
)
