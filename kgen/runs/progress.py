"""What a training tells while it runs: its figures, epoch by epoch."""

import contextlib
import datetime
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import keras
from rich import console, progress

from kgen import registry, terminal
from kgen.runs.history_file import best_place

_LINES = 25  # of the epochs, about
_SECONDS = 30.0  # after which an epoch has a line, in any case
_DRAWN = 0.1  # seconds from one drawing of the bar to the next
_NOTE_WIDTH = 60  # columns of a terminal, for a figure beside the bar


class Clock:
    """Estimates how long the epochs that are left will take."""

    def __init__(self) -> None:
        self._start: tuple[float, float] | None = None

    @property
    def is_started(self) -> bool:
        """Whether `start` was called."""
        return self._start is not None

    def start(self, done: float) -> None:
        """Measures from now on, when `done` epochs are done."""
        self._start = done, time.monotonic()

    def left(self, done: float, epochs: int) -> float | None:
        """Seconds for `epochs - done` epochs; None while that is not known."""
        if self._start is None or done <= self._start[0]:
            return None
        begun, then = self._start
        return (epochs - done) * (time.monotonic() - then) / (done - begun)


class TimeLeft(keras.callbacks.Callback):
    """Tells now and then how long a training will still take.

    Args:
        report: Function of a line.
        seconds: The least time between two lines.
    """

    def __init__(self, report: Callable[[str], None], seconds: float = 30.0):
        super().__init__()
        self.report, self.seconds = report, seconds

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._clock = Clock()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        epochs, now = self.params["epochs"], time.monotonic()
        left = self._clock.left(epoch, epochs - 1)
        if left is None:
            # Measured from here: in the first epoch, the steps are traced.
            self._clock.start(epoch)
            self._told = now
        elif left and now - self._told >= self.seconds:
            self._told = now
            about = datetime.timedelta(seconds=math.ceil(left))
            self.report(
                f"About {about} (h:mm:ss) left for {epochs - epoch - 1} of "
                f"{epochs} epochs."
            )


