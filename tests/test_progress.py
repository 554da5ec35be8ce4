"""What a training tells while it runs."""

import types

from kgen.runs import progress


def test_the_time_left(monkeypatch):
    """Epochs of 20 seconds, after a first one of 500."""
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    lines = []
    callback = progress.TimeLeft(lines.append)
    callback.set_params({"epochs": 10})
    callback.on_train_begin()
    clock.now = 500.0
    for epoch in range(2, 10):  # of a training that goes on
        callback.on_epoch_end(epoch)
        clock.now += 20.0
    assert lines == [
        "About 0:01:40 (h:mm:ss) left for 5 of 10 epochs.",
        "About 0:01:00 (h:mm:ss) left for 3 of 10 epochs.",
        "About 0:00:20 (h:mm:ss) left for 1 of 10 epochs.",
    ]
