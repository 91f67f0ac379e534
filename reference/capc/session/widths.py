"""The widths of a session and its HE parameters: published sets, and the rules that any set keeps (CAPC-PARAM-001).

Spec: CAPC-PARAM-052, CAPC-NAME-006.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from importlib import resources

from capc.foundation import guarded
from capc.foundation.errors import ParameterError

ERROR_COINS = 42
"""Fair coins of one coefficient of an error: its variance is a quarter of them, its magnitude at most half."""

TWICE_ERROR_OF_REQUEST = ERROR_COINS + 1
"""A coefficient of an honest request has an error of half of it at most, with the rounding of its plaintext."""

NEAR_BITS = 8
"""A prime of b bits is above 2^b (1 - 2^-8)."""

MOST_PRIME_BITS = 60
"""Under a single prime of so many bits SEAL's decryption is exactly round(2^T y / p); it takes no larger ones."""

_MOST = {"fraction_bits": "logit_bits - 2 = ", "logit_bits": "59 - guard_bits = "}


@dataclass(frozen=True)
class ParameterSet:
    """The named widths and the HE parameters. Field names are the specification's; see spec/03-parameters.md.

    Attributes:
        name: of a published set, or another name for a set made for a test.
        logit_bits: l, the width of the logit ring Z_{2^l}.
        vote_bits: w, the width of the vote ring Z_{2^w}.
        grid_bits: g; votes are scaled by 2^g and noise is rounded to multiples of 2^-g votes.
        fraction_bits: f, the fixed-point fraction of features, weights and activations.
        he_poly_degree: N of Z_q[X]/(X^N + 1).
        guard_bits: h; shares of sums are in Z_{2^T}, T = l + h, which is also BFV's plaintext modulus.
        he_coefficient_bits: bits of the primes: first the response prime, then those that responses are switched away
            from, last the special prime.
    """

    name: str
    logit_bits: int
    vote_bits: int
    grid_bits: int
    fraction_bits: int
    guard_bits: int
    he_poly_degree: int
    he_coefficient_bits: tuple[int, ...]

    def __post_init__(self) -> None:
        for field, least, most in (
            ("guard_bits", 1, 16),
            ("logit_bits", 3, 59 - self.guard_bits),
            ("vote_bits", 2, 64),
            ("grid_bits", 0, 16),
            ("fraction_bits", 0, self.logit_bits - 2),
        ):
            value = getattr(self, field)
            most_is = _MOST.get(field, "")
            require(least <= value <= most, field, value, f"choose {least} to {most_is}{most}")
        bits = self.he_coefficient_bits
        fits = len(bits) >= 2 and all(2 <= each <= MOST_PRIME_BITS for each in bits)
        require(fits, "he_coefficient_bits", list(bits), f"give at least two primes of 2 to {MOST_PRIME_BITS} bits")
        room, error = guarded.room(self.guard_bits), self.response_error
        # Two guard bits have no room at all, whatever the primes are.
        remedy = f"they have no room for a response's error of {error}: choose at least 3"
        require(room > 0 or error == 0, "guard_bits", self.guard_bits, remedy)
        remedy = f"a response's error of {error} is above {room}, the room of the guard bits: enlarge the first prime"
        require(error <= room, "he_coefficient_bits", list(bits), remedy)

    @property
    def share_bits(self) -> int:
        """T = l + h, the width of shares of sums."""
        return self.logit_bits + self.guard_bits

    @cached_property
    def response_error(self) -> int:
        """The largest |v| of one response to an honest request under an honest key (CAPC-HE-017). Of public figures.

        Half a unit for each of the two roundings of shares, half for request and weights (a layer with more is refused
        by whoever has it), and what the encryption of zero adds and each switch to fewer primes rounds:

            3/2 + 2^T e_0 / p,  e_i = e_{i+1} / p_{i+1} + (N + 1) / 2,  e at the level of requests 42 N.
        """
        *primes, _ = self.he_coefficient_bits
        error = Fraction(ERROR_COINS * self.he_poly_degree)
        for dropped in reversed(primes[1:]):
            error = error / least_prime(dropped) + Fraction(self.he_poly_degree + 1, 2)
        return int(Fraction(3, 2) + error * (1 << self.share_bits) / least_prime(primes[0]))

    @classmethod
    def named(cls, name: str) -> ParameterSet:
        """The published set of that name: `toy`, `test`, `default` or `conservative`.

        Raises:
            ParameterError: there is no such set.
        """
        folder = resources.files("capc_spec") / "parameter_sets"
        known = sorted(entry.name.removesuffix(".json") for entry in folder.iterdir())
        if name == "fast":
            raise ParameterError("parameter set 'fast' is gone: `default` is as fast now")
        if name not in known:
            raise ParameterError(f"parameter set {name!r} is unknown: choose one of {', '.join(known)}")
        fields = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        fields["he_coefficient_bits"] = tuple(fields["he_coefficient_bits"])
        return cls(**fields)


def require(holds: bool, field: str, value: object, remedy: str) -> None:
    """Refuses a field with one line, if a rule does not hold.

    Raises:
        ParameterError: as said.
    """
    if not holds:
        raise ParameterError(f"{field} = {value}: {remedy}")


def least_prime(bits: int) -> int:
    """What every prime of so many bits is above, by :data:`NEAR_BITS`."""
    return (1 << bits) - (1 << bits >> NEAR_BITS)
