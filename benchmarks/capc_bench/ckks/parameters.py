"""The CKKS parameters of the comparison variant: public, agreed beforehand, checked against the 128-bit table.

Source: Cheon, Kim, Kim, Song 2017 (CKKS); the 128-bit table of the Homomorphic Encryption Security Standard 2018, as
SEAL holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

from tenseal import sealapi

from capc.foundation.errors import ParameterError

DOUBLE_BITS = 53
"""A mask is a double: its finest step is 2^(mask_bits - 52)."""

_END_BITS = 60
_SCALE_BITS = 40
_DEGREES = (8192, 16384, 32768)


@dataclass(frozen=True)
class CkksParameters:
    """What both parties hold alike.

    Attributes:
        poly_degree: N of Z_q[X]/(X^N + 1); there are N / 2 slots.
        coefficient_bits: bits of the primes of q; each product consumes one from the right, and the last one is the
            special prime.
        scale_bits: a slot's real value v is held as the integer v * 2^scale_bits, approximately.
        mask_bits: B; masks are uniform in [-2^B, 2^B).
    """

    poly_degree: int
    coefficient_bits: tuple[int, ...]
    scale_bits: int
    mask_bits: int

    @classmethod
    def for_depth(cls, depth: int) -> CkksParameters:
        """The default parameters for a network of that multiplicative depth.

        The chain is 60 bits, then 40 for each product, then 60; the masks take all the room that one last level has
        (B = 18).

        Raises:
            ParameterError: no degree up to 32768 is secure with so long a chain.
        """
        bits = (_END_BITS, *[_SCALE_BITS] * depth, _END_BITS)
        for degree in _DEGREES:
            if sum(bits) <= _most_bits(degree):
                return cls(degree, bits, _SCALE_BITS, _END_BITS - _SCALE_BITS - 2)
        raise ParameterError(f"a depth of {depth} needs {sum(bits)} bits of modulus: use fewer layers")

    @property
    def slots(self) -> int:
        """How many reals one ciphertext holds."""
        return self.poly_degree // 2

    @property
    def depth(self) -> int:
        """How many products, one after another, a ciphertext allows."""
        return len(self.coefficient_bits) - 2

    def room_bits(self, depth: int) -> int:
        """r; after ``depth`` products no value wraps if every slot stays below 2^r in magnitude.

        The polynomial's coefficients wrap, not the slots: where few slots are large, larger values pass.
        """
        return sum(self.coefficient_bits[: len(self.coefficient_bits) - 1 - depth]) - self.scale_bits - 1

    def hiding_bits(self, logit_bound: float) -> float:
        """k; masked logits below ``logit_bound`` are within statistical distance 2^-k of the bare mask, at best.

        Two uniform laws on intervals of length 2^(B+1), shifted by v, are at distance |v| / 2^(B+1). The rounding
        of masks to doubles and of logits to shares can only lower k.
        """
        return self.mask_bits + 1 - log2(logit_bound)


def _most_bits(degree: int) -> int:
    most: int = sealapi.CoeffModulus.MaxBitCount(degree, sealapi.SEC_LEVEL_TYPE.TC128)
    return most
