"""Adam by TensorFlow's fused kernel."""

import keras
import tensorflow as tf
from keras import ops

from kgen.errors import build_or_refuse, check_number, invalid, unknown_name


@keras.saving.register_keras_serializable(package="kgen")
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`, with each weight updated in one pass.

    The same arguments, state and update; where Keras runs about ten small
    operations over a weight's memory, this runs TensorFlow's one. What the
    kernel does not know (`amsgrad`, sparse gradients) is left to Keras.

    It is what `compile(optimizer="adam")` means for kgen's models; an optimizer
    object is used as it is.

    References:
        Kingma & Ba (2015), arXiv 1412.6980, the end of section 2.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable by its gradient."""
        if self.amsgrad or not isinstance(gradient, tf.Tensor):
            return super().update_step(gradient, variable, learning_rate)
        dtype = variable.dtype
        step = ops.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = (
            ops.cast(self.beta_1, dtype),
            ops.cast(self.beta_2, dtype),
        )
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=ops.power(beta_1, step),
            beta2_power=ops.power(beta_2, step),
            lr=ops.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=ops.cast(self.epsilon, dtype),
            grad=ops.cast(gradient, dtype),
        )


# Classes beside the optimizers, which wrap or collect them.
_NOT_BY_NAME = {
    "Optimizer",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "OptimizerMap",
}


def by_name():
    """The classes of optimizers by the names that `get` takes.

    Of Keras's, those that it has itself: not all have a name in Keras.
    """
    found = {
        attribute.lower(): value
        for attribute, value in vars(keras.optimizers).items()
        if isinstance(value, type) and attribute not in _NOT_BY_NAME
    }
    return {**found, "adam": Adam}


def get(identifier, argument="optimizer", owner="compile"):
    """Turns a name into an optimizer, once, at the border.

    Args:
        identifier: A Keras optimizer or its config, or a name such as `"adam"`
            (kgen's own) or `"sgd"`; a learning rate may follow, and Adam's
            beta_1 and beta_2: `"adam:0.0005"`, `"adam:0.0002:0.5"`.
        argument: The name that messages use.
        owner: Whose argument it is.

    Returns:
        A Keras optimizer.
    """
    if isinstance(identifier, (keras.optimizers.Optimizer, dict)):
        found = build_or_refuse(
            argument,
            owner,
            "a Keras optimizer, its config or its name",
            keras.optimizers.get,
            identifier,
        )
        _check_strategy(found, argument, owner)
        return found
    if not isinstance(identifier, str):
        raise invalid(
            argument, owner, "a Keras optimizer or a name", identifier
        )
    name, *numbers = identifier.lower().split(":")
    known = by_name()
    if name not in known:
        raise unknown_name(argument, owner, known, identifier)
    optimizer = known[name]()
    if len(numbers) > (3 if hasattr(optimizer, "beta_1") else 1):
        raise invalid(
            argument,
            owner,
            f'"{name}:LEARNING_RATE", and betas for Adam',
            identifier,
        )
    numbers = [check_number(argument, owner, text) for text in numbers]
    for attribute, number in zip(
        ("learning_rate", "beta_1", "beta_2"), numbers
    ):
        if attribute != "learning_rate" and number >= 1:
            raise invalid(argument, owner, "betas below 1", identifier)
        setattr(optimizer, attribute, number)
    return optimizer


def _check_strategy(optimizer, argument, owner):
    strategy = tf.distribute.get_strategy()
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if inner._distribution_strategy is not strategy:
        raise invalid(
            argument,
            owner,
            "an optimizer that was made in the strategy's scope, or a name",
            optimizer.name,
        )
    replicas = strategy.num_replicas_in_sync
    if inner.gradient_accumulation_steps and replicas > 1:
        raise invalid(
            argument,
            owner,
            f"one without gradient_accumulation_steps for {replicas} replicas: a "
            "larger batch does as well",
            optimizer.name,
        )


def of_player(identifier, policy, argument, owner):
    """An optimizer for one of several players.

    Where half precision needs it, it scales its loss, as Keras does for the
    first one.

    Args:
        identifier: As in `get`.
        policy: A model's dtype policy.
        argument: The name that messages use.
        owner: Whose argument it is.

    Returns:
        A Keras optimizer.

    Raises:
        InvalidArgument: If it averages weights itself, which Keras allows for
            an optimizer of all of a model's weights only.
    """
    optimizer = get(identifier, argument, owner)
    is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    inner = optimizer.inner_optimizer if is_scaled else optimizer
    if inner.use_ema:
        raise invalid(
            argument,
            owner,
            "one without use_ema: the argument ema_decay of `compile` averages "
            "the generator's weights",
            identifier,
        )
    if policy.name == "mixed_float16" and not is_scaled:
        return keras.optimizers.LossScaleOptimizer(optimizer, name="scaled")
    return optimizer


def another(optimizer):
    """A new optimizer with the settings of one, for other variables."""
    return type(optimizer).from_config(optimizer.get_config())
