"""One of several workers: `python -m tests.models.worker FILE CASE ...`.

It trains cases of `test_mirrored`, and the chief writes what came of them.
Without TF_CONFIG it trains by three replicas.
"""

import os
import sys

import numpy as np
import tensorflow as tf

if "TF_CONFIG" in os.environ:
    STRATEGY = tf.distribute.MultiWorkerMirroredStrategy()  # before all else
else:
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 3,
    )
    STRATEGY = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1", "CPU:2"])

from kgen.parallel import strategies
from tests.models.test_mirrored import CASES, fitted, inputs


def main(file, *cases):
    """Trains each case and writes its state, its last loss, and predictions."""
    found = {}
    for case in cases:
        model, (_, last), logs = fitted(STRATEGY.scope(), **CASES[case])
        for number, value in enumerate(last):
            found[f"{case} {number}"] = value
        found[f"{case} loss"] = np.array(logs["loss"] + logs["val_loss"])
        found[f"{case} predicted"] = model.predict(inputs(model), verbose=0)
    if strategies.is_chief(STRATEGY):
        np.savez(file, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
