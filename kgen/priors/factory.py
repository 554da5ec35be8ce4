"""Priors and flows by their names."""

from kgen.params import Named, resolve
from kgen.priors.base import Prior
from kgen.priors.flow import FlowPrior
from kgen.priors.flows import Flow
from kgen.priors.mixture import MixturePrior
from kgen.priors.normal import NormalPrior
from kgen.priors.vamp import VampPrior

PRIORS = {
    "normal": Named(NormalPrior),
    "mixture": Named(MixturePrior, ("COMPONENTS",)),
    "vamp": Named(VampPrior, ("PSEUDO_INPUTS",)),
    "flow": Named(FlowPrior, ("LAYERS",)),
}
POSTERIORS = {
    "gaussian": Named(lambda: None),
    "flow": Named(Flow, ("LAYERS",)),
}


def get(identifier: Prior | str, owner: str = "VAE") -> Prior:
    """Turns a name into a prior.

    Args:
        identifier: A `Prior`, or one of `"normal"`, N(0, I); `"mixture:10"`, as
            many Gaussians; `"vamp:500"`, the posteriors of as many
            pseudo-inputs; `"flow:4"`, as many coupling layers.
        owner: Whose argument it is, for the message.

    Returns:
        A `Prior`.

    Raises:
        InvalidArgument: If the name is unknown or the number can't be used.
    """
    if isinstance(identifier, Prior):
        return identifier
    return resolve("prior", owner, PRIORS, identifier)


def get_flow(identifier: Flow | str | None, owner: str = "VAE") -> Flow | None:
    """Turns the name of a posterior into the flow behind its Gaussian.

    Args:
        identifier: `"gaussian"` or None, for no flow; `"flow:4"`, one of as many
            coupling layers; or a `Flow`.
        owner: Whose argument it is, for the message.

    Returns:
        A `Flow`, or None.

    Raises:
        InvalidArgument: If the name is unknown or the number can't be used.
    """
    if identifier is None or isinstance(identifier, Flow):
        return identifier
    return resolve("posterior", owner, POSTERIORS, identifier)
