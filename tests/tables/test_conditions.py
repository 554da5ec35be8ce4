"""Conditions on which a generator of rows is trained: their laws, exactly."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy import special, stats

import kgen
from kgen.data import Table
from kgen.errors import InvalidArgument
from kgen.tables import Conditions

DRAWS = 40_000
SMALL = {"hidden_units": (8,), "latent_dim": 2}
# How many rows have each value, and for the logarithms the gaps, as in training.
CITIES, MEMBERS = np.array([80, 12, 3]), np.array([25, 75])
GAPS = 5


@pytest.fixture(scope="module")
def frame():
    """A city with a rare value and gaps, a truth value, and the row's number."""
    rng = np.random.default_rng(0)
    city = np.repeat(["Bonn", "Ulm", "Werl", None], [*CITIES, GAPS])
    member = np.repeat([False, True], MEMBERS)
    return pd.DataFrame(
        {
            "city": rng.permutation(city),
            "number": np.linspace(0.0, 1.0, 100),
            "member": rng.permutation(member),
        }
    )


@pytest.fixture(scope="module")
def table(frame):
    return Table.infer(frame, numbers="standard")


@pytest.fixture(scope="module")
def conditions(table):
    return Conditions(table)


def is_law(values, probabilities):
    """Whether draws have these probabilities, by a chi-squared test."""
    counts = np.bincount(values, minlength=len(probabilities))
    return stats.chisquare(counts, DRAWS * probabilities).pvalue > 1e-3


def test_training_draws_columns_values_and_rows(frame, table, conditions):
    """A column uniformly, a value by log(1 + count), a row that has it uniformly."""
    uniform = np.random.default_rng(1).random((DRAWS, 2)).astype("float32")
    rows, chosen = conditions.drawn(table.encode(frame), uniform)
    logs = [np.log1p([*CITIES, GAPS]), np.log1p(MEMBERS)]
    law = np.concatenate([0.5 * each / each.sum() for each in logs])
    assert conditions.count == len(law) == 6
    assert is_law(chosen.numpy(), law)
    back = table.decode(rows)
    number = np.round(back["number"] * 99).astype(int).to_numpy()
    meets = [frame["city"] == name for name in ("Bonn", "Ulm", "Werl")]
    meets += [frame["city"].isna(), ~frame["member"], frame["member"]]
    given = np.array([each / each.sum() for each in meets])
    assert (given[chosen, number] > 0).all()
    assert is_law(number, law @ given)
    rare = number[chosen.numpy() == 2]
    counts = np.bincount(rare, minlength=100)[meets[2]]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_values_that_a_batch_lacks_are_not_drawn(frame, table, conditions):
    part = frame[(frame["city"] == "Ulm") & frame["member"]]
    uniform = np.random.default_rng(1).random((500, 2)).astype("float32")
    rows, chosen = conditions.drawn(table.encode(part), uniform)
    assert set(chosen.numpy()) == {1, 5}
    assert abs((chosen.numpy() == 1).mean() - 0.5) < 4 * np.sqrt(0.25 / 500)
    assert (table.decode(rows)["city"] == "Ulm").all()


def test_codes_stand_for_conditions_as_frequent_as_they_are(conditions):
    z = np.random.default_rng(0).normal(size=(DRAWS, 2)).astype("float32")
    found = conditions.of_code(z).numpy()
    shares = np.concatenate([[*CITIES, GAPS], MEMBERS]) / 200
    assert is_law(found, shares)
    # A code that is drawn for its condition stands for it, and is normal.
    others = np.random.default_rng(1).permutation(found)
    codes = conditions.code_of(z, others).numpy()
    np.testing.assert_array_equal(codes[:, 1], z[:, 1])
    assert (conditions.of_code(codes).numpy() == others).mean() > 0.9999
    assert stats.kstest(codes[:, 0], "norm").pvalue > 1e-3


# The parameters of a city, its flag, a number, its flag, a truth value, its flag.
PARAMETERS = np.array([0.3, -1.0, 0.5, -0.7, 0.2, 9.0, 1.1, 9.0], "float32")


def by_hand():
    """-log p of each condition."""
    cities = special.log_softmax(PARAMETERS[:3].astype("float64"))
    known, missing = special.log_expit(0.7), special.log_expit(-0.7)
    members = special.log_expit([-1.1, 1.1])
    return -np.array([*(cities + known), missing, *members])


