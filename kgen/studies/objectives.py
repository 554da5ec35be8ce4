"""What a study may be judged by: figures that compare across its space."""

import dataclasses

from kgen import registry
from kgen.errors import InvalidArgument, invalid, unknown_name
from kgen.evaluation import METRICS, measures
from kgen.hypermodels import HyperModel
from kgen.losses import likelihoods
from kgen.models.adversarial import Adversarial
from kgen.models.base import GenerativeModel

# The options that change the meaning of a log or metric, by its name. A study that
# searches one of these options can't be judged by it.
_PARTS = {"corruption", "density", "divergence", "free_bits"} | {
    "importance_samples",
    "kl_weight",
    "likelihood",
    "threshold",
}
_CHANGES = {
    "loss": _PARTS
    | {"discriminative_weight", "kernel_regularizer", "unlabelled_weight"},
    "generative_loss": _PARTS,
    "reconstruction_loss": _PARTS,
    "kl_loss": _PARTS,
    "kl": _PARTS,
    "regularization_loss": {"kernel_regularizer"},
    "reconstruction": _PARTS,
    "denoised_psnr": {"corruption"},
    "mse": {"corruption"},
    "elbo": {"density", "likelihood", "threshold"},
    "log_likelihood": {"density", "likelihood", "threshold"},
    "log_prob": {"density", "likelihood", "threshold"},
}
# These are in nats of a density of x, whichever likelihood it has.
_OF_DENSITIES = {"elbo", "log_likelihood", "log_prob"}
_DIRECTIONS: dict[str | None, str] = {"lower": "min", "higher": "max"}


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a study minimises or maximises.

    Args:
        name: As in the logs of `fit`: `val_` and the figure's name.
        direction: `"min"` or `"max"`.
        is_log: Whether the model's `test_step` gives it; else it is one of
            `kgen.evaluation.METRICS`.
    """

    name: str
    direction: str
    is_log: bool

    @property
    def figure(self) -> str:
        """The name without `val_`."""
        return self.name.removeprefix("val_")

    def is_better(self, value: float, other: float | None) -> bool:
        """Whether one value is better than another, or there is no other."""
        if other is None:
            return True
        return value < other if self.direction == "min" else value > other


def find(
    name: str,
    direction: str | None,
    hypermodel: HyperModel,
    model: GenerativeModel,
    owner: str,
) -> Objective:
    """The objective that a study names, if it means something in its space.

    Args:
        name: Such as `"val_elbo"`.
        direction: `"min"`, `"max"`, or None for the figure's own.
        hypermodel: The study's.
        model: One of its models.
        owner: The study's name, for messages.

    Raises:
        InvalidArgument: If there is no such figure, it has no best value, or it
            doesn't compare across what is searched.
    """
    logs = [log for metric in model.metrics for log in metric.names]
    known = [f"val_{figure}" for figure in dict.fromkeys([*logs, *METRICS])]
    if name not in known:
        raise unknown_name("objective", owner, known, name)
    figure = name.removeprefix("val_")
    _check_comparable(figure, model, hypermodel, logs, owner)
    if figure not in logs:
        _check_possible(figure, model, hypermodel, owner)
    if figure in METRICS:
        best = _DIRECTIONS.get(METRICS[figure].better)
    else:
        best = "min" if figure.endswith("loss") else None
    if None not in (best, direction) and best != direction:
        raise invalid(
            "direction", owner, f'"{best}" for {name}', repr(direction)
        )
    if best is None:
        raise InvalidArgument(
            f"{owner}: {name} has no best value, high or low. "
            f"{_instead(hypermodel)}"
        )
    return Objective(name, best, figure in logs)


def _check_possible(figure, model, hypermodel, owner):
    (group,) = (g for g in measures.GROUPS if figure in g.metrics)
    if not group.suits(model):
        raise InvalidArgument(
            f"{owner}: val_{figure} can't be computed: {group.misfit(model)}. "
            f"{_instead(hypermodel)}"
        )


def _instead(hypermodel):
    return f"Take {registry.MODELS[hypermodel.model].objective}."


def _check_comparable(figure, model, hypermodel, logs, owner):
    of_players = isinstance(model, Adversarial) and figure not in METRICS
    if of_players and figure in logs:
        raise InvalidArgument(
            f"{owner}: val_{figure} can't be compared between trials: it tells "
            "how the players stand against each other, not what the samples "
            f"are worth. {_instead(hypermodel)}"
        )
    searched = hypermodel.space.searched
    changed = sorted(_CHANGES.get(figure, set()) & set(searched))
    if figure in _OF_DENSITIES and changed == ["likelihood"]:
        if _are_comparable(searched["likelihood"]):
            changed = []
    if changed:
        them = "them" if len(changed) > 1 else "it"
        raise InvalidArgument(
            f"{owner}: val_{figure} can't be compared between trials: what it "
            f"measures changes with {' and '.join(changed)}, and the space "
            f"searches {them}. Fix {them}, or take another objective. "
            f"{_instead(hypermodel)}"
        )


def _are_comparable(parameter):
    """Whether likelihoods are all of pixels that are 0 or 1, or none of them."""
    found = (likelihoods.get(x, losses=True) for x in parameter.probes())
    return len({likelihood.bits for likelihood in found}) == 1
