"""Messages of callbacks, which wait for the end of Keras's progress bar."""

import warnings
from collections.abc import Callable


class Messages:
    """Messages that are reported once the progress bar has ended its line.

    That is when the next epoch begins, or the training ends.

    Args:
        report: What is called with each message; None for `warnings.warn`.
    """

    def __init__(self, report: Callable[[str], None] | None):
        self._report = report or (
            lambda text: warnings.warn(text, stacklevel=3)
        )
        self._waiting = []

    def add(self, text: str) -> None:
        """Keeps a message until `send`."""
        self._waiting.append(text)

    def send(self) -> None:
        """Reports all messages that wait."""
        messages, self._waiting = self._waiting, []
        for message in messages:
            self._report(message)
