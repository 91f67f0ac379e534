"""What tests of MP-SPDZ programs share."""

import pytest

from capc_mpc.machine import REMEDY, find_machine

needs_mp_spdz = pytest.mark.skipif(find_machine() is None, reason=f"MP-SPDZ is not installed: {REMEDY}")
"""Skips, with the remedy in the report, where there is no machine."""
