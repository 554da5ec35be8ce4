import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.metrics import active_units


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_units_that_vary_are_active(offset):
    """Standard deviations of 1, 0.2, 0.05 and 0: variances above 0.01 count."""
    signs = np.tile([[1.0], [-1.0]], (50, 1))
    mean = signs * [1.0, 0.2, 0.05, 0.0] + offset
    assert active_units(mean) == 2
    assert active_units(mean, threshold=1e-3) == 3
    assert active_units(mean, threshold=2.0) == 0
    assert isinstance(active_units(mean), int)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(3),), "(n, d)"),
        ((np.ones((1, 3)),), "n of 2"),
        ((np.full((4, 3), np.nan),), "finite"),
        ((np.ones((4, 3)), -1.0), "`threshold`"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InvalidArgument) as error:
        active_units(*arguments)
    assert message in str(error.value)
