"""Paths from one point of a latent space to another."""

import numpy as np


def between(
    z1: np.ndarray, z2: np.ndarray, steps: int, path: str
) -> np.ndarray:
    """Points on the paths from codes to others.

    Args:
        z1: Array of shape `(n, latent_dim)`.
        z2: Of the same shape.
        steps: How many points, the two ends among them; 2 or more.
        path: A name in `PATHS`.

    Returns:
        Array of shape `(n * steps, latent_dim)`, path by path.
    """
    times = np.linspace(0.0, 1.0, steps, dtype="float32")[:, None]
    z = PATHS[path](z1[:, None], z2[:, None], times)
    return z.reshape(-1, z1.shape[-1])


def _linear(z1, z2, t):
    return (1.0 - t) * z1 + t * z2


def _spherical(z1, z2, t):
    """An arc from one direction to the other; the norm changes linearly.

    For codes of one norm this is White's formula. That formula divides by the
    sine of the angle, and leaves the range of the two norms where the codes are
    nearly opposite and their norms differ, so the direction and the norm are
    interpolated separately here. Codes have float32 precision; the angle needs
    float64, or nearly opposite codes would seem to be opposite.
    """
    one, other = (np.asarray(z, "float64") for z in (z1, z2))
    norm1, norm2 = _norm(one), _norm(other)
    # Zero has no direction, and takes that of the other end.
    start = _unit(np.where(norm1 > 0.0, one, other))
    end = _unit(np.where(norm2 > 0.0, other, one))
    cosine = np.sum(start * end, axis=-1, keepdims=True)
    across = end - cosine * start
    sine = _norm(across)
    angle = np.arctan2(sine, cosine)
    across = np.where(sine > _PARALLEL, across, _perpendicular(start))
    direction = np.cos(t * angle) * start + np.sin(t * angle) * _unit(across)
    z = ((1.0 - t) * norm1 + t * norm2) * direction
    return z.astype(np.result_type(z1, z2))


# Of an angle with a smaller sine, float64 does not tell the direction well.
_PARALLEL = 1e-9


def _norm(z):
    return np.linalg.norm(z, axis=-1, keepdims=True)


def _unit(z):
    norm = _norm(z)
    return z / np.where(norm > 0.0, norm, 1.0)


def _perpendicular(unit):
    """A vector across each unit vector, always the same one for it.

    Between opposite codes there are many arcs, and one has to be chosen. In one
    dimension there is none: the vector is 0, and the path leads through 0.
    """
    axis = np.argmin(np.abs(unit), axis=-1)
    axis = np.eye(unit.shape[-1])[axis]
    return axis - np.sum(axis * unit, axis=-1, keepdims=True) * unit


PATHS = {"spherical": _spherical, "linear": _linear}
