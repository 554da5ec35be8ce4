"""What all tests need."""

import os
import tempfile

# TFDS reads it when it is imported; no test writes into the user's own folder.
_TFDS = tempfile.TemporaryDirectory(prefix="kgen-tfds-")
os.environ["TFDS_DATA_DIR"] = _TFDS.name
# Nor into the user's own cache; a classifier of digits is trained once for all.
_CACHE = tempfile.TemporaryDirectory(prefix="kgen-cache-")
os.environ["KGEN_CACHE"] = _CACHE.name
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_unconfigure():
    _TFDS.cleanup()
    _CACHE.cleanup()
