"""Adam by TensorFlow's fused kernel."""

import functools
import inspect

import keras
import tensorflow as tf
from keras import ops

from kgen.errors import invalid
from kgen.params import Built, Named, Number, resolve


@keras.saving.register_keras_serializable(package="kgen")
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`, with each weight updated in one pass.

    The arguments, the state and the update are the same, but where Keras runs
    about ten small operations over a weight's memory, this class runs one of
    TensorFlow's. What that does not support (`amsgrad`, sparse gradients) is
    left to Keras.

    It is what `compile(optimizer="adam")` means for kgen's models; an optimizer
    object is used as it is.

    Each step's learning rate is multiplied by `rate_factor`, a variable that is 1
    unless training lets the rate fall towards its end. It is not saved: who changes
    it knows it from the epoch. Keras's `weight_decay` does not know of it.

    References:
        Kingma & Ba (2015), arXiv 1412.6980, the end of section 2.
    """

    def build(self, variables: list[keras.Variable]) -> None:
        """Makes the state for variables, unless it is there."""
        if not self.built:
            with tf.init_scope():
                # Keras would save a variable of its own with the state.
                self.rate_factor = tf.Variable(1.0, trainable=False)
        super().build(variables)

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: keras.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Updates one variable by its gradient."""
        learning_rate *= tf.cast(self.rate_factor, learning_rate.dtype)
        if self.amsgrad or not isinstance(gradient, tf.Tensor):
            return super().update_step(gradient, variable, learning_rate)
        dtype = variable.dtype
        step = ops.cast(self.iterations + 1, dtype)
        beta_1 = ops.cast(self.beta_1, dtype)
        beta_2 = ops.cast(self.beta_2, dtype)
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


# Classes of `keras.optimizers` that wrap or collect optimizers.
_NOT_BY_NAME = {
    "Optimizer",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "OptimizerMap",
}


def by_name() -> dict[str, type[keras.optimizers.Optimizer]]:
    """The classes of optimizers by the names that `get` takes.

    They are collected from the module `keras.optimizers`, since its `get` does not
    know the names of all of Keras's own optimizers.
    """
    classes = {
        attribute.lower(): value
        for attribute, value in vars(keras.optimizers).items()
        if isinstance(value, type) and attribute not in _NOT_BY_NAME
    }
    return {**classes, "adam": Adam}


def get(
    identifier: keras.optimizers.Optimizer | dict | str,
    argument: str = "optimizer",
    owner: str = "compile",
) -> keras.optimizers.Optimizer:
    """Turns a name into an optimizer.

    Args:
        identifier: A Keras optimizer or its config, or a name such as `"adam"`
            (kgen's own) or `"sgd"`; a learning rate may follow, and Adam's
            beta_1 and beta_2: `"adam:0.0005"`, `"adam:0.0002:0.5"`.
        argument: The argument's name, for messages.
        owner: Whose argument it is.

    Returns:
        A Keras optimizer.

    Raises:
        InvalidArgument: If the name is unknown, a number is out of range, or
            the optimizer does not fit the strategy in use.
    """
    if isinstance(identifier, str):
        table = {
            name: Named(
                functools.partial(_build, cls, argument, owner), _forms(cls)
            )
            for name, cls in by_name().items()
        }
        return resolve(argument, owner, table, identifier.lower())
    if not isinstance(identifier, (keras.optimizers.Optimizer, dict)):
        raise invalid(
            argument, owner, "a Keras optimizer or a name", identifier
        )
    optimizer = _OPTIMIZER.check(argument, owner, identifier)
    _check_strategy(optimizer, argument, owner)
    return optimizer


_OPTIMIZER = Built(
    keras.optimizers.get, "a Keras optimizer, its config or its name"
)
_NUMBERS = ("learning_rate", "beta_1", "beta_2")


def _forms(cls):
    """What may follow a class's name; betas do where the class has them."""
    forms = ("", "LEARNING_RATE")
    if "beta_1" in inspect.signature(cls).parameters:
        forms += ("LEARNING_RATE:BETA_1", "LEARNING_RATE:BETA_1:BETA_2")
    return forms


def _build(cls, argument, owner, *texts):
    numbers = [Number().check(argument, owner, text) for text in texts]
    if any(beta >= 1 for beta in numbers[1:]):
        raise invalid(argument, owner, "betas below 1", ":".join(texts))
    return cls(**dict(zip(_NUMBERS, numbers)))


def _check_strategy(optimizer, argument, owner):
    """Raises if an optimizer can't be used under the current strategy."""
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


def of_player(
    identifier: keras.optimizers.Optimizer | dict | str,
    variables: list[keras.Variable],
    policy: keras.DTypePolicy,
    argument: str,
    owner: str,
) -> keras.optimizers.Optimizer:
    """Turns a name into an optimizer for one of several players, and builds it.

    In half precision it scales its loss, as Keras makes a model's first
    optimizer do.

    Args:
        identifier: As in `get`.
        variables: What the player trains.
        policy: A model's dtype policy.
        argument: The argument's name, for messages.
        owner: Whose argument it is.

    Returns:
        A Keras optimizer.

    Raises:
        InvalidArgument: As in `get`; if it averages weights itself, which Keras
            allows only for an optimizer of all of a model's weights; or if it was
            built on other variables.
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
        optimizer = keras.optimizers.LossScaleOptimizer(
            optimizer, name="scaled"
        )
    if not inner.built:
        # Built now, so that a checkpoint finds where its state belongs.
        optimizer.build(variables)
    elif {id(v) for v in inner._trainable_variables} != set(map(id, variables)):
        raise invalid(
            argument,
            owner,
            "an optimizer of its own for each player, and each model",
            f"{optimizer.name}, which has other variables already",
        )
    return optimizer


def another(
    optimizer: keras.optimizers.Optimizer,
) -> keras.optimizers.Optimizer:
    """Returns a new optimizer with the same settings, for other variables."""
    return type(optimizer).from_config(optimizer.get_config())
