"""Private inference of fully connected layers and convolutions with exact BFV (extra ``he``).

:class:`BfvLinear` implements :class:`capc.linear.interface.LinearScheme` over Z_{2^l} on TenSEAL's binding of SEAL. A
result is exact, whatever the values are: what is rounded stays within the guard bits of shares.
:class:`PooledLinear` is the same on several processes.
"""

from capc.linear.bfv.pool import PooledLinear
from capc.linear.bfv.scheme import BfvLinear

__all__ = ["BfvLinear", "PooledLinear"]
