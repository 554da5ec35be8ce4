"""Waits for the other workers of `kgen train --strategy multi_worker`."""

import time
from collections.abc import Callable

from kgen.cli.messages import progress
from kgen.cli.startup import quiet
from kgen.errors import InvalidArgument
from kgen.parallel import strategies

_PATIENCE = 5  # seconds until the user is told which workers are missing


class _NothingToTrain(Exception):
    """The run has seen all its epochs."""


def meet(out: str | None, epochs: int | None) -> bool:
    """Waits for all workers; returns False as soon as none of them is needed.

    Once a run has seen all its epochs, the chief does the rest alone: the other
    workers may have ended, or died, before it.

    Args:
        out: The directory of the run to go on with, or None.
        epochs: How many it is to see; None for its own number.
    """
    with quiet():
        from kgen import runs
    run = runs.Run(out) if out else None
    report = _reporter()

    def is_trained() -> bool:
        """Whether the run has seen all its epochs; not if it can't be read."""
        if run is None:
            return False
        try:
            # The number of epochs that the chief was given decides; the run's
            # settings have it once the chief has resumed.
            is_chief = strategies.is_chief_by_tf_config()
            return (is_chief or run.is_trained()) and run.is_trained(epochs)
        except (OSError, InvalidArgument):
            return False

    def on_missing(missing: list[str], alone: bool) -> None:
        # The chief waits for a worker that has reached it: that one is needed,
        # whatever the files of the run say.
        if alone and is_trained():
            raise _NothingToTrain
        report(missing)

    try:
        on_missing([], strategies.is_chief_by_tf_config())
        strategies.meet(on_missing)
    except _NothingToTrain:
        return False
    return True


def _reporter() -> Callable[[list[str]], None]:
    """Reports which workers are missing, after some seconds and at each change."""
    begin, reported = time.monotonic(), []

    def report(missing: list[str]) -> None:
        nonlocal reported
        if missing != reported and time.monotonic() > begin + _PATIENCE:
            progress(f"kgen: waiting for {', '.join(missing)} ...")
            reported = missing

    return report
