"""Study files that make no sense end in words, before any trial."""

import click
import pytest

from kgen import cli, studies
from kgen.errors import InvalidArgument
from tests.studies.common import write

HIDDEN = "\nhidden_units = [4]"
RATE = 'optimizer = {text = "adam:{rate%s}", rate = {%s}}' + HIDDEN


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (RATE % ("", "min = 0.0, max = 1.0, step = 1e-300"), "a step that"),
        (
            RATE % ("", "min = 0.1, max = 1.0, log = true, step = 1.0000001"),
            "a step that reaches",
        ),
        (RATE % ("", f"min = 1.5, max = 1{'0' * 400}"), "numbers, min below"),
        (RATE % ("", "min = 1.5, max = 1e308"), "numbers, min below"),
        (RATE % (":999999999999d", "min = 1, max = 2"), "fixed, small width"),
        (
            f"batch_size = 0\nlatent_dim = {{min = 1, max = 2}}{HIDDEN}",
            "batch_",
        ),
        (
            f'batch_size = "x"\nlatent_dim = {{min = 1, max = 2}}{HIDDEN}',
            "batch_size",
        ),
        (f"optimizer = {{a = 1}}{HIDDEN}", "optimizer"),
        (f"latent_dim = {{min = nan, max = 2}}{HIDDEN}", "min below max"),
        (f"latent_dim = {{min = 4, max = 1}}{HIDDEN}", "min below max"),
        (f"latent_dims = {{min = 1, max = 4}}{HIDDEN}", "mean 'latent_dim'"),
    ],
    ids=["tiny step", "tiny factor", "huge", "large", "wide", "no batch"]
    + ["text", "table", "nan", "order", "name"],
)
def test_a_space_that_makes_no_sense(tmp_path, space, message):
    with pytest.raises(InvalidArgument, match=message):
        studies.read(write(tmp_path, space=space))


@pytest.mark.parametrize("depth", [3000, 100_000])
def test_what_is_nested_too_deeply(tmp_path, depth):
    path = tmp_path / "study.toml"
    path.write_text(f"a = {'[' * depth}{']' * depth}")
    with pytest.raises(InvalidArgument, match="nested too deeply"):
        studies.read(path)
    with pytest.raises(click.BadParameter, match="of a is nested too deeply"):
        cli.Setting().convert(f"a={'-' * depth}1", None, None)


@pytest.mark.parametrize("comment", [100 * ".", "See a.b. " * 60])
def test_dots_in_a_comment_are_no_depth(tmp_path, comment):
    assert studies.read(write(tmp_path, more=f"# {comment}"))


def test_a_step_reaches_the_end_of_its_range(tmp_path):
    for entry in ("min = 0.1, max = 0.3, step = 0.2", "min = 0.1, max = 0.3"):
        studies.read(write(tmp_path, space=RATE % ("", entry)))