def test_the_loss_is_minus_log_p_of_the_condition(conditions):
    parameters = np.tile(PARAMETERS, (6, 1))
    found = conditions.log_prob(parameters).numpy()
    np.testing.assert_allclose(-found, np.tile(by_hand(), (6, 1)), rtol=1e-5)
    for number in range(6):
        loss = conditions.loss(parameters, np.full(6, number))
        np.testing.assert_allclose(loss, by_hand()[number], rtol=1e-5)


def make(table, **options):
    return kgen.create_model(
        "gan",
        table=table,
        training_by_sampling=True,
        seed=0,
        **SMALL,
        **options,
    )


def test_the_loss_of_a_generator_by_hand(frame, table):
    """One that makes of each z the same row, before a discriminator of logits 0."""
    gan = make(table)
    gan.compile(penalty=None)
    dense = gan.generator.layers[-3]
    dense.set_weights([np.zeros((8, 8)), PARAMETERS])
    gan.discriminator.set_weights(
        [np.zeros(w.shape) for w in gan.discriminator.weights]
    )
    labels = tf.constant([0, 2, 2, 5])
    losses = gan._generator_losses(
        [tf.constant(table.encode(frame[:4])), labels]
    )
    expected = by_hand()[labels.numpy()].mean()
    np.testing.assert_allclose(losses.condition_loss, expected, rtol=1e-5)
    np.testing.assert_allclose(losses.generator_loss, np.log(2), rtol=1e-5)
    np.testing.assert_allclose(losses.loss, expected + np.log(2), rtol=1e-5)


def test_a_model_draws_its_conditions_itself(frame, table, tmp_path):
    gan = make(table)
    gan.compile(run_eagerly=True)
    logs = gan.fit(frame, epochs=2, verbose=0).history
    assert np.isfinite(logs["condition_loss"]).all()
    assert "condition_loss" in gan.evaluate(frame, verbose=0, return_dict=True)
    z = tf.random.stateless_normal([9, 2], [0, 0])
    conditions = gan.conditions.law.of_code(z)
    np.testing.assert_allclose(
        gan(z), gan.serving_generator([z, conditions]), rtol=1e-6
    )
    rows = gan.sample(30, seed=1)
    gan.save(tmp_path / "gan.keras")
    copy = keras.saving.load_model(tmp_path / "gan.keras")
    pd.testing.assert_frame_equal(rows, copy.sample(30, seed=1))
    with pytest.raises(InvalidArgument, match="on a condition"):
        gan.discriminate(frame)
    assert "discriminate" not in gan.endpoints()


def test_rare_categories_are_learned(frame, table):
    """The generator learns to do as it is told, and rows are as frequent."""
    gan = make(table)
    gan.compile("adam:0.003:0.5", "adam:0.003:0.5", ema_decay=0.99)
    gan.fit(pd.concat([frame] * 800), batch_size=100, epochs=1, verbose=0)
    z = tf.random.stateless_normal([3000, 2], [0, 0])
    told = tf.repeat(tf.range(6), 500)
    z = gan.conditions.law.code_of(z, told)
    rows = gan.serving_generator([z, told])
    met = gan.conditions.law.met(rows).numpy()[np.arange(3000), told]
    assert met.reshape(6, 500).mean(axis=1).min() > 0.5
    shares = gan.sample(4000, seed=0)["city"].value_counts(normalize=True)
    assert abs(shares["Bonn"] - CITIES[0] / CITIES.sum()) < 0.1


def test_what_can_t_be_trained_so(frame, table):
    with pytest.raises(InvalidArgument, match="is a table without a target"):
        make(Table.infer(frame, target="city"))
    with pytest.raises(InvalidArgument, match="a column of categories"):
        make(Table.infer(frame[["number"]]))
    with pytest.raises(InvalidArgument, match="is a table without a target"):
        kgen.create_model(
            "gan",
            input_shape=(3,),
            network="dense",
            training_by_sampling=True,
            **SMALL,
        )
    plain = kgen.create_model("gan", table=table, **SMALL)
    with pytest.raises(InvalidArgument, match="6 labels, the conditions"):
        kgen.GAN(
            plain.generator,
            plain.discriminator,
            table=table,
            training_by_sampling=True,
        )
