"""The wheel and the sdist: they hold what git tracks, and say what it is."""

import email
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

import kgen

ROOT = pathlib.Path(__file__).parents[1]
BUILD = (
    "from setuptools import build_meta; build_meta.build_wheel('dist'); "
    "build_meta.build_sdist('dist')"
)


def output(*command, **options):
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, **options
    )
    return done.stdout


@pytest.fixture(scope="module")
def tracked():
    """The files that git tracks, by their paths from the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not in a clone of the repository")
    names = output("git", "ls-files", "-z", cwd=ROOT).split("\0")
    return {name for name in names if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def dist(tracked, tmp_path_factory):
    """Where both are built, of a copy out of which nothing of git's is left."""
    folder = tmp_path_factory.mktemp("tree")
    for name in tracked:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "dist").mkdir()
    output(sys.executable, "-c", BUILD, cwd=folder)
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(dist):
    with zipfile.ZipFile(*dist.glob("*.whl")) as archive:
        yield archive


def test_the_sdist_holds_what_git_tracks(dist, tracked):
    with tarfile.open(*dist.glob("*.tar.gz")) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked - held <= {".ci/run", ".gitignore"}


def test_the_wheel_holds_what_git_tracks(wheel, tracked):
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == {name for name in tracked if name.startswith("kgen/")}
    assert {"kgen/py.typed", "kgen/runs/report/style.css"} < held


def test_the_wheel_says_what_it_is(wheel):
    def text(name):
        (path,) = (n for n in wheel.namelist() if n.endswith(f"/{name}"))
        return wheel.read(path).decode()

    found = email.message_from_string(text("METADATA"))
    assert found["Version"] == kgen.__version__
    assert found["Author"] == "kgen contributors"
    assert {"gpu", "parquet", "test"} <= set(found.get_all("Provides-Extra"))
    assert found.get_payload().startswith("# kgen")
    assert "kgen = kgen.cli:main" in text("entry_points.txt")
    assert "Apache License" in text("LICENSE")
