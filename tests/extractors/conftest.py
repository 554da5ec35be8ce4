"""No test reads or writes the user's own cache."""

import pytest


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "extractors"
