"""Ways from one point of a latent space to another."""

import numpy as np

from kgen.errors import check_int, check_name, invalid


def check_way(owner, steps, path):
    """Raises unless ways can have `steps` points on a `path` of this name.

    Args:
        owner: Name of the method, for messages.
        steps: How many points, the two ends among them; 2 or more.
        path: `"spherical"` or `"linear"`.
    """
    if check_int("steps", owner, steps) < 2:
        raise invalid("steps", owner, "2 or more", steps)
    check_name("path", owner, PATHS, path)


def between(z1, z2, steps, path):
    """Points on the ways from codes to others.

    Args:
        z1: Array of shape `(n, latent_dim)`.
        z2: Of the same shape.
        steps: As in `check_way`.
        path: As in `check_way`.

    Returns:
        Array of shape `(n * steps, latent_dim)`, way by way.
    """
    times = np.linspace(0.0, 1.0, steps, dtype="float32")[:, None]
    z = PATHS[path](z1[:, None], z2[:, None], times)
    return z.reshape(-1, z1.shape[-1])


def _linear(z1, z2, t):
    return (1.0 - t) * z1 + t * z2


def _spherical(z1, z2, t):
    norms = [np.linalg.norm(z, axis=-1, keepdims=True) for z in (z1, z2)]
    product = np.maximum(norms[0] * norms[1], 1e-12)
    cosine = np.sum(z1 * z2, axis=-1, keepdims=True) / product
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    # On one line through 0 there is no arc, or no one arc.
    straight = (sine < 1e-4) | (product <= 1e-12)
    sine = np.where(straight, 1.0, sine)
    arc = (np.sin((1.0 - t) * angle) * z1 + np.sin(t * angle) * z2) / sine
    return np.where(straight, _linear(z1, z2, t), arc)


PATHS = {"spherical": _spherical, "linear": _linear}
