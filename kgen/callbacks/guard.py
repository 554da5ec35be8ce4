"""Keeps NaN and infinity out of a model's weights.

The training step looks for faults and leaves faulty steps out; see
`kgen.models.faults`, which counts them in a variable. This callback reads it,
and decides what follows. It keeps a copy of the state at the beginning of each
epoch, for `rollback` and for the case that a finite gradient has made a weight
overflow.
"""

from collections.abc import Callable, Iterable

import keras
import numpy as np

from kgen import names
from kgen.callbacks.messages import Messages
from kgen.errors import InvalidArgument, invalid
from kgen.models import faults
from kgen.models.base import GenerativeModel
from kgen.models.draws import seed_generators
from kgen.models.rates import is_settable, optimizers_of
from kgen.params import Integer, Options, checked

_RATE_FACTOR = 0.5


class Diverged(InvalidArgument):
    """Raised by `fit` when a `Guard` ends a training.

    Args:
        fault: What happened, as a sentence.
        state: What the model holds now, such as "the state before that step".
    """

    def __init__(self, fault: str, state: str):
        super().__init__(
            f"{fault} The model holds {state}. Lower the learning rate, such as "
            'optimizer="adam:0.0001", or pass Guard(on_nan="skip") or '
            'Guard(on_nan="rollback").'
        )
        self.fault = fault
        self.state = state


