"""The PyTorch side of folders.py: epochs on demand, in its own environment.

For each line on standard input it passes once over a folder's pictures, shuffled, and
answers with the seconds and the mean of all values.
"""

import pathlib
import sys
import time

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

BATCH = 128
WORKERS = 2


class Pictures(Dataset):
    def __init__(self, folder):
        self.paths = sorted(
            str(path) for path in pathlib.Path(folder).iterdir()
        )

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            pixels = np.array(image.convert("RGB"))
        return torch.from_numpy(pixels)


def main():
    loader = DataLoader(
        Pictures(sys.argv[1]),
        batch_size=BATCH,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    for _ in sys.stdin:
        start, total, count = time.perf_counter(), 0.0, 0
        for batch in loader:
            batch = batch.permute(0, 3, 1, 2).float() / 255
            total += batch.mean().item() * len(batch)
            count += len(batch)
        print(time.perf_counter() - start, total / count, flush=True)


if __name__ == "__main__":
    main()
