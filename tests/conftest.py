"""Shared settings of the test suite."""

from hypothesis import HealthCheck, settings

# busy machines are not defects: examples are bounded in number, not in time; the same examples every time
settings.register_profile(
    "suite", max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")