class Guard(keras.callbacks.Callback):
    """Keeps NaN and infinity out of a model's weights.

    It looks at the loss and the gradients of each player in every step, whatever
    `steps_per_execution` is. A step in which one of them is not finite changes
    neither weights nor optimizers, averages, moving statistics or logs; if a batch
    holds several updates, as a GAN's with `discriminator_steps` does, those
    before the fault stay, and those after it are left out. What follows is for
    `on_nan` to say:

    - `"stop"`: `fit` raises `Diverged`, which names the epoch, the step and the
      part of the loss. The model holds the state before that step.
    - `"skip"`: training goes on with the next step. After `max_skipped` faulty
      steps in a row, `fit` raises `Diverged`.
    - `"rollback"`: the model goes back to the state that the epoch began with,
      and training goes on with the next batch, at half the learning rate of each
      optimizer. After `max_rollbacks` times, the next fault makes `fit` raise
      `Diverged`.

    If a finite gradient was so large that a weight became infinite, there is no
    step to leave out: `"skip"` then ends the training, too, and the model goes
    back to the state that the epoch began with.

    In `mixed_float16`, infinite gradients of the scaled loss are no fault: the
    optimizer lowers the scale. They become one once the scale is below 1.

    An epoch's logs are means over the steps that were taken; they are NaN if
    there was none. A `LearningRateScheduler` that knows only the epoch undoes
    what `"rollback"` does to the rate.

    Args:
        on_nan: `"stop"`, `"skip"` or `"rollback"`.
        max_skipped: How many faulty steps in a row are too many.
        max_rollbacks: How many times training may go back.
        report: What is called with a message on steps left out and on going
            back; None for `warnings.warn`.

    Raises:
        InvalidArgument: If a value can't be used; when training begins, if
            `"rollback"` can't change a learning rate, which follows a schedule.

    Example:

        vae.fit(train, epochs=20, callbacks=[kgen.callbacks.Guard("rollback")])
    """

    @checked(
        on_nan=Options(names.ON_NAN),
        max_skipped=Integer(1),
        max_rollbacks=Integer(1),
    )
    def __init__(
        self,
        on_nan: str = "stop",
        max_skipped: int = 10,
        max_rollbacks: int = 5,
        report: Callable[[str], None] | None = None,
    ):
        super().__init__()
        self.on_nan = on_nan
        self.max_skipped = max_skipped
        self.max_rollbacks = max_rollbacks
        self._messages = Messages(report)
        self._rollbacks = 0
        self._epoch = 0
        # The state that the epoch began with
        self._state: list | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        model = self.model
        if not isinstance(model, GenerativeModel):
            kind = type(model).__name__
            raise invalid("model", "Guard", "one of kgen's models", kind)
        if model.faults is not None:
            raise invalid("callbacks", "fit", "one Guard at most", "several")
        if self.on_nan == "rollback" and not all(
            is_settable(optimizer) for optimizer in optimizers_of(model)
        ):
            raise invalid(
                "on_nan",
                "Guard",
                '"stop" or "skip" where a schedule sets the learning rate, '
                "which going back has to lower",
                "rollback",
            )
        self._rollbacks = 0
        most = self.max_skipped if self.on_nan == "skip" else 1
        faults.start_watching(model, most)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._messages.send()
        self._epoch = epoch
        self._state = None
        self.model.faults.begin_epoch()

    def on_train_batch_begin(
        self, batch: int, logs: dict | None = None
    ) -> None:
        if self._state is None:  # once all callbacks have begun the epoch
            self._state = [_array(x) for x in state_of(self.model)]

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        record = self.model.faults.read()
        if record.halted:
            fault = _describe_faults(record.found)
            state = "the state before that step"
            if self.on_nan == "skip":
                fault = (
                    f"{fault} in step {record.first}, and the loss or a gradient "
                    f"of {record.in_a_row} steps in a row was not finite"
                )
                state = "the state before these steps"
                record = record._replace(first=0)
            where = self._epoch_and_step(record.first)
            self._roll_back_or_stop(f"{where} {fault}.", state)
        self._blank_metrics(record, logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        watch = self.model.faults
        record = watch.read()
        self._blank_metrics(record, logs)
        if not watch.has_updates:  # the model is fitted by counting
            if not np.isfinite((logs or {}).get("loss", 0.0)):
                raise InvalidArgument(
                    f"Epoch {epoch + 1}: the loss of what was counted is NaN or "
                    "infinite. Scale the data, or leave out examples with "
                    "numbers far larger than the others."
                )
        elif not are_finite(self.model.trainable_weights):
            fault = f"Epoch {epoch + 1}: a weight became NaN or infinite."
            self._roll_back_or_stop(fault, "")
        elif self.on_nan == "skip" and record.first:
            self._messages.add(
                f"epoch {epoch + 1}: {record.left_out} of {record.steps} steps "
                f"left out. In step {record.first}, {_describe_faults(record.found)}."
            )

    def on_train_end(self, logs: dict | None = None) -> None:
        self._messages.send()
        self._state = None

    def _epoch_and_step(self, step):
        of_step = f", step {step}" if step else ""
        return f"Epoch {self._epoch + 1}{of_step}:"

    def _roll_back_or_stop(self, fault, state):
        """Goes back, or ends the training."""
        if self.on_nan == "rollback" and self._rollbacks < self.max_rollbacks:
            self._go_back(fault)
            return
        if not are_finite(self.model.trainable_weights):
            self._restore()
            state = f"the state that epoch {self._epoch + 1} began with"
        self._messages.send()
        if self._rollbacks:
            times = (
                "once" if self._rollbacks == 1 else f"{self._rollbacks} times"
            )
            fault += f" The training had gone back {times} before."
        raise Diverged(fault, state)

    def _go_back(self, fault):
        optimizers = optimizers_of(self.model)
        rates = [_RATE_FACTOR * _array(x.learning_rate) for x in optimizers]
        self._restore()
        for optimizer, rate in zip(optimizers, rates):
            optimizer.learning_rate = rate
        self._rollbacks += 1
        self.model.faults.go_on()
        shown = " and ".join(
            f"{rate:g}" for rate in dict.fromkeys(map(float, rates))
        )
        self._messages.add(
            f"{fault[0].lower()}{fault[1:]} The model went back to the state that "
            f"the epoch began with; the learning rate is now {shown}."
        )

    def _restore(self):
        for variable, value in zip(state_of(self.model), self._state):
            variable.assign(value)

    def _blank_metrics(self, record, logs):
        """Sets logs to NaN if all steps were left out: they would be 0."""
        if logs and record.steps and record.left_out == record.steps:
            model_metrics = self.model.get_metrics_result()
            logs.update(dict.fromkeys(set(model_metrics) & set(logs), np.nan))


def _describe_faults(found):
    """What was not finite, in words: parts of the loss, or gradients."""
    parts = [name for kind, name in found if kind == "part"]
    # Other parts are sums of these, or computed from them.
    causes = [x for x in parts if x.endswith("_loss") or x == "penalty"]
    words = [f"the {x.replace('_', ' ')}" for x in causes or parts]
    if not parts:
        words = [
            f"the gradient of the {name}"
            for kind, name in found
            if kind == "gradient"
        ]
    words = [x.replace("kl loss", "KL loss") for x in words]
    players = [name for kind, name in found if kind == "player"]
    of_whom = f" (of the {_listed(players)})" if players and parts else ""
    return f"{_listed(words)}{of_whom} became NaN or infinite"


def _listed(words):
    *first, last = words or ["loss"]
    return f"{', '.join(first)} and {last}" if first else last


def state_of(model: keras.Model) -> list[keras.Variable]:
    """All that training changes: weights, random streams, optimizers."""
    return [
        *model.weights,
        *(generator.state for generator in seed_generators(model)),
        *(x for each in optimizers_of(model) for x in each.variables),
    ]


def are_finite(variables: Iterable[keras.Variable]) -> bool:
    """Whether all numbers in all of the variables are finite."""
    return all(np.isfinite(_array(x)).all() for x in variables)


def _array(variable):
    return keras.ops.convert_to_numpy(variable)
