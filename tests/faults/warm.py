"""What the commands import, imported once, in the process that forks them.

Nothing here may run an operation of TensorFlow: its threads don't survive a fork.
"""

import importlib
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

for name in (
    "matplotlib.figure",
    "scipy.special",
    "sklearn.decomposition",
    "sklearn.gaussian_process",
    "sklearn.mixture",
    "tensorboard.summary",
    "tensorflow_serving.apis",
    "kgen.cli",
    "kgen.runs",
    "kgen.runs.evaluation",
    "kgen.runs.export",
    "kgen.runs.fit_prior",
    "kgen.runs.report",
    "kgen.studies",
):
    importlib.import_module(name)

# The first picture is slow: it reads fonts.
importlib.import_module("matplotlib.figure").Figure().savefig(
    os.devnull, format="png"
)
