"""Networks as ONNX files, by Keras, answer as the networks do."""

import warnings

import numpy as np
import pytest

from kgen import create_model


@pytest.mark.parametrize("network", ["conv", "dense"])
@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 2)])
def test_networks_answer_alike(tmp_path, shape, num_classes, network):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    options = {"input_shape": shape, "num_classes": num_classes}
    options |= {"network": network, "hidden_units": (8,)}
    vae = create_model("vae", likelihood="gaussian", **options)
    gan = create_model("gan", **options)
    rng = np.random.default_rng(0)
    for network in (vae.encoder, vae.decoder, gan.generator):
        inputs = [
            rng.normal(size=(5, *tensor.shape[1:])).astype("float32")
            for tensor in network.inputs[:1]
        ]
        if num_classes:
            inputs.append(np.arange(5, dtype="int32") % 3)
        expected = network(inputs if num_classes else inputs[0])
        file = tmp_path / f"{network.name}.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converter's own remarks
            network.export(file, format="onnx", verbose=False)
        session = runtime.InferenceSession(file)
        names = [given.name for given in session.get_inputs()]
        found = session.run(None, dict(zip(names, inputs)))
        if not isinstance(expected, (list, tuple)):
            expected = [expected]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
