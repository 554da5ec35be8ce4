"""Starts TensorFlow with its chatter kept off the screen.

Its C++ side writes to the file descriptor before any log level holds. Who sets
TF_CPP_MIN_LOG_LEVEL to 0 or 1 sees it all.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kgen.parallel import strategies

if TYPE_CHECKING:
    import tensorflow as tf


def start_tensorflow(
    strategy: str | None = None, devices: int | None = None
) -> "tf.distribute.Strategy":
    """Imports TensorFlow, and makes the strategy and the devices.

    Args:
        strategy: As in `kgen.parallel.strategies.check`.
        devices: As in `kgen.parallel.strategies.check`.

    Returns:
        The strategy of that name, which must be the first to use TensorFlow.
    """
    with quiet():
        import tensorflow as tf

    with strategies.watched(strategy), quiet():
        made = strategies.create(strategy, devices)
        tf.config.list_physical_devices()
        tf.constant(0)  # the devices are made now
    return made


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within it, TensorFlow may be imported and says nothing."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") in ("0", "1"):
        yield
        return
    with silenced(2):
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        yield


@contextlib.contextmanager
def silenced(descriptor: int) -> Iterator[None]:
    """Within it, what is written to a file descriptor is lost."""
    kept = os.dup(descriptor)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nothing)
