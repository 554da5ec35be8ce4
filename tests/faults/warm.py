"""What each command imports, imported once, in the process that forks them.

Nothing here may run an operation of TensorFlow: its threads don't survive a fork.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib.figure
import scipy.special  # noqa: F401
import sklearn.decomposition
import sklearn.gaussian_process  # noqa: F401
import tensorboard.summary  # noqa: F401
import tensorflow_serving.apis  # noqa: F401

import kgen.cli
import kgen.evaluations
import kgen.exports
import kgen.report
import kgen.runs
import kgen.studies  # noqa: F401

matplotlib.figure.Figure().savefig(os.devnull, format="png")  # reads fonts
