"""The requests that the documents show get answers."""

import json
import pathlib
import re
import shutil
import subprocess

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import kgen
from tests.export import check_server
from tests.export.gateway import serving

ROOT = pathlib.Path(__file__).parents[2]
PEOPLE = pd.DataFrame(
    {
        "city": ["Ulm", "Bonn", "K\u00f6ln", None] * 30,
        "age": [20, 31, 44, 58, None, 67] * 20,
    }
)
DOCUMENTS = (
    "docs/guides/tables.md",
    "docs/guides/serving.md",
    "saved_models/README.md",
)


def blocks(language, word):
    """The code blocks of the documents, with a word in them."""
    return [
        block
        for document in DOCUMENTS
        for block in re.findall(
            rf"^```{language}\n(.*?)^```$",
            (ROOT / document).read_text(),
            re.MULTILINE | re.DOTALL,
        )
        if word in block
    ]


def make(input_shape, units):
    keras.utils.set_random_seed(0)
    return kgen.create_model(
        "vae",
        input_shape=input_shape,
        network="dense",
        latent_dim=16,  # as that of `kgen train vae`
        hidden_units=[units],
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The folder of the documents' models, and the model."""
    model = make((8, 8, 1), 16)
    root = tmp_path_factory.mktemp("served") / "saved_models"
    model.export(root / "vae" / "1")
    model.export(root / "vae-png" / "1", image_format="png")
    people = kgen.create_model("vae", table=kgen.data.Table.infer(PEOPLE))
    people.export(root / "people" / "1")
    return root, model, people


@pytest.fixture(scope="module")
def ports(server, models):
    with serving(server, models[0]) as found:
        yield found


def with_ports(text, ports):
    http, grpc = ports
    assert "8501" in text or "8500" in text
    return text.replace(":8501", f":{http}").replace(":8500", f":{grpc}")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_rest_by_curl(ports, models, tmp_path):
    root, model, people = models
    pixels = np.arange(64, dtype="uint8").reshape(8, 8) * 4
    Image.fromarray(pixels).save(tmp_path / "digit.png")
    (tmp_path / "saved_models").symlink_to(root)
    found = []
    for block in blocks("bash", "curl"):
        for command in re.findall(r"curl (?:.|\\\n)*?:predict", block):
            done = subprocess.run(
                ["bash", "-c", with_ports(command, ports)],
                check=True,
                capture_output=True,
                cwd=tmp_path,
            )
            found.append(json.loads(done.stdout))
    assert all("error" not in answer for answer in found), found
    scores, *_, samples, decoded, files = found  # the last of saved_models
    rows = pd.DataFrame({"city": ["Ulm"], "age": [np.nan]})
    np.testing.assert_allclose(
        scores["outputs"], people.outlier_score(rows), rtol=1e-5
    )
    np.testing.assert_allclose(
        samples["outputs"], model.sample(16, seed=0), atol=1e-5
    )
    z = np.zeros((1, 16), "float32")
    np.testing.assert_allclose(
        decoded["predictions"], model.decode(z), atol=1e-5
    )
    assert list(files["predictions"][0]) == ["b64"]


def check_programs(ports, model):
    """Those of the documents get the samples that Python draws."""
    programs = blocks("python", "PredictRequest")
    assert programs
    for program in programs:
        names = {}
        exec(with_ports(program, ports), names)
        np.testing.assert_allclose(
            names["images"], model.sample(16, seed=0), atol=1e-5
        )


def test_grpc_by_tensorflow_serving_api(ports, models):
    check_programs(ports, models[1])


def test_grpc_of_large_pictures(server, tmp_path):
    """16 of them are 4.9 MB, more than gRPC allows by itself."""
    model = make((160, 160, 3), 1)
    model.export(tmp_path / "vae" / "1")
    with serving(server, tmp_path) as ports:
        check_programs(ports, model)
        addresses = (f"localhost:{port}" for port in ports)
        check_server.check(tmp_path / "vae", *addresses)


def test_a_wrong_request_has_status_400(ports):
    address = f"http://localhost:{ports[0]}/v1/models/vae:predict"
    wrong = {
        "signature_name": "sample",
        "inputs": {"num_samples": 0, "seed": 0},
    }
    status, found = check_server.get(address, json.dumps(wrong))
    assert status == 400
    assert "`num_samples`: expected 1 to 1000" in found["error"]


def test_rows_of_text_by_rest(ports, models):
    """A request's strings come back as strings, and so do rows that are drawn."""
    root, _, people = models
    address = f"http://localhost:{ports[0]}/v1/models/people:predict"
    body = (root / "people" / "1" / "assets.extra" / "request.json").read_text()
    rows = {"city": ["K\u00f6ln", "never seen", ""], "age": [31, 44, np.nan]}
    for given in (json.loads(body)["inputs"], rows):
        status, found = check_server.get(address, json.dumps({"inputs": given}))
        assert status == 200
        rebuilt = people.reconstruct(
            pd.DataFrame({k: np.array(v, object) for k, v in given.items()})
        )
        assert found["outputs"]["city"] == list(rebuilt["city"])
    sample = {"num_samples": 50, "seed": 3}
    body = json.dumps({"signature_name": "sample", "inputs": sample})
    _, found = check_server.get(address, body)
    drawn = people.sample(50, seed=3)["city"]
    assert found["outputs"]["city"] == list(drawn.fillna(""))


@pytest.mark.parametrize("name", ["vae", "vae-png", "people"])
def test_the_script_for_the_real_server(ports, models, name):
    root, model, people = models
    http, grpc = (f"localhost:{port}" for port in ports)
    count = check_server.check(root / name, http, grpc)
    signatures = (people if name == "people" else model).endpoints()
    assert count == 2 * len(signatures)
