"""The UCI digits as a TensorFlow Datasets builder that downloads nothing."""

import numpy as np
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

_DESCRIPTION = """
1,797 handwritten digits, 8x8 pixels in 17 shades of grey, the test part of the
"Optical Recognition of Handwritten Digits" data set, from scikit-learn's copy.
The shades 0 to 16 are scaled to 0 to 255 and rounded. The split into 1,437
training and 360 test pictures is random, stratified and fixed.
"""

_CITATION = """
@misc{alpaydin1998optical,
  author = {Alpaydin, E. and Kaynak, C.},
  title = {Optical Recognition of Handwritten Digits},
  year = {1998},
  publisher = {UCI Machine Learning Repository},
  doi = {10.24432/C50P49}
}
"""


class Digits(tfds.core.GeneratorBasedBuilder):
    """The UCI digits of scikit-learn; features `image` and `label`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            citation=_CITATION,
            homepage="https://archive.ics.uci.edu/dataset/80",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        digits = load_digits()
        images = np.round(digits.images * (255 / 16)).astype("uint8")[..., None]
        train, test = train_test_split(
            np.arange(len(images)),
            test_size=0.2,
            stratify=digits.target,
            random_state=0,
        )
        return {
            "train": self._generate_examples(images, digits.target, train),
            "test": self._generate_examples(images, digits.target, test),
        }

    def _generate_examples(self, images, labels, index):
        for position in index:
            yield (
                int(position),
                {
                    "image": images[position],
                    "label": int(labels[position]),
                },
            )
