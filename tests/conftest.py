"""What all tests need."""

import ctypes
import gc
import os
import sys
import tempfile

# TFDS reads it when it is imported; no test writes into the user's own folder.
_TFDS = tempfile.TemporaryDirectory(prefix="kgen-tfds-")
os.environ["TFDS_DATA_DIR"] = _TFDS.name
# Nor into the user's own cache; a classifier of digits is trained once for all.
_CACHE = tempfile.TemporaryDirectory(prefix="kgen-cache-")
os.environ["KGEN_CACHE"] = _CACHE.name
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# As users have it who import kgen first, and the command line.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import pytest  # noqa: E402
import tensorflow as tf  # noqa: E402

from kgen.parallel import replicas  # noqa: E402
from tests.export.server import Server  # noqa: E402

# Two devices, for two replicas; all else runs on the first one.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)


@pytest.fixture(scope="module", autouse=True)
def _frees_models():
    """Frees what the tests of a file have made: models, graphs, and the memory."""
    with replicas.frees_graphs():
        yield
    gc.collect()  # models refer to themselves
    if sys.platform == "linux":
        # The allocator would keep freed memory between what is still in use.
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="session")
def strategy():
    """Two mirrored replicas. One for all tests: two strategies' sums would meet."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def server():
    """A process without kgen that runs exports. One for all tests."""
    server = Server()
    yield server
    server.close()


def pytest_unconfigure():
    _TFDS.cleanup()
    _CACHE.cleanup()
