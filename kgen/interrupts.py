"""SIGTERM, which ends a command as Ctrl-C does."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """Another process, such as a scheduler, has asked this one to end."""


def status(error: KeyboardInterrupt) -> int:
    """The exit status by which shells know how a process ended."""
    return 143 if isinstance(error, Terminated) else 130


@contextlib.contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Within it, SIGTERM raises `Terminated`.

    If the signal has another handler or is ignored, that is left unchanged.
    """
    is_free = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if not _in_main_thread() or not is_free:
        yield
        return
    signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def sigterm_ends_process() -> None:
    """From now on, SIGTERM ends this process at once.

    A process that waits in TensorFlow's code, or for other processes, would not
    get to a Python handler.
    """
    if _in_main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _in_main_thread():
    """Whether this thread may set handlers."""
    return threading.current_thread() is threading.main_thread()


def _raise(number, frame):
    raise Terminated


class Deferred:
    """The signal that has come within `deferred`, if any.

    Attributes:
        waits: Whether the first signal is only noted. Set it to False where
            nothing will look at `error` for a while.
        error: What that signal means: a KeyboardInterrupt, to be raised at the
            next good moment; or None.
    """

    def __init__(self) -> None:
        self.waits = False
        self.error: KeyboardInterrupt | None = None
        self._noted = 0.0

    def raise_after(self, seconds: float) -> None:
        """Raises the error, if there is one that has waited so long."""
        if self.error and time.monotonic() - self._noted >= seconds:
            raise self.error

    def _handle(self, number, frame):
        error = (
            Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        )
        if self.error or not self.waits:
            raise error
        self.error, self._noted = error, time.monotonic()


@contextlib.contextmanager
def deferred() -> Iterator[Deferred]:
    """Within it, Ctrl-C or SIGTERM waits for a good moment, if it comes once.

    A second signal raises at once. Signals that would not raise here are left
    as they are.
    """
    state = Deferred()
    raising = (signal.default_int_handler, _raise)
    handlers = {
        number: handler
        for number in _SIGNALS
        if (handler := signal.getsignal(number)) in raising
    }
    if not _in_main_thread():
        handlers = {}
    for number in handlers:
        signal.signal(number, state._handle)
    try:
        yield state
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ignored() -> Iterator[None]:
    """Within it, Ctrl-C and SIGTERM are ignored."""
    if not _in_main_thread():
        yield
        return
    handlers = [signal.signal(number, signal.SIG_IGN) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(_SIGNALS, handlers):
            # None is a handler that was not set from Python.
            signal.signal(
                number, signal.SIG_DFL if handler is None else handler
            )
