"""Runs: all that reads or writes the directory of a training.

The names, which are those of `__init__.pyi`, are imported when they are used, so
that listing runs does not wait for TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
