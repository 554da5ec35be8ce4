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
    strategy_name: str | None = None, devices: int | None = None
) -> "tf.distribute.Strategy":
    """Imports TensorFlow, and makes the strategy and the devices.

    Args:
        strategy_name: As in `kgen.parallel.strategies.check`.
        devices: As in `kgen.parallel.strategies.check`.

    Returns:
        The strategy of that name; making it must be the first to use TensorFlow.
    """
    with quiet():
        import tensorflow as tf

    with strategies.end_if_start_hangs(strategy_name), quiet():
        strategy = strategies.create(strategy_name, devices)
        tf.config.list_physical_devices()
        tf.constant(0)  # the devices are made now
    return strategy


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
    copy = os.dup(descriptor)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    try:
        yield
    finally:
        os.dup2(copy, descriptor)
        os.close(copy)
        os.close(nothing)
