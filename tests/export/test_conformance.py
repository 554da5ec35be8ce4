"""Each export, run by TensorFlow's C library, answers as Python does."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

import kgen
from tests.export.agreement import SCORED, check_agreement, inputs_for
from tests.export.server import Model
from tests.models import contract


def classifier(density, **options):
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(8, 8, 1),
        num_classes=contract.CLASSES,
        density=density,
        **options,
    )
    model.compile()
    model.fit(contract.X, contract.Y, verbose=0)  # what isn't counted is flat
    return model


def player(name, **options):
    """With averages that are not the weights which are trained."""
    model = contract.small_model(name, training={"ema_decay": 0.5}, **options)
    for average, network in model._averages:
        for weight in network.trainable_variables:
            weight.assign_add(tf.random.normal(weight.shape, stddev=0.1))
        assert average.copy.count_params() == network.count_params()
    return model


def with_threshold(model, **options):
    model.fit_threshold(contract.X, quantile=0.5, **options)
    return model


CASES = {
    "autoencoder": lambda: contract.small_model("autoencoder"),
    "denoising": lambda: contract.small_model(
        "denoising_autoencoder", network="unet"
    ),
    "vae with a threshold": lambda: with_threshold(
        contract.small_model("vae"), **SCORED
    ),
    "conditional vae": lambda: contract.small_model(
        "vae", conditional=True, network="conv"
    ),
    "gan": lambda: player("gan"),
    "conditional vaegan": lambda: player("vaegan", conditional=True),
    "low_rank": lambda: classifier("low_rank:2"),
}
MORE_CASES = {
    "vamp and flow": lambda: player(
        "vaegan", prior="vamp:4", posterior="flow:2"
    ),
    "two levels": lambda: contract.small_model("vae", levels=2, latent_dim=4),
    "vae density": lambda: classifier(
        "vae", network="dense", hidden_units=(8,), latent_dim=2
    ),
    "conditional autoencoder": lambda: contract.small_model(
        "autoencoder", conditional=True, network="conv"
    ),
    "conditional denoising": lambda: contract.small_model(
        "denoising_autoencoder", conditional=True
    ),
    "convolutional vae": lambda: contract.small_model("vae", network="conv"),
    "conditional gan": lambda: player("gan", conditional=True, network="conv"),
    "residual gan": lambda: player(
        "gan", conditional=True, network="resnet", attention=4
    ),
    "vaegan": lambda: player("vaegan", network="conv"),
    **{
        density: lambda density=density: classifier(density)
        for density in ("naive_gaussian", "naive_bernoulli", "full", "shared")
    },
}


def check_seeds(model, *loads):
    """Two loads draw the same by a seed, and other seeds others."""

    def draw(served, seed):
        inputs = inputs_for(model, "sample", 5)
        inputs["seed"] = np.int32(seed)
        return served("sample", **inputs)["images"]

    one, other = (draw(served, 7) for served in loads)
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - draw(loads[0], 8)).max() > 1e-3


def check_threads(model, served):
    """Requests at the same time get the answers that they would get alone."""
    requests = [
        (signature, inputs_for(model, signature, 1 + seed % 7, seed))
        for seed in range(16)
        for signature in served.signatures
    ]
    together = served.at_once(requests, threads=8)
    for (signature, inputs), found in zip(requests, together):
        for name, value in served(signature, **inputs).items():
            np.testing.assert_allclose(found[name], value, atol=1e-6)


def warm_up(path):
    """The requests of the warm-up file, as signatures and arrays."""
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        yield (
            request.model_spec.signature_name,
            {key: tf.make_ndarray(x) for key, x in request.inputs.items()},
        )


def check_warm_up(model, served, sizes=(1, 32)):
    """Its requests are to all signatures, and right."""
    requests = list(warm_up(served.path))
    assert len(requests) == len(sizes) * len(model.endpoints())
    assert {name for name, _ in requests} == set(model.endpoints())
    for signature, inputs in requests:
        for value in served(signature, **inputs).values():
            assert len(value) in sizes


def check_export(build, server, path):
    keras.utils.set_random_seed(0)
    model = build()
    model.export(path)
    served = Model(server, path)
    check_agreement(model, served)
    check_threads(model, served)
    check_warm_up(model, served)
    if "sample" in served.signatures:
        check_seeds(model, served, Model(server, path))
    if isinstance(model, kgen.GAN) and not model.conditional:
        check_average(model, served)


def check_average(gan, served):
    """The average is exported, not the weights."""
    inputs = inputs_for(gan, "serving_default", 5)
    found = served("serving_default", **inputs)
    assert np.abs(found["images"] - gan.generator(inputs["z"])).max() > 1e-3


@pytest.mark.parametrize("case", CASES)
def test_an_export_answers_as_python_does(case, server, tmp_path):
    check_export(CASES[case], server, tmp_path / "1")


@pytest.mark.slow
@pytest.mark.parametrize("case", MORE_CASES)
def test_more_exports_answer_as_python_does(case, server, tmp_path):
    check_export(MORE_CASES[case], server, tmp_path / "1")


# Runs a command for each list of arguments, as their own program would.
SAVED_MODEL_CLI = """
import json, sys
from tensorflow.python.tools.saved_model_cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["saved_model_cli", *arguments]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


def test_saved_model_cli_shows_and_runs_it(tmp_path):
    keras.utils.set_random_seed(0)
    vae = contract.small_model("vae")
    path = tmp_path / "1"
    vae.export(path)
    show = ("show", "--dir", str(path), "--all")
    run = (
        *("run", "--dir", str(path), "--tag_set", "serve"),
        *("--signature_def", "sample", "--outdir", str(tmp_path)),
        "--input_exprs=num_samples=3;seed=5",
    )
    arguments = json.dumps([show, run])
    shown = subprocess.run(
        [sys.executable, "-c", SAVED_MODEL_CLI, arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    for name in vae.endpoints():
        assert f"signature_def['{name}']" in shown
    assert "inputs['num_samples'] tensor_info" in shown
    np.testing.assert_allclose(
        np.load(tmp_path / "images.npy"), vae.sample(3, seed=5), atol=1e-5
    )
