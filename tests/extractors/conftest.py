"""No test reads or writes the user's own cache."""

import numpy as np
import pytest

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "extractors"
