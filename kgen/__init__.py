"""kgen: generative models in Keras, to train, judge, tune and export.

The public names, which are those of `__init__.pyi`, are resolved when they are
used, so that the command line answers before TensorFlow is loaded.
"""

import os
import platform
import sys

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# TensorFlow uses oneDNN's kernels unasked only on processors with AVX-512, and they
# are up to twice as fast on others, too. It reads this when it is imported.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

if "keras" in sys.modules:
    # Then nothing is lost, and `keras.saving.load_model` finds the classes.
    from kgen import metrics, models  # noqa: F401
