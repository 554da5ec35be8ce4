"""Every callback that Keras ships works in `fit`."""

import http.server
import json
import threading

import keras
import numpy as np
import pytest

from tests.models import contract
from tests.models.test_vae import build

CALLBACKS = {
    "BackupAndRestore": lambda tmp: {"backup_dir": tmp / "backup"},
    "CSVLogger": lambda tmp: {"filename": tmp / "log.csv"},
    "EarlyStopping": lambda tmp: {"monitor": "val_elbo", "mode": "max"},
    "History": lambda tmp: {},
    "LambdaCallback": lambda tmp: {"on_epoch_end": lambda epoch, logs: None},
    "LearningRateScheduler": lambda tmp: {"schedule": lambda epoch: 0.1},
    "ModelCheckpoint": lambda tmp: {
        "filepath": str(tmp / "{epoch}-{val_loss:.1f}.keras")
    },
    "OrbaxCheckpoint": lambda tmp: {"directory": str(tmp / "orbax")},
    "ProgbarLogger": lambda tmp: {},
    "ReduceLROnPlateau": lambda tmp: {
        "monitor": "loss",
        "patience": 1,
        "min_delta": 1e9,
    },
    "RemoteMonitor": lambda tmp: {"send_as_json": True},
    "SwapEMAWeights": lambda tmp: {"swap_on_epoch": True},
    "TensorBoard": lambda tmp: {"log_dir": tmp / "logs"},
    "TerminateOnNaN": lambda tmp: {},
}


def shipped():
    """Names of Keras's callbacks, without the base and the list."""
    return {
        name
        for name, value in vars(keras.callbacks).items()
        if isinstance(value, type)
        and issubclass(value, keras.callbacks.Callback)
        and name not in ("Callback", "CallbackList")
    }


def test_none_is_forgotten():
    assert shipped() <= set(CALLBACKS)


class Collector(http.server.BaseHTTPRequestHandler):
    """Keeps what RemoteMonitor sends."""

    received = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def collector():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", CALLBACKS)
def test_callback(name, tmp_path, collector):
    if name not in shipped():
        pytest.skip(f"this Keras has no {name}")
    if name == "OrbaxCheckpoint":
        pytest.importorskip("orbax.checkpoint")
    optimizer = keras.optimizers.Adam(use_ema=name == "SwapEMAWeights")
    vae = build(optimizer=optimizer)
    arguments = CALLBACKS[name](tmp_path)
    if name == "RemoteMonitor":
        arguments["root"] = collector
    callback = getattr(keras.callbacks, name)(**arguments)
    history = vae.fit(
        contract.dataset(),
        validation_data=contract.dataset(),
        epochs=3,
        callbacks=[callback],
        verbose=0,
    ).history
    assert np.isfinite(history["loss"]).all()
    rate = float(vae.optimizer.learning_rate)
    if name == "LearningRateScheduler":
        assert rate == pytest.approx(0.1)
    if name == "ReduceLROnPlateau":
        assert rate < 1e-3
    if name == "RemoteMonitor":
        assert [log["epoch"] for log in Collector.received] == [0, 1, 2]
    if name == "ModelCheckpoint":
        saved = sorted(tmp_path.glob("*.keras"))
        assert len(saved) == 3
        keras.saving.load_model(saved[-1]).predict(contract.X, verbose=0)


def test_backup_and_restore_goes_on_exactly(tmp_path):
    """A training that dies in epoch 3 and is started again is one training."""

    class Dies(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    def fit(model, *callbacks):
        model.fit(
            contract.dataset(), epochs=4, verbose=0, callbacks=list(callbacks)
        )

    whole = contract.seeded(build)
    fit(whole)
    with pytest.raises(InterruptedError):
        fit(
            contract.seeded(build),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            Dies(),
        )
    again = build()
    fit(again, keras.callbacks.BackupAndRestore(tmp_path / "backup"))
    contract.assert_same_state(whole, again)
