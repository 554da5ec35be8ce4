"""Messages of callbacks, which wait for the end of Keras's progress bar."""

import collections
import warnings
from collections.abc import Callable


class Messages:
    """Messages that are reported once the progress bar has ended its line.

    That is when the next epoch begins, or the training ends.

    Args:
        report: What is called with each message; None for `warnings.warn`.
        patience: How many epochs in a row something must be so before `note`
            adds a message about it.
    """

    def __init__(self, report: Callable[[str], None] | None, patience: int = 1):
        self._report = report or (
            lambda text: warnings.warn(text, stacklevel=3)
        )
        self._waiting = []
        self._patience = patience
        self._epochs_in_a_row: collections.Counter[str] = collections.Counter()

    def note(self, name: str, is_so: bool, epoch: int, text: str) -> None:
        """Adds a message once something is so for `patience` epochs in a row.

        It is added again only after it was over.

        Args:
            name: What is so, or not.
            is_so: Whether it is, after this epoch.
            epoch: Number of the epoch, from 0.
            text: The message.
        """
        count = self._epochs_in_a_row[name] + 1 if is_so else 0
        self._epochs_in_a_row[name] = count
        if count == self._patience:
            self.add(f"epoch {epoch + 1}: {text}")

    def add(self, text: str) -> None:
        """Keeps a message until `send`."""
        self._waiting.append(text)

    def send(self) -> None:
        """Reports all messages that wait."""
        messages, self._waiting = self._waiting, []
        for message in messages:
            self._report(message)
