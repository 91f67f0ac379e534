"""Whether the emulated network runs here."""

import os
from pathlib import Path

import pytest

from capc_mpc.emulated.network import REMEDY

needs_network = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/net/tun").exists(), reason=f"no emulated network: {REMEDY}"
)
"""Skips, with the remedy in the report, where namespaces may not be made."""
