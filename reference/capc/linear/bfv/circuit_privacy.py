"""How much the noise of responses can tell of the weights: a bound.

**The bound.** In a response, a released coefficient of c0 is

    -(c1 s) + round(q z / 2^l) + F + D,    F uniform on the 2^(b+1) integers of [-2^b, 2^b),

where z = W x + addend is uniform, c1 and s do not depend on the weights, and the integer D is the sum of

* the product of the weights with the errors e of the request, which are independent, of mean 0, variance 21/2 and at
  most 21 in magnitude; every weight of a row of blocks meets one of them: E|.| <= sqrt(21/2 sum w^2) (Jensen);
* the product with the roundings of round(q x / 2^l), at most 1/2 each, and zero where x is not encoded: only the
  weights of the output's own channel meet them, whatever other queries share the ciphertext: at most sum |w| / 2;
* the noise of the fresh encryption of zero, u times the error of the public key plus s times its own: 2 N products of
  independent factors of mean 0, u of variance 2/3 and s ternary: E|.| <= sqrt(21/2 N (2/3 + 1));
* the roundings of the addend and of z: at most 1 together.

F + D and F are within statistical distance |D| / 2^(b+1) for every fixed D. The errors of keys and requests are part of
what the querying party knows, so the distance of all it sees is at most the mean: the sum of E|D| / 2^(b+1) over the
released coefficients. No event of small probability is left out. Then c1 = (sum of weights times c1 of the request) +
a u + e holds the only use of u and e, so that a u + e is an RLWE sample under q and c1 pseudorandom, independent of the
weights; switching to the last level only computes on what is there.

The bound is for keys and requests that were made as the specification says (semi-honest querying party). Distances of
several responses add up, also when one request serves several of them.

Source: Gentry 2009 (flooding); Huang et al. 2022. Spec: CAPC-HE-003.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from capc.linear.bfv.encoding.tiling import Tiling, as_convolution
from capc.linear.bfv.encoding.weights import EncodedWeights
from capc.linear.bfv.sampling import ERROR_COINS

ERROR_VARIANCE = Fraction(ERROR_COINS, 4)
"""Of a coefficient of an encryption's error: SEAL's centred binomial of 21 pairs of bits, and this layer's own."""
SECRET_VARIANCE = Fraction(2, 3)
"""Of a coefficient of u."""


def distance_per_response(prepared: EncodedWeights, tiling: Tiling) -> Fraction:
    """An upper bound of the statistical distance of one response from one whose noise does not depend on the weights.

    Exact, and rounded up where a root is taken. It depends on the weights and stays with the answering party. Of one
    tiling it is in proportion to the queries; but fewer weights meet the errors of a request whose blocks are smaller.

    Args:
        prepared: the weights.
        tiling: of the batch that the response is for.
    """
    return tiling.layout.count * _distance(prepared, tiling.rows)


def distance_per_query(prepared: EncodedWeights) -> Fraction:
    """What a query adds at most to the distance of its response, whatever batch it is in.

    As if all weights met the errors of one request: no tiling has larger blocks. What a party declares is admitted by
    this figure, so that no batch can end it early, at a number of queries that would tell of the weights.
    """
    return _distance(prepared, [slice(None)])


def _distance(prepared: EncodedWeights, rows: list[slice]) -> Fraction:
    """Of one query's released coefficients, with the output channels cut into these rows of blocks."""
    context = prepared.context
    fixed = noise_of_zero(context.degree) + 1
    total = Fraction(0)
    for row in rows:
        spread = _ceil_sqrt(ERROR_VARIANCE * sum(prepared.squares[row]))
        total += sum(Fraction(channel, 2) + spread + fixed for channel in prepared.sums[row])
    positions = as_convolution(prepared.operator).grid.positions
    return positions * total / (1 << (context.flood_bits + 1))


def noise_of_zero(degree: int) -> int:
    """A bound of the mean magnitude of the noise of a fresh encryption of zero, in one coefficient."""
    return _ceil_sqrt(ERROR_VARIANCE * degree * (SECRET_VARIANCE + 1))


def _ceil_sqrt(square: Fraction) -> int:
    """An integer not below the root of ``square``, and by less than 2 above it."""
    return isqrt(square.numerator // square.denominator) + 1
