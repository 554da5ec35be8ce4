"""What the commands on a run of a table write, and what they refuse."""

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

import kgen
from kgen.data import Table
from kgen.errors import InvalidArgument
from kgen.evaluation import Evidence, compute
from kgen.runs import inference

ROWS = 60


@pytest.fixture(scope="module")
def frame():
    """Names that the commands have, too, and whole numbers with gaps."""
    age = np.arange(ROWS) % 30 + 20.0
    return pd.DataFrame(
        {
            "row": np.where(np.arange(ROWS) % 3, "Bonn", "Ulm"),
            "of": np.linspace(0.0, 1.0, ROWS).round(2),
            "age": np.where(np.arange(ROWS) % 4, age, np.nan),
            "on": np.where(np.arange(ROWS) % 5, np.arange(ROWS) % 2, np.nan),
        }
    )


@pytest.fixture(scope="module")
def model(frame):
    """One that is not trained."""
    keras.utils.set_random_seed(0)
    table = Table.infer(frame, kinds={"on": "boolean"})
    return kgen.create_model(
        "vae", table=table, seed=0, hidden_units=(8,), latent_dim=2
    )


@pytest.fixture
def run():
    """What `kgen.runs.held_out` needs of a run."""

    def source(data, any_range, table):
        return kgen.data.open_source(data, table=table, every_row=True)

    return SimpleNamespace(settings=SimpleNamespace(source=source))


def written(result, path):
    """The cells of what a command writes as a CSV file."""
    result.write(path)
    return pd.read_csv(path, dtype="str", keep_default_na=False)


def test_reconstructions_of_columns_named_as_theirs(
    run, model, frame, tmp_path
):
    frame.to_csv(tmp_path / "rows.csv", index=False)
    result = inference.reconstruct(run, model, tmp_path / "rows.csv", 5)
    rows = written(result, tmp_path / "out.csv")
    assert list(rows) == ["row_", "of_", *frame]
    assert rows["of_"].tolist() == ["original", "reconstruction"] * 5
    assert rows["row_"].tolist() == [str(n) for n in range(5) for _ in "ab"]
    assert set(rows["age"][::2]) <= {"", *map(str, range(20, 50))}


@pytest.mark.parametrize("command", ["sample", "impute"])
def test_whole_numbers_with_gaps_are_written_without_a_point(
    model, frame, tmp_path, command
):
    frame.to_parquet(tmp_path / "rows.parquet")
    if command == "sample":
        result = inference.sample(None, model, 200, 0, None)
    else:
        source = tmp_path / "rows.parquet"
        result = inference.impute(None, model, source, 5, False, 0)
    rows = written(result, tmp_path / "out.csv")
    assert ("" in set(rows["age"])) == (command == "sample")
    assert set(rows["age"]) - {""} <= set(map(str, range(20, 50)))
    assert set(rows["on"]) - {""} <= {"0", "1"}


def test_a_column_named_as_python_names_objects():
    frame = pd.DataFrame({"self": [1, None, 3] * 9})
    cells = inference._cells_of(Table.infer(frame), frame)
    assert cells["self"].tolist() == ["1", "", "3"] * 9


def test_whole_numbers_have_no_point_in_messages(model):
    with pytest.raises(InvalidArgument, match="values from 20 to 49"):
        model.sample(1, conditions={"age": 1000})


def test_values_of_one_column_are_joined(model):
    where = (("row", "Bonn"), ("age", "30"), ("row", "Ulm"), ("age", "40"))
    rows = inference.sample(None, model, 200, 0, None, where).rows
    assert set(rows["row"]) == {"Bonn", "Ulm"}
    assert set(rows["age"]) == {30.0, 40.0}
    for where in (
        (("age", ("20", "30")), ("age", ("35", "40"))),
        (("age", ("20", "30")), ("age", "40")),
    ):
        with pytest.raises(InvalidArgument, match="`age` has bounds beside"):
            inference.sample(None, model, 1, 0, None, where)


def test_the_target_of_what_is_learned_of_rows_can_be_named(model, frame):
    table = model.table
    source = kgen.data.open_source(frame, table=table)
    data = source.examples("test"), source.examples("train")
    obstacles = {}
    for target, names in (
        ("row", {"learned_accuracy", "learned_f1"}),
        ("on", {"learned_accuracy", "learned_f1"}),
        ("age", {"learned_r2"}),
        (None, set()),
    ):
        evidence = Evidence(model, *data, num_samples=40, target=target)
        figures, reasons = compute(evidence)
        learned = {name for name in figures if name.startswith("learned")}
        assert learned == names
        assert all(figures[name].floor <= 1 for name in names)
        obstacles[target] = {
            reason for name, reason in reasons.items() if "learned" in name
        }
    assert obstacles["age"] == {"the target `age` holds numbers"}
    assert obstacles["row"] == {"the target `row` holds no numbers"}
    assert obstacles[None] == {
        "there is no target to predict: --target COLUMN names one"
    }
    with pytest.raises(InvalidArgument, match="did you mean 'age'"):
        Evidence(model, *data, target="aged")
    pictures = kgen.create_model("gan", input_shape=(3,), network="dense")
    with pytest.raises(InvalidArgument, match="`target`.*of no table"):
        Evidence(model, *data, target="age").for_model(pictures)


@pytest.mark.parametrize(
    ("name", "method", "words"),
    [
        ("gan", "detect", "Models that can: autoencoder, "),
        ("gan", "impute", "Models of a table that can: vae, "),
        ("vae", "impute", "Models of a table that can: vae, "),
        ("vae", "classify", "Models that can: bayes_classifier."),
    ],
)
def test_models_that_can_do_it_are_named(monkeypatch, name, method, words):
    model = kgen.create_model(name, input_shape=(3,), network="dense")
    settings = SimpleNamespace(model=name)
    run = SimpleNamespace(model=lambda: model, settings=settings)
    monkeypatch.setattr(inference, "Run", lambda path, is_best: run)
    with pytest.raises(InvalidArgument, match=f"can't {method}. {words}"):
        inference.write("run", method, None, [".csv"])
