"""Private inference of fully connected layers and convolutions with exact BFV (extra ``he``).

:class:`BfvLinear` implements :class:`capc.linear.LinearScheme` over Z_{2^l} on TenSEAL's binding of SEAL. A
computation is exact: no rounding, no approximation, whatever the values are.
"""

from capc.he.scheme import BfvLinear

__all__ = ["BfvLinear"]
