"""Exports of models of tables: a tensor for each column, by its name."""

import json

import numpy as np
import pandas as pd
import pytest

import kgen
from kgen.data import Table
from kgen.export import columns
from tests.export.server import Model

ROWS = 120
SMALL = {"hidden_units": (8,), "latent_dim": 2}


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "city": rng.choice(["Bonn", "K\u00f6ln"], ROWS),
            # Names that are no names of tensors, or those of other inputs.
            "status quo (x)": np.where(
                rng.random(ROWS) < 0.2, np.nan, rng.normal(size=ROWS)
            ),
            "labels": rng.integers(0, 1000, ROWS),
            "price": np.round(rng.gamma(2.0, size=ROWS), 2),
            "1st": pd.date_range("2024-01-01", periods=ROWS, freq="D"),
            "member": rng.random(ROWS) < 0.5,
        }
    )


INPUTS = {
    "city": "city",
    "status quo (x)": "status_quo__x_",
    "labels": "labels_",
    "price": "price",
    "1st": "column_1st",
    "member": "member",
}


@pytest.fixture(scope="module")
def vae(frame):
    vae = kgen.create_model("vae", table=Table.infer(frame), seed=0, **SMALL)
    vae.compile()
    vae.fit(frame, epochs=2, verbose=0)
    return vae


@pytest.fixture(scope="module")
def served(vae, frame, server, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "1"
    vae.export(path, examples=frame)
    return Model(server, path)


def given(frame):
    """The inputs of a request, as a client would make them."""
    return {
        "city": np.array([x.encode() for x in frame["city"]], object),
        "status_quo__x_": frame["status quo (x)"].to_numpy("float64"),
        "labels_": frame["labels"].to_numpy("float64"),
        "price": frame["price"].to_numpy("float64"),
        "column_1st": np.array(
            [(day - pd.Timestamp(0)).days for day in frame["1st"]], "float64"
        ),
        "member": frame["member"].to_numpy("float64"),
    }


def test_it_answers_as_python_does(vae, served, frame):
    inputs = served.signatures["serving_default"].inputs
    assert set(inputs) == set(INPUTS.values())
    found = served("encode", **given(frame[:9]))
    mean, log_var = vae.posterior(frame[:9])
    np.testing.assert_allclose(found["mean"], mean, atol=1e-5)
    np.testing.assert_allclose(found["log_var"], log_var, atol=1e-5)
    found = served("serving_default", **given(frame[:9]))
    rebuilt = vae.reconstruct(frame[:9])
    assert [x.decode() for x in found["city"]] == list(rebuilt["city"])
    np.testing.assert_array_equal(found["labels_"], rebuilt["labels"])


def test_rows_are_drawn_as_in_python(vae, served):
    found = served("sample", num_samples=np.int32(50), seed=np.int32(3))
    rows = vae.sample(50, seed=3)
    assert [x.decode() for x in found["city"]] == list(rows["city"])
    np.testing.assert_array_equal(found["member"] > 0.5, rows["member"])
    assert 0 < rows["status quo (x)"].isna().mean() < 0.5
    np.testing.assert_allclose(
        found["status_quo__x_"], rows["status quo (x)"], rtol=1e-4
    )
    # Whole numbers, decimals and days are as in the table, to the last bit.
    expected = given(rows)
    for name in ("labels_", "price", "column_1st"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_gaps_and_what_is_unknown(vae, served, frame):
    row = frame[:1].assign(**{"city": "Ulm", "status quo (x)": np.nan})
    inputs = given(row)
    found = served("encode", **inputs)["mean"]
    np.testing.assert_allclose(found, vae.posterior(row)[0], atol=1e-5)
    found = served("outlier_score", **inputs)["outlier_score"]
    np.testing.assert_allclose(found, vae.outlier_score(row), rtol=1e-5)
    inputs["city"] = np.array([b""], object)
    found = served("outlier_score", **inputs)["outlier_score"]
    gap = row.assign(city=None)
    np.testing.assert_allclose(found, vae.outlier_score(gap), rtol=1e-5)
    inputs["labels_"] = np.array([np.inf])
    with pytest.raises(RuntimeError, match="finite numbers or NaN"):
        served("encode", **inputs)


def test_the_request_and_the_card_tell_of_columns(served):
    body = json.loads(
        (served.path / "assets.extra" / "request.json").read_text()
    )
    assert set(body["inputs"]) == set(INPUTS.values())
    assert body["inputs"]["city"][0] in ("Bonn", "K\u00f6ln")
    card = json.loads((served.path / "model.json").read_text())
    columns = {x["column"]: x for x in card["table"]["columns"]}
    assert {name: x["input"] for name, x in columns.items()} == INPUTS
    assert columns["city"]["values"] == ["Bonn", "K\u00f6ln"]
    assert columns["1st"]["unit"] == "86400 seconds since 1970, in UTC"


def test_a_classifier_and_a_generator(frame, server, tmp_path):
    table = Table.infer(frame, target="city")
    model = kgen.create_model(
        "bayes_classifier", table=table, density="columns"
    )
    model.compile()
    model.fit(frame, verbose=0)
    model.export(tmp_path / "classifier")
    inputs = given(frame[:9])
    del inputs["city"]
    found = Model(server, tmp_path / "classifier")("serving_default", **inputs)
    np.testing.assert_allclose(
        found["probabilities"],
        np.exp(model.predict_log_proba(frame[:9])),
        atol=1e-5,
    )
    for by_sampling in (False, True):
        gan = kgen.create_model(
            "gan",
            table=Table.infer(frame),
            training_by_sampling=by_sampling,
            **SMALL,
        )
        gan.export(tmp_path / f"gan{by_sampling}")
        served = Model(server, tmp_path / f"gan{by_sampling}")
        found = served("sample", num_samples=np.int32(20), seed=np.int32(1))
        cities = [x.decode() for x in found["city"]]
        assert cities == list(gan.sample(20, seed=1)["city"])


def test_an_input_has_its_column_s_own_name_where_it_can():
    rows = np.linspace(0.0, 1.0, 30)
    names = ["a b", "a_b", "1", "seed", "seed_", "a-b"]
    table = Table.infer(pd.DataFrame(dict.fromkeys(names, rows)))
    inputs = {n: spec.name for n, spec in columns.specs_of(table).items()}
    assert inputs == {
        "a b": "a_b_",
        "a_b": "a_b",
        "1": "column_1",
        "seed": "seed__",
        "seed_": "seed_",
        "a-b": "a_b__",
    }
