"""`kgen.sklearn.TableSynthesizer`."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from kgen.errors import InvalidArgument
from kgen.sklearn import TableSynthesizer

QUICK = {"hidden_units": (32,), "latent_dim": 4, "epochs": 1, "min_steps": 400}


@pytest.fixture(scope="module")
def frame():
    """Two columns that tell each other, with gaps."""
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b"], 400)
    x = np.where(kind == "a", -5.0, 5.0) + rng.normal(size=400)
    frame = pd.DataFrame({"kind": kind, "x": x, "n": rng.integers(0, 9, 400)})
    frame.loc[rng.random(400) < 0.1, "x"] = None
    return frame


@pytest.fixture(scope="module")
def fitted(frame):
    return TableSynthesizer(random_state=0, prior="mixture:4", **QUICK).fit(
        frame
    )


def test_rows_have_the_relations_of_the_table(fitted, frame):
    rows = fitted.sample(1000, seed=1)
    assert (rows.dtypes == frame.dtypes).all()
    known = rows.dropna()
    # Of independent columns, half would agree.
    assert ((known["kind"] == "b") == (known["x"] > 0)).mean() > 0.75
    pd.testing.assert_frame_equal(rows, fitted.sample(1000, seed=1))
    assert (
        fitted.sample(5, conditions={"kind": "b"}, seed=0)["kind"] == "b"
    ).all()


def test_gaps_are_filled(fitted, frame):
    filled = fitted.transform(frame)
    assert not filled["x"].isna().any()
    gaps = frame["x"].isna()
    assert ((filled["x"] > 0) == (frame["kind"] == "b"))[gaps].mean() > 0.8
    assert list(fitted.get_feature_names_out()) == list(frame)


def test_a_fit_is_a_function_of_the_random_state(fitted, frame):
    other = clone(fitted).fit(frame)
    pd.testing.assert_frame_equal(
        other.sample(50, seed=0), fitted.sample(50, seed=0)
    )


def test_bad_input(frame):
    with pytest.raises(NotFittedError):
        TableSynthesizer().sample(1)
    with pytest.raises(InvalidArgument, match="`epochs` of `TableSynthesizer`"):
        TableSynthesizer(epochs=0).fit(frame)
    with pytest.raises(InvalidArgument, match="did you mean 'kind'"):
        TableSynthesizer(target="kin").fit(frame)
