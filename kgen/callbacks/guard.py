"""Keeps NaN and infinity out of a model's weights.

Callbacks run only once per `steps_per_execution` steps, so the check is part of
the training step (`models.faults`). `update` adds up each player's gradients
and loss, and checks them one by one only if the sum is not finite. In a faulty
step, the optimizers are not applied and all other changes are undone, so that
the model keeps the state before the step. A small variable, which is not saved,
records the first fault of each epoch. After one fault (`stop`, `rollback`) or
several in a row (`skip`), all further steps do nothing until this callback has
read the variable. The callback keeps a copy of the state at the beginning of
each epoch, for `rollback` and for the case that a finite gradient has made a
weight overflow.
"""

import warnings

import keras
import numpy as np

from kgen import names
from kgen.errors import InvalidArgument, check_int, check_name, invalid
from kgen.models import faults
from kgen.models.base import GenerativeModel
from kgen.models.draws import seed_generators
from kgen.models.rates import is_settable

_RATE_FACTOR = 0.5


class Diverged(InvalidArgument):
    """Raised by `fit` when a `Guard` ends a training.

    Args:
        fault: What happened, as a sentence.
        state: What the model holds now, such as "the state before that step".
    """

    def __init__(self, fault, state):
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

    def __init__(
        self, on_nan="stop", max_skipped=10, max_rollbacks=5, report=None
    ):
        super().__init__()
        self.on_nan = check_name("on_nan", "Guard", names.ON_NAN, on_nan)
        self.max_skipped = check_int("max_skipped", "Guard", max_skipped)
        self.max_rollbacks = check_int("max_rollbacks", "Guard", max_rollbacks)
        self.report = report or (lambda text: warnings.warn(text, stacklevel=2))
        self._rollbacks = 0
        self._epoch = 0
        self._kept = None  # the state that the epoch began with
        self._messages = []

    def on_train_begin(self, logs=None):
        model = self.model
        if not isinstance(model, GenerativeModel):
            kind = type(model).__name__
            raise invalid("model", "Guard", "one of kgen's models", kind)
        if model.faults is not None:
            raise invalid("callbacks", "fit", "one Guard at most", "several")
        if self.on_nan == "rollback":
            for optimizer in _optimizers(model):
                if not is_settable(optimizer):
                    raise invalid(
                        "on_nan",
                        "Guard",
                        '"stop" or "skip" where a schedule sets the learning '
                        "rate, which going back has to lower",
                        "rollback",
                    )
        self._rollbacks = 0
        most = self.max_skipped if self.on_nan == "skip" else 1
        faults.watch(model, most)

    def on_epoch_begin(self, epoch, logs=None):
        self._say()
        self._epoch = epoch
        self._kept = None
        self.model.faults.begin_epoch()

    def on_train_batch_begin(self, batch, logs=None):
        if self._kept is None:  # once all callbacks have begun the epoch
            self._kept = [_array(x) for x in _variables(self.model)]

    def on_train_batch_end(self, batch, logs=None):
        record = self.model.faults.read()
        if record.halted:
            fault, state = _words(record.found), "the state before that step"
            if self.on_nan == "skip":
                fault = (
                    f"{fault} in step {record.first}, and the loss or a gradient "
                    f"of {record.in_a_row} steps in a row was not finite"
                )
                state = "the state before these steps"
                record = record._replace(first=0)
            self._answer(f"{self._place(record.first)} {fault}.", state)
        self._mark(record, logs)

    def on_epoch_end(self, epoch, logs=None):
        watch = self.model.faults
        record = watch.read()
        self._mark(record, logs)
        if not watch.has_updates:
            self._check_counted(logs or {})
        elif not _are_finite(self.model.trainable_weights):
            place = f"Epoch {epoch + 1}:"
            self._answer(f"{place} a weight became NaN or infinite.", "")
        elif self.on_nan == "skip" and record.first:
            self._messages.append(
                f"epoch {epoch + 1}: {record.left_out} of {record.steps} steps "
                f"left out. In step {record.first}, {_words(record.found)}."
            )

    def on_train_end(self, logs=None):
        self._say()
        self._kept = None

    def _place(self, step):
        of_step = f", step {step}" if step else ""
        return f"Epoch {self._epoch + 1}{of_step}:"

    def _say(self):
        """Reports; Keras's progress bar is in the middle of a line before."""
        messages, self._messages = self._messages, []
        for message in messages:
            self.report(message)

    def _answer(self, fault, state):
        """Goes back, or ends the training."""
        if self.on_nan == "rollback" and self._rollbacks < self.max_rollbacks:
            self._go_back(fault)
            return
        if not _are_finite(self.model.trainable_weights):
            self._restore()
            state = f"the state that epoch {self._epoch + 1} began with"
        self._say()
        if self._rollbacks:
            times = (
                "once" if self._rollbacks == 1 else f"{self._rollbacks} times"
            )
            fault += f" The training had gone back {times} before."
        raise Diverged(fault, state)

    def _go_back(self, fault):
        optimizers = _optimizers(self.model)
        rates = [_RATE_FACTOR * _array(x.learning_rate) for x in optimizers]
        self._restore()
        for optimizer, rate in zip(optimizers, rates):
            optimizer.learning_rate = rate
        self._rollbacks += 1
        self.model.faults.go_on()
        shown = " and ".join(
            f"{rate:g}" for rate in dict.fromkeys(map(float, rates))
        )
        self._messages.append(
            f"{fault[0].lower()}{fault[1:]} The model went back to the state that "
            f"the epoch began with; the learning rate is now {shown}."
        )

    def _restore(self):
        for variable, value in zip(_variables(self.model), self._kept):
            variable.assign(value)

    def _mark(self, record, logs):
        """Sets logs to NaN if all steps were left out: they would be 0."""
        if logs and record.steps and record.left_out == record.steps:
            own = self.model.get_metrics_result()
            logs.update(dict.fromkeys(set(own) & set(logs), np.nan))

    def _check_counted(self, logs):
        if not np.isfinite(logs.get("loss", 0.0)):
            raise InvalidArgument(
                f"Epoch {self._epoch + 1}: the loss of what was counted is NaN or "
                "infinite. Scale the data, or leave out examples with numbers "
                "far larger than the others."
            )


def _words(found):
    """What was not finite, for people: parts of the loss, or gradients."""
    parts = [name for kind, name in found if kind == "part"]
    # The others are sums of these, or follow from them.
    causes = [x for x in parts if x.endswith("_loss") or x == "penalty"]
    words = [f"the {x.replace('_', ' ')}" for x in causes or parts]
    if not parts:
        words = [
            f"the gradient of the {x}" for k, x in found if k == "gradient"
        ]
    words = [x.replace("kl loss", "KL loss") for x in words]
    players = [name for kind, name in found if kind == "player"]
    of_whom = f" (of the {_listed(players)})" if players and parts else ""
    return f"{_listed(words)}{of_whom} became NaN or infinite"


def _listed(words):
    *first, last = words or ["loss"]
    return f"{', '.join(first)} and {last}" if first else last


def _optimizers(model):
    """Those of all players."""
    found = vars(model).values()
    found = [x for x in found if isinstance(x, keras.optimizers.Optimizer)]
    return list({id(x): x for x in found}.values())


def _variables(model):
    """All that training changes: weights, random streams, optimizers."""
    return [
        *model.weights,
        *(generator.state for generator in seed_generators(model)),
        *(x for one in _optimizers(model) for x in one.variables),
    ]


def _are_finite(variables):
    return all(np.isfinite(_array(x)).all() for x in variables)


def _array(variable):
    return keras.ops.convert_to_numpy(variable)
