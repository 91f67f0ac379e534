"""Private inference of fully connected layers and convolutions with exact BFV (extra ``he``).

:class:`BfvLinear` implements :class:`capc.linear.interface.LinearScheme` over Z_{2^l} on TenSEAL's binding of SEAL. A
computation is exact: no rounding, no approximation, whatever the values are. :class:`PooledLinear` is the same on
several processes.
"""

from capc.linear.bfv.pool import PooledLinear
from capc.linear.bfv.scheme import BfvLinear

__all__ = ["BfvLinear", "PooledLinear"]
