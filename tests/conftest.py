"""Plugins of the whole suite: requirements and seeded faults, and pytest's own tester of plugins.

Property tests may not fail because a machine is busy: they have no deadline, and large examples are no error.
A suite that is started in the background may inherit an ignored SIGINT, and so would every process that a test starts
to interrupt: the ordinary handler is put back.
"""

import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ["capc_verify.pytest_plugin", "pytester"]

settings.register_profile(
    "capc", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("capc")

signal.signal(signal.SIGINT, signal.default_int_handler)
