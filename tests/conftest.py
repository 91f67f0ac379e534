"""Plugins of the whole suite: requirements and seeded faults, and pytest's own tester of plugins.

Property tests may not fail because a machine is busy: they have no deadline, and large examples are no error.
"""

from hypothesis import HealthCheck, settings

pytest_plugins = ["capc_verify.pytest_plugin", "pytester"]

settings.register_profile(
    "capc", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("capc")
