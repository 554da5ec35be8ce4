"""The contender kgen of speed.py: the kgen of a folder, in a process of its own."""

import sys

import numpy as np
import speed_cases
import speed_process

STEPS = 14  # of an epoch


def build(case, variant, folder):
    import speed_kgen  # which imports kgen, from the folder

    case = speed_cases.CASES[case]
    shape = (STEPS * case.batch, *case.shape)
    images = np.random.default_rng(0).integers(0, 256, size=shape)
    return speed_kgen.Kgen(case, images.astype("uint8"))


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    speed_process.serve("kgen", build, sys.argv[1])
