"""Plugins of the whole suite: requirements and seeded faults, and pytest's own tester of plugins."""

pytest_plugins = ["capc_verify.pytest_plugin", "pytester"]
