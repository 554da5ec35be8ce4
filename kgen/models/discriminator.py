"""What a discriminator says of examples, and the penalties on its gradient."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from kgen.losses import AdversarialLoss, Penalty
from kgen.losses.penalties import listed
from kgen.networks.common import layer_output
from kgen.parallel import replicas


def have_same_settings(
    layer: keras.layers.Layer, other: keras.layers.Layer
) -> bool:
    """Whether two layers are the same but for their names and their state."""
    configs = [{**x.get_config(), "name": None} for x in (layer, other)]
    return type(layer) is type(other) and configs[0] == configs[1]


def network_inputs(x: tf.Tensor, labels: tf.Tensor | None) -> Any:
    """The inputs of a network: x, and the labels if there are any."""
    return x if labels is None else [x, labels]


class DiscriminatorOutputs(NamedTuple):
    """What a discriminator says of examples.

    Args:
        logits: Of shape `(batch / pack, 1)`: above 0 where they look real.
        features: What it sees in them, or None.
        regularization: The sum of its regularizers.
    """

    logits: tf.Tensor
    features: tf.Tensor | None = None
    regularization: tf.Tensor | float = 0.0


class DiscriminatorLosses(NamedTuple):
    """Means over a batch; `loss` is the sum of the three losses after it.

    `levels` are the mean logits of real and of generated examples, and the mean sign of
    the real ones; None unless LeCam or an augmentation needs them.
    """

    loss: tf.Tensor
    discriminator_loss: tf.Tensor
    penalty: tf.Tensor | float
    regularization_loss: tf.Tensor | float
    real_probability: tf.Tensor
    fake_probability: tf.Tensor
    levels: tf.Tensor | None = None


class Judged(NamedTuple):
    """A penalty, and the points at which it judges the gradient."""

    penalty: Penalty
    points: tf.Tensor


def judged(
    penalty: Penalty | list[Penalty] | None,
    real: tf.Tensor,
    fakes: Sequence[tf.Tensor],
    seed: keras.random.SeedGenerator,
) -> list[Judged]:
    """The points of penalties; at generated examples, those of each kind.

    Args:
        penalty: One, several or none.
        real: Real examples, as the discriminator sees them.
        fakes: As many generated ones, for each kind.
        seed: What points are drawn by.
    """
    found = []
    for each in listed(penalty):
        points = each.points(real, fakes[0], seed)
        kinds = fakes if points is fakes[0] else [points]
        found += [Judged(each, points) for points in kinds]
    return found


def penalised(
    discriminate: Callable[[tf.Tensor], DiscriminatorOutputs],
    examples: Sequence[tf.Tensor],
    penalties: Sequence[Judged],
    is_due: tf.Tensor | None = None,
    every: int = 1,
) -> tuple[list[DiscriminatorOutputs], tf.Tensor | float]:
    """The outputs for examples, and the sum of penalties; 0.0 without any.

    Where the points of a penalty are examples, as those of R1 and R2 are, one run
    on them serves for both, unless the penalties are not always due.

    Args:
        discriminate: The discriminator.
        examples: What it is asked about.
        penalties: What `judged` returned.
        is_due: None; or whether there are penalties, once in `every` updates.
        every: What they are then multiplied by.
    """
    if penalties and is_due is not None:
        if replicas.count() > 1:  # they can't communicate in a branch
            found, penalty = penalised(discriminate, examples, penalties)
            return found, tf.where(is_due, every * penalty, 0.0)
        penalty = tf.cond(
            is_due,
            lambda: every * penalised(discriminate, [], penalties)[1],
            lambda: tf.zeros(()),
        )
        return penalised(discriminate, examples, [])[0], penalty
    points = {id(each.points): each.points for each in penalties}
    known = set(map(id, examples))
    others = [x for key, x in points.items() if key not in known]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(points.values()))
        outputs = {id(x): discriminate(x) for x in [*others, *examples]}
        # The gradient of the sum by an example is that of its own logit. (With
        # `MinibatchStdDev`, it has the example's effect on others' logits, too.)
        scores = [ops.sum(outputs[key].logits) for key in points]
    found = [outputs[id(x)] for x in examples]
    if not points:
        return found, 0.0
    gradients = tape.gradient(scores, list(points.values()))
    gradients = dict(zip(points, gradients))
    values = [each.penalty(gradients[id(each.points)]) for each in penalties]
    return found, sum(values[1:], start=values[0])


def levels_of(
    loss: AdversarialLoss, real: tf.Tensor, fakes: Sequence[tf.Tensor]
) -> tf.Tensor:
    """The mean logits of real and of generated examples, and the mean sign.

    The sign is that of real logits' distance from the loss's `level`; where only
    differences count, from the middle of the two means.

    Args:
        loss: What tells the level.
        real: Logits of real examples.
        fakes: Those of each kind of generated ones.

    Returns:
        Tensor of three numbers.
    """
    of_real = replicas.mean(real)
    of_fakes = sum(replicas.mean(fake) for fake in fakes) / len(fakes)
    level = loss.level(len(fakes))
    if level is None:
        level = 0.5 * (of_real + of_fakes)
    sign = replicas.mean(ops.sign(real - level))
    return ops.stack([of_real, of_fakes, sign])


def with_features(
    discriminator: keras.Model, layer: str, owner: str
) -> Callable:
    """A function of a discriminator's inputs, to its logits and features.

    It is no network: one that is an attribute is saved, and the discriminator's
    layers would be saved twice.

    Args:
        discriminator: The network.
        layer: Name of the layer whose output the features are.
        owner: Whose argument `feature_layer` is, for messages.
    """
    features = layer_output(discriminator, layer, "feature_layer", owner)
    outputs = [discriminator.outputs[0], features]
    network = keras.Model(discriminator.inputs, outputs)
    return lambda x, **kwargs: network(x, **kwargs)
