"""Peak memory of reading data, as a multiple of the data.

    python benchmarks/memory.py --kinds npy png --megabytes 60 240 960 1600

Each case is a process of its own: it loads the splits train and test of one source
and passes over both, in batches of 16, so that the floats of batches that wait count
for little. From its peak that of the same with 64 pictures is taken away, which is the
interpreter's and its libraries'. Sources above 1 GiB (1,074 MB) are not kept in memory.
The data are in a temporary folder (TMPDIR), pictures of 64x64x3.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

SHAPE = (64, 64, 3)
FEW = 64
PART = 1000  # pictures that are made at a time

# In a process of its own. The peak is that of this program: what `getrusage` tells
# may be the parent's.
CHILD = """
import sys, kgen
splits = ("train", "test")
for dataset in kgen.data.load(sys.argv[1], splits, seed=0, batch_size=16):
    for batch in dataset:
        pass
with open("/proc/self/status") as file:
    print(*[line.split()[1] for line in file if line.startswith("VmHWM")])
"""


def parts(count):
    """Pictures with some structure, uint8, a part at a time."""
    rng = np.random.default_rng(0)
    for start in range(0, count, PART):
        size = min(PART, count - start)
        smooth = rng.integers(0, 224, (size, 9, 9, 3), "uint8").repeat(8, 1)
        smooth = smooth.repeat(8, 2)[:, 4:68, 4:68]
        yield smooth + rng.integers(0, 32, (size, *SHAPE), "uint8")


def write_array(path, count, dtype):
    """A .npy file, of which no more than a part is in memory."""
    array = np.lib.format.open_memmap(path, "w+", dtype, (count, *SHAPE))
    for number, part in enumerate(parts(count)):
        start = number * PART
        part = part if dtype == "uint8" else part / 255
        array[start : start + len(part)] = part
    return path


def npy(folder, count):
    return write_array(folder / "x.npy", count, "uint8"), 1


def npy_float32(folder, count):
    return write_array(folder / "x.npy", count, "float32"), 4


def npy_float64(folder, count):
    return write_array(folder / "x.npy", count, "float64"), 8


def npz(folder, count):
    path = folder / "x.npz"
    array = np.load(write_array(folder / "x.npy", count, "uint8"), "r")
    np.savez_compressed(path, x=array)
    return path, 1


def idx(folder, count):
    """IDX files, MNIST's format."""
    numbers = b"".join(n.to_bytes(4, "big") for n in (count, *SHAPE))
    with open(folder / "train-images-idx4-ubyte", "wb") as file:
        file.write(b"\0\0\x08\4" + numbers)
        for part in parts(count):
            file.write(part)
    return folder, 1


def png(folder, count):
    """A folder of PNG files, of which one in some is like another."""
    (some,) = parts(PART)
    first = []
    for number in range(count):
        path = folder / f"{number:07}.png"
        if number < PART:
            Image.fromarray(some[number]).save(path)
            first.append(path.read_bytes())
        else:
            path.write_bytes(first[number % PART])
    return folder, 1


KINDS = {
    make.__name__: make
    for make in (npy, npy_float32, npy_float64, npz, idx, png)
}


def peak(source):
    """Megabytes that the process takes at most."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(source)],
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout) * 1024 / 1e6


def measure(kind, count, repeats):
    """Megabytes of data, and the median of the peaks, in megabytes."""
    with tempfile.TemporaryDirectory(prefix="kgen-memory-") as folder:
        source, itemsize = KINDS[kind](pathlib.Path(folder), count)
        peaks = [peak(source) for _ in range(repeats)]
    size = count * int(np.prod(SHAPE)) * itemsize / 1e6
    return size, statistics.median(peaks)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kinds", nargs="+", choices=list(KINDS), default=["npy", "png"]
    )
    parser.add_argument(
        "--megabytes", nargs="+", type=int, default=[60, 240, 960, 1600]
    )
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{'kind':12} {'data MB':>8} {'peak above MB':>14} {'ratio':>6}")
    for kind in arguments.kinds:
        least_size, least = measure(kind, FEW, arguments.repeats)
        bytes_each = least_size * 1e6 / FEW
        for megabytes in arguments.megabytes:
            count = round(megabytes * 1e6 / bytes_each)
            size, most = measure(kind, count, arguments.repeats)
            above = most - least
            print(
                f"{kind:12} {size:8.0f} {above:14.0f} {above / size:6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
