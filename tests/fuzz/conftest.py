"""Profiles of Hypothesis: `kgen`, which always does the same, and `long`."""

from hypothesis import HealthCheck, settings

# Building a model takes most of the time of an example, and a source of many
# refusals is what is wanted here: neither is a sign of a bad test.
_COMMON = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile(
    "kgen", max_examples=100, derandomize=True, database=None, **_COMMON
)
settings.register_profile("long", max_examples=2000, **_COMMON)
settings.load_profile("kgen")
