"""Every callback that Keras ships works in `fit`."""

import http.server
import json
import threading

import keras
import numpy as np
import pytest

from kgen.errors import InvalidArgument
from tests import quick
from tests.models import contract
from tests.models.test_gan import build as build_gan
from tests.models.test_vae import build as build_vae

BUILD = {"gan": build_gan, "vae": build_vae}
MODELS = quick.Models()


def built(name, average=False):
    """A model as it is before training, traced once for all tests.

    Args:
        name: Name out of `BUILD`.
        average: Whether the optimizer keeps averages.
    """
    return MODELS.get(
        (name, average),
        lambda: contract.seeded(
            BUILD[name], optimizer=keras.optimizers.Adam(use_ema=average)
        ),
    )


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


@pytest.mark.parametrize("model", BUILD)
@pytest.mark.parametrize("name", CALLBACKS)
def test_callback(name, model, tmp_path, collector):
    if name not in shipped():
        pytest.skip(f"this Keras has no {name}")
    if name == "OrbaxCheckpoint":
        pytest.importorskip("orbax.checkpoint")
    if name == "SwapEMAWeights" and model == "gan":
        pytest.skip("refused, which has a test of its own")
    trained = built(model, average=name == "SwapEMAWeights")
    arguments = CALLBACKS[name](tmp_path)
    if name == "RemoteMonitor":
        Collector.received.clear()
        arguments["root"] = collector
    if name == "EarlyStopping" and model == "gan":
        arguments["monitor"] = "val_generator_loss"
    callback = getattr(keras.callbacks, name)(**arguments)
    history = trained.fit(
        contract.dataset(),
        validation_data=contract.dataset(),
        epochs=3,
        callbacks=[callback],
        verbose=0,
    ).history
    assert np.isfinite(history["loss"]).all()
    rate = float(trained.optimizer.learning_rate)
    if name == "LearningRateScheduler":
        assert rate == pytest.approx(0.1)
    if name == "ReduceLROnPlateau":
        assert rate < 1e-3
    if name == "RemoteMonitor":
        assert [log["epoch"] for log in Collector.received] == [0, 1, 2]
    if name == "ModelCheckpoint":
        saved = sorted(tmp_path.glob("*.keras"))
        assert len(saved) == 3
        loaded = keras.saving.load_model(saved[-1])
        loaded.predict(contract.inputs_of(loaded)[1], verbose=0)


@pytest.mark.parametrize("model", BUILD)
def test_backup_and_restore_goes_on_exactly(model, tmp_path):
    """A training that dies in epoch 3 and is started again is one training."""

    class Dies(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    def fit(model, *callbacks):
        model.fit(
            contract.dataset(), epochs=4, verbose=0, callbacks=list(callbacks)
        )
        return contract.state(model)

    whole = fit(built(model))
    with pytest.raises(InterruptedError):
        fit(
            built(model),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            Dies(),
        )
    again = built(model)
    quick.spoil(again)
    found = fit(again, keras.callbacks.BackupAndRestore(tmp_path / "backup"))
    for one, other in zip(whole, found, strict=True):
        np.testing.assert_array_equal(one, other)


class TestTwoOptimizers:
    """Callbacks know one optimizer; the discriminator's goes along."""

    def rates(self, gan):
        return [
            float(optimizer.learning_rate)
            for optimizer in (gan.optimizer, gan.discriminator_optimizer)
        ]

    def gan(self):
        """One whose optimizers have different rates."""
        gan = built("gan")
        gan.optimizer.learning_rate = 0.02
        gan.discriminator_optimizer.learning_rate = 0.01
        return gan

    def fitted(self, callbacks, gan=None):
        gan = gan or self.gan()
        gan.fit(contract.X, epochs=3, verbose=0, callbacks=callbacks)
        return gan

    @pytest.mark.parametrize("as_list", [list, tuple, lambda x: x[0]])
    def test_a_scheduler_moves_both(self, as_list):
        schedule = keras.callbacks.LearningRateScheduler(lambda e: 0.4 / 2**e)
        gan = self.fitted(as_list([schedule]))
        assert self.rates(gan) == pytest.approx([0.1, 0.05])

    def test_a_plateau_moves_both(self):
        plateau = keras.callbacks.ReduceLROnPlateau(
            "loss", factor=0.1, patience=1, min_delta=1e9
        )
        gan = self.fitted([plateau])
        assert self.rates(gan) == pytest.approx([2e-4, 1e-4])

    def test_in_a_callback_list(self):
        schedule = keras.callbacks.LearningRateScheduler(lambda e: 0.2)
        gan = self.gan()
        callbacks = keras.callbacks.CallbackList(
            [schedule], add_history=True, model=gan, epochs=1
        )
        gan.fit(contract.X, verbose=0, callbacks=callbacks)
        assert self.rates(gan) == pytest.approx([0.2, 0.1])

    def test_what_is_saved_at_an_epoch_s_end_is_whole(self, tmp_path):
        """A change of the rate, and a resume right behind it."""

        def fit(gan, epochs, backup):
            plateau = keras.callbacks.ReduceLROnPlateau(
                "loss", factor=0.1, patience=1, min_delta=1e9
            )
            restore = keras.callbacks.BackupAndRestore(
                backup, delete_checkpoint=False
            )
            gan.fit(
                contract.X,
                epochs=epochs,
                verbose=0,
                callbacks=[plateau, restore],
            )
            return self.rates(gan)

        rates = fit(self.gan(), 2, tmp_path)
        assert rates == pytest.approx([2e-3, 1e-3])
        again = self.gan()
        again.fit(
            contract.X,
            epochs=2,
            verbose=0,
            callbacks=[keras.callbacks.BackupAndRestore(tmp_path)],
        )
        assert self.rates(again) == pytest.approx(rates)

    def test_a_rate_of_0_and_back(self):
        rates = [0.02, 0.0, 0.04]
        schedule = keras.callbacks.LearningRateScheduler(rates.__getitem__)
        gan = self.fitted([schedule])
        assert self.rates(gan) == pytest.approx([0.04, 0.02])

    def test_who_sets_both_has_set_both(self):
        def set_both(epoch, logs):
            gan.optimizer.learning_rate = 0.5
            gan.discriminator_optimizer.learning_rate = 0.7

        gan = self.gan()
        setter = keras.callbacks.LambdaCallback(on_epoch_end=set_both)
        gan.fit(contract.X, verbose=0, callbacks=[setter])
        assert self.rates(gan) == pytest.approx([0.5, 0.7])

    def test_schedules_go_their_own_way(self):
        decay = keras.optimizers.schedules.ExponentialDecay(0.02, 1, 0.5)
        gan = self.fitted(
            None,
            build_gan(
                optimizer=keras.optimizers.Adam(decay),
                training={"discriminator_optimizer": "adam:0.01"},
            ),
        )
        steps = int(gan.optimizer.iterations)
        assert self.rates(gan) == pytest.approx([0.02 * 0.5**steps, 0.01])

    def test_what_averages_by_itself_is_refused(self):
        with pytest.raises(InvalidArgument, match="ema_decay"):
            self.fitted([keras.callbacks.SwapEMAWeights()])
        averaging = keras.optimizers.Adam(use_ema=True)
        for options in (
            {"optimizer": averaging},
            {"training": {"discriminator_optimizer": averaging}},
        ):
            with pytest.raises(InvalidArgument, match="ema_decay"):
                self.fitted(None, build_gan(**options))
