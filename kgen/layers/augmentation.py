"""Augmentation of all that a discriminator sees in training."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.layers.transformations import TRANSFORMATIONS
from kgen.parallel import replicas
from kgen.params import (
    Count,
    Each,
    Named,
    Number,
    Options,
    checked,
    resolve,
)

_POLICY = Each(
    Options(TRANSFORMATIONS),
    f"names of transformations, of {', '.join(TRANSFORMATIONS)}",
)
# How many updates of the discriminator there are for one of the strength.
_UPDATES = 4.0


class Augmentation(keras.layers.Layer):
    """Base of the augmentations of pictures.

    Real and generated pictures are changed by draws of one law before the
    discriminator sees them, in its own update and in the generator's, to which the
    gradient passes through. So the generator learns pictures that are not changed,
    although the discriminator never sees one twice. Penalties judge the gradient at
    the changed pictures. A subclass implements `choose`.

    It is a layer, so that its state is saved with the model.

    Args:
        policy: Names of the transformations, in their order: `"color"`
            (brightness, saturation, contrast), `"translation"` (up to 1/8 of the
            sides), `"cutout"` (a hole of half the sides), `"flip"` (left to
            right), `"affine"` (turned by any angle, 0.8 to 1.25 times as large).
    """

    # How many uniform draws `choose` needs for each transformation.
    extra_draws = 0

    @checked(policy=_POLICY)
    def __init__(self, policy: Sequence[str], **kwargs: Any) -> None:
        if not policy:
            expected = "at least one transformation"
            raise invalid("policy", type(self).__name__, expected, policy)
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.policy = policy
        self.built = True

    def draw(
        self, count: int | Tensor, seed: keras.random.SeedGenerator
    ) -> Any:
        """What `augment` takes: draws in [0, 1), a row for each picture.

        Args:
            count: How many pictures.
            seed: `keras.random.SeedGenerator`.
        """
        return replicas.uniform((count, self._width), seed)

    @property
    def _width(self):
        """How many draws there are for each picture."""
        own = (TRANSFORMATIONS[name].draws for name in self.policy)
        return sum(own) + self.extra_draws * len(self.policy)

    def augment(self, x: Tensor, draws: Tensor) -> Tensor:
        """Changes pictures.

        Args:
            x: Pictures in [0, 1], of shape `(batch, height, width, channels)`.
            draws: What `draw` returned for so many.

        Returns:
            Tensor of the shape of x.
        """
        draws = draws[:, :, None, None, None]
        columns = iter(tf.unstack(draws, self._width, axis=1))
        for name in self.policy:
            change = TRANSFORMATIONS[name]
            own = [next(columns) for _ in range(change.draws)]
            x = self.choose(change.apply(x, own), x, columns)
        return x

    def choose(
        self, changed: Tensor, x: Tensor, draws: Iterator[Tensor]
    ) -> Tensor:
        """Of each picture the changed one, or the one before.

        Args:
            changed: Pictures after one transformation.
            x: The same before it.
            draws: Of which `extra_draws` are for this.
        """
        raise NotImplementedError

    def follow(self, rate: Tensor, examples: Tensor) -> None:
        """Moves the strength on after an update of the discriminator, if it can.

        Args:
            rate: The mean sign of the real examples' logits.
            examples: How many real examples there were.
        """

    def load_own_variables(self, store: Any) -> None:
        """Loads the state; a file that lacks it leaves it as it is."""
        if store.keys():
            super().load_own_variables(store)

    def get_config(self) -> dict:
        return {**super().get_config(), "policy": list(self.policy)}


@keras.saving.register_keras_serializable(package="kgen")
class DiffAugment(Augmentation):
    """Changes every picture by each transformation.

    With `"flip"`, mirrored pictures are as frequent as others, and with `"affine"`
    all angles are, so that generated pictures may be mirrored or turned as well.
    `AdaptiveAugment` changes only a part of the pictures, which avoids this.

    Args:
        policy: As in `Augmentation`.

    Example:

        gan.compile(augmentation="diffaugment")
        gan.compile(augmentation=kgen.layers.DiffAugment(["translation"]))

    References:
        Zhao et al. (2020), Differentiable augmentation for data-efficient GAN
        training, arXiv 2006.10738.
    """

    def __init__(
        self,
        policy: Sequence[str] = ("color", "translation", "cutout"),
        **kwargs: Any,
    ) -> None:
        super().__init__(policy, **kwargs)

    def choose(
        self, changed: Tensor, x: Tensor, draws: Iterator[Tensor]
    ) -> Tensor:
        return changed


@keras.saving.register_keras_serializable(package="kgen")
class AdaptiveAugment(Augmentation):
    """Changes pictures with a probability that follows the overfitting.

    Each transformation of each picture takes place with the probability
    `strength`, which starts from 0. Every four updates of the discriminator, it is
    raised by `n / examples` if r is above `target`, and else lowered by as much; n is
    the number of real examples in these updates. r = E[sign(D(x) - c)] over these
    examples: it comes near 1 where the discriminator knows the examples by heart. c is
    the best logit where real and generated examples look the same, which is 0 for most
    losses of a GAN. Where only differences of logits count, as in relativistic losses,
    it is the middle of the mean real and the mean generated one.

    Args:
        policy: As in `Augmentation`.
        target: Of r, from 0 to 1.
        examples: In how many real examples the strength can go from 0 to 1.
        highest: The largest strength. Beyond 0.8, changes such as mirroring begin
            to leak into what is generated.

    Attributes:
        strength: The probability, a weight of the layer.

    Example:

        gan.compile(augmentation="adaptive")
        gan.compile(augmentation="adaptive:flip,color:0.6:100000")

    References:
        Karras et al. (2020), Training generative adversarial networks with limited
        data, arXiv 2006.06676, sections 2.2 and 3.
    """

    extra_draws = 1

    @checked(
        target=Number(maximum=1.0),
        examples=Count(),
        highest=Number(maximum=1.0),
    )
    def __init__(
        self,
        policy: Sequence[str] = ("flip", "affine", "translation", "color"),
        target: float = 0.6,
        examples: int = 500_000,
        highest: float = 0.8,
        **kwargs: Any,
    ) -> None:
        super().__init__(policy, **kwargs)
        self.target = target
        self.examples = examples
        self.highest = highest
        self.strength = self._state((), "strength")
        # Since the last step of the strength: the sum of the examples' signs, the
        # number of examples, and that of updates.
        self.sums = self._state((3,), "sums")

    def _state(self, shape, name):
        return self.add_weight(
            shape=shape, initializer="zeros", trainable=False, name=name
        )

    def choose(
        self, changed: Tensor, x: Tensor, draws: Iterator[Tensor]
    ) -> Tensor:
        return tf.where(next(draws) < self.strength.value, changed, x)

    def follow(self, rate: Tensor, examples: Tensor) -> None:
        sums = self.sums.value + ops.stack([rate * examples, examples, 1.0])
        signs, seen, updates = ops.unstack(sums, 3)
        is_due = updates >= _UPDATES
        step = ops.sign(signs / seen - self.target) * seen / self.examples
        strength = ops.clip(self.strength.value + step, 0.0, self.highest)
        self.strength.assign(ops.where(is_due, strength, self.strength.value))
        self.sums.assign(ops.where(is_due, 0.0, sums))

    def get_config(self) -> dict:
        names = ("target", "examples", "highest")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own}


def _diff_augment(*policy):
    return DiffAugment(*(text.split(",") for text in policy))


def _adaptive(policy=None, target=0.6, examples=500_000):
    given = {} if policy is None else {"policy": policy.split(",")}
    return AdaptiveAugment(**given, target=target, examples=examples)


AUGMENTATIONS = {
    "diffaugment": Named(_diff_augment, ("", "POLICY")),
    "adaptive": Named(
        _adaptive, ("", "POLICY", "POLICY:TARGET", "POLICY:TARGET:EXAMPLES")
    ),
}


def get(
    identifier: Augmentation | str | None,
    shape: Sequence[int],
    owner: str = "GAN.compile",
) -> Augmentation | None:
    """Turns a name into an augmentation.

    Args:
        identifier: An `Augmentation`, None, or a name, which the transformations
            may follow: `"diffaugment"`, `"diffaugment:color,cutout"`,
            `"adaptive"`; and of the last the target and the number of examples:
            `"adaptive:flip,color:0.6:100000"`.
        shape: Of one example.
        owner: Whose argument it is, for the message.

    Returns:
        An `Augmentation`, or None.

    Raises:
        InvalidArgument: If the name is unknown, a value is out of range, or the
            examples are no pictures.
    """
    if identifier is None:
        return None
    if not isinstance(identifier, Augmentation):
        identifier = resolve("augmentation", owner, AUGMENTATIONS, identifier)
    if len(shape) != 3:
        expected = (
            f"None for examples of shape {tuple(shape)}: augmentation is for "
            "pictures, of shape (height, width, channels)"
        )
        raise invalid(
            "augmentation", owner, expected, type(identifier).__name__
        )
    return identifier
