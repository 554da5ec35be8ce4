"""What the search has found once is refused, or read, ever since."""

import pathlib

import pytest

from kgen import cli, damage
from tests.fuzz.readers import READERS, check

_CORPUS = pathlib.Path(__file__).parent / "corpus"
_FILES = sorted(
    path for path in _CORPUS.glob("*/*") if path.parent.name in READERS
)
_DEEP = 100_000
# Too large, or too plain, to be files.
_MADE = {
    ("config", "an array too deep"): b"[" * _DEEP,
    ("config", "an object too deep"): b'{"a":' * _DEEP,
    ("study", "a list too deep"): b"a=" + b"[" * _DEEP,
    ("study", "a key too deep"): b"a" + b".a" * _DEEP + b"=1",
    ("study", "a number too long"): b"a=" + b"1" * 5000,
    ("history", "a field too long"): b"epoch,loss\n0," + b"1" * 200_000,
    ("history", "an epoch too long"): b"epoch,loss\n" + b"1" * 5000 + b",1\n",
    ("history", "text"): b"epoch,loss\n0,a\n",
    ("history", "half an epoch"): b"epoch,loss\n0.5,1\n",
    ("history", "no end of epochs"): b"epoch,loss\ninf,1\n",
    ("history", "no epoch"): b"loss\n1\n",
    ("history", "a field too many"): b"epoch,loss\n0,1,2\n",
    ("history", "a zero"): b"epoch,loss\n0,\0\n",
    ("history", "no UTF-8"): b"epoch,loss\n0,\xff\n",
}


@pytest.mark.parametrize(
    "path", _FILES, ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_a_file_of_the_corpus(tmp_path, path):
    refusal = check(tmp_path, path.parent.name, path.read_bytes())
    assert refusal is not None


@pytest.mark.parametrize(("kind", "what"), _MADE)
def test_what_is_made(tmp_path, kind, what):
    check(tmp_path, kind, _MADE[kind, what])


@pytest.mark.parametrize("text", ["-", "[", "(", "{1:", "not "])
def test_settings_too_deep(text):
    """Python's own parser gives up on them in several ways."""
    value = text * _DEEP
    try:
        read = cli.Setting().convert(f"x={value}", None, None)
    except cli.click.UsageError as error:
        assert "nested too deeply" in error.format_message()
    else:
        assert read == ("x", value)


def test_an_archive_that_points_outside_is_damaged():
    """As a model's file is, too."""
    path = _CORPUS / "npz" / "directory_points_outside.npz"
    assert "outside of itself" in damage.archive_damage(path)
