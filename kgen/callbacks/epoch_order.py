"""Shuffles the data of each epoch by the number of the epoch."""

import keras
import tensorflow as tf

from kgen import data


class EpochOrder(keras.callbacks.Callback):
    """Shuffles the data of each epoch by its number, also after a resume.

    With it, `fit(initial_epoch=3)`, or a `BackupAndRestore` that starts at
    epoch 3, sees the batches that an uninterrupted training would have seen.

    Args:
        dataset: What `kgen.data.load` returned and `fit` gets.
    """

    def __init__(self, dataset: tf.data.Dataset):
        super().__init__()
        self.dataset = dataset

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        data.set_epoch(self.dataset, epoch)