class Bar:
    """A bar below all other lines of a terminal, which moves.

    It is drawn by those who call it, and by no thread of its own.
    """

    def __init__(self) -> None:
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=None),
            progress.TextColumn("{task.fields[note]}", markup=False),
            console=console.Console(highlight=False),
            auto_refresh=False,
            transient=True,
            redirect_stderr=sys.stderr.isatty(),
            expand=True,
        )
        self._task = self._bar.add_task(
            "Compiling the first steps", total=1.0, note=""
        )
        self._drawn = -math.inf

    def is_due(self) -> bool:
        """Whether it was drawn long enough ago."""
        return time.monotonic() - self._drawn >= _DRAWN

    def show(self, text: str, done: float, note: str = "") -> None:
        """Draws it anew.

        Args:
            text: What stands to its left.
            done: From 0 to 1.
            note: What stands to its right.
        """
        self._drawn = time.monotonic()
        self._bar.update(
            self._task, description=text, completed=done, note=note
        )
        self._bar.refresh()

    def print(self, text: str) -> None:
        """Prints lines above it."""
        self._bar.console.print(text, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Within it, the bar is there."""
        with self._bar:
            yield


class Epochs(keras.callbacks.Callback):
    """Shows what matters of each epoch in a line, and the best so far.

    Of many epochs only some have a line. In a terminal, the others are seen
    beside the bar.

    Args:
        figures: As in `kgen.registry.Entry`. Of those that are shown, the first one
            with better values tells which epoch is the best.
        report: Function of a line.
        bar: The bar, or None.
        history: The logs of the epochs before.
    """

    def __init__(
        self,
        figures: Mapping[str, str],
        report: Callable[[str], None],
        bar: Bar | None = None,
        history: Mapping[str, list[float]] | None = None,
    ):
        super().__init__()
        self.figures, self.report, self.bar = figures, report, bar
        self.history = {name: [*logs] for name, logs in (history or {}).items()}
        self.trained = 0  # epochs

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._clock, self._begin = Clock(), time.monotonic()
        self.trained, self._epoch, self._told = 0, 0, -math.inf

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        steps = self.params["steps"]
        if not steps:
            return
        # The last call into TensorFlow may have done fewer steps than others.
        done = self._epoch + min((batch + 1) / steps, 1.0)
        if not self._clock.is_started:
            self._clock.start(done)
        if self.bar and self.bar.is_due():
            self._draw(self._epoch, done, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        values = {"epoch": epoch, **(logs or {})}
        for name in {*self.history, *values}:  # few epochs have some of them
            column = self.history.setdefault(name, [math.nan] * self.trained)
            column.append(float(values.get(name, math.nan)))
        self.trained += 1
        if self.trained == 1:  # in this epoch, the steps were traced
            self._clock.start(epoch + 1)
        epochs, now = self.params["epochs"], time.monotonic()
        is_due = (epoch + 1) % _interval(epochs) == 0 or epoch + 1 == epochs
        if is_due or self.trained == 1 or now - self._told >= _SECONDS:
            self._told = now
            line = self._line(epoch, logs or {})
            (self.bar.print if self.bar else self.report)(line)
        if self.bar:
            self._draw(epoch, epoch + 1, logs or {})

    def on_train_end(self, logs: dict | None = None) -> None:
        self._seconds = time.monotonic() - self._begin

    def summary(self, better: str | None = None) -> str:
        """What came of a training that has ended, in a sentence or two.

        Args:
            better: What is to be said of a model that is better than the last one,
                if one was kept.
        """
        count = "1 epoch" if self.trained == 1 else f"{self.trained} epochs"
        text = f"Trained {count} in {_duration(self._seconds)}"
        if better:
            return f"{text}. {better}"
        judged = self._judged(self.history)
        best = judged and self._best(judged)
        if best is None:
            return (
                f"{text}. These figures do not tell how good the samples are; "
                "`kgen evaluate` does."
            )
        values = self.history[judged]
        if best == len(values) - 1:
            return (
                f"{text}; the last one has the best {judged}, "
                f"{_number(values[best])}."
            )
        return (
            f"{text}. The best {judged}, {_number(values[best])}, was that of epoch "
            f"{int(self.history['epoch'][best]) + 1}; the model is that of the last "
            f"epoch, with {_number(values[-1])}."
        )

    def _line(self, epoch, logs):
        """The epoch's figures: one, and others that the terminal has room for."""
        cells = {name: _cell(name, logs[name]) for name in self._shown(logs)}
        judged = self._judged(logs)
        if judged:
            is_best = self._best(judged) == len(self.history[judged]) - 1
            cells[judged] += " best" if is_best else "     "
        left = self._clock.left(epoch + 1, self.params["epochs"])
        if left:
            cells["left"] = f"{_duration(left)} left"
        room = (terminal.width() or sys.maxsize) - 1 - len(self._name(epoch))
        kept = set()
        first = judged or next(iter(cells), "left")
        for name in dict.fromkeys([first, "left", *cells]):
            size = len(cells.get(name, "")) + 2
            # Rather a line that is too long than one without any figure
            if size <= room or name == first:
                kept.add(name)
                room -= size
        parts = [text for name, text in cells.items() if name in kept]
        return "  ".join([self._name(epoch), *parts]).rstrip()

    def _draw(self, epoch, done, logs):
        epochs, notes = self.params["epochs"], []
        if (terminal.width() or 0) >= _NOTE_WIDTH:
            names = [n for n in self._shown(logs) if not n.startswith("val_")]
            notes = [_cell(name, logs[name]) for name in names[:1]]
        left = self._clock.left(done, epochs)
        if left:
            notes.append(f"{_duration(left)} left")
        self.bar.show(self._name(epoch), done / epochs, "  ".join(notes))

    def _shown(self, logs):
        """The names of the figures that are shown."""
        return registry.shown(self.figures, logs)

    def _judged(self, logs):
        """The name of the figure by which an epoch is the best, or None."""
        names = [name for name in self._shown(logs) if self.figures[name]]
        return next(iter(names), None)

    def _best(self, name):
        """The place of the best value in the history."""
        return best_place(self.history[name], self.figures[name])

    def _name(self, epoch):
        epochs = self.params["epochs"]
        return f"Epoch {epoch + 1:{len(str(epochs))}}/{epochs}"


class Screen:
    """What a training shows, from its beginning to its end.

    Args:
        report: Function of a line; None to show nothing.
        verbose: Whether Keras's own lines are shown, with all figures.
    """

    def __init__(
        self, report: Callable[[str], None] | None, verbose: bool = False
    ) -> None:
        self._report = report
        self._is_verbose = verbose and report is not None
        is_brief = report is not None and not verbose
        self._bar = (
            Bar() if is_brief and console.Console().is_terminal else None
        )
        self._epochs: Epochs | None = None

    @property
    def keras_verbose(self) -> int:
        """The argument `verbose` of `fit`."""
        if not self._is_verbose:
            return 0
        return 1 if sys.stdout.isatty() else 2

    def say(self, text: str) -> None:
        """Tells something."""
        if self._report:
            self._report(text)

    def callbacks(
        self, figures: Mapping[str, str], history: Mapping[str, list[float]]
    ) -> list[keras.callbacks.Callback]:
        """Those that show the epochs; the arguments are as those of `Epochs`."""
        if self._report is None:
            return []
        if self._is_verbose:
            return [TimeLeft(self._report), keras.callbacks.ProgbarLogger()]
        self._epochs = Epochs(figures, self._report, self._bar, history)
        return [self._epochs]

    def shown(self) -> contextlib.AbstractContextManager:
        """Within it, the terminal has the bar, if there is to be one."""
        return self._bar.shown() if self._bar else contextlib.nullcontext()

    def finishing(self, text: str) -> None:
        """Shows what is done once the epochs are over."""
        if self._bar:
            self._bar.show(text, 1.0)

    def conclude(self, better: str | None = None) -> None:
        """Tells what came of it; `better` is as in `Epochs.summary`."""
        if self._epochs and self._epochs.trained:
            self.say(terminal.wrapped(self._epochs.summary(better)))
        elif better:
            self.say(better)


def _interval(epochs):
    """From one line to the next: 1, 2, 5, 10, 20, ... epochs."""
    sizes = (size * 10**power for power in range(9) for size in (1, 2, 5))
    return next(size for size in sizes if size * _LINES >= epochs)


def _cell(name, value):
    return f"{name} {_number(value):>7}"


def _number(value):
    """A figure in seven characters, where that is enough."""
    value = float(value)
    size = abs(value)
    if 1000 <= size < 1e7:
        return f"{value:.0f}"
    if size >= 0.1 or not size:
        return f"{value:#.4g}"
    return f"{value:.5f}" if size >= 0.001 else f"{value:.1e}"


def _duration(seconds):
    if seconds < 100:
        return f"{math.ceil(seconds)} s"
    if seconds < 6000:
        return f"{math.ceil(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
