"""The parameters of a session: what every party must hold alike, its rules, and its digest (CAPC-PARAM).

Nothing here is secret, and nothing here may depend on private data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from importlib import resources
from math import ceil, isqrt

from capc.foundation import guarded
from capc.foundation.errors import ParameterError
from capc.models.architecture import FEWEST_CLASSES, MOST_CLASSES
from capc_spec.registry import TAGS

SPEC_VERSION = "0.2.0"

WRAP_FAILURE_BITS = 40
"""Noise leaves the vote ring's admitted range with probability at most 2^-40 per query."""

MAX_RENYI_ORDER = 1 << 20
"""The largest order that a policy may fix; noise that needs a larger one costs next to nothing at this one."""

_LN2_UPPER = Fraction(6932, 10000)

ERROR_COINS = 42
"""Fair coins of one coefficient of an error: its variance is a quarter of them, its magnitude at most half."""

TWICE_ERROR_OF_REQUEST = ERROR_COINS + 1
"""A coefficient of an honest request has an error of half of it at most, with the rounding of its plaintext."""

NEAR_BITS = 8
"""A prime of b bits is above 2^b (1 - 2^-8)."""

MOST_PRIME_BITS = 60
"""Under a single prime of so many bits SEAL's decryption is exactly round(2^T y / p); it takes no larger ones."""

_MOST = {"fraction_bits": "logit_bits - 2 = ", "logit_bits": "59 - guard_bits = "}

_COMPOSITION = ("renyi_order", "joint_cost", "threshold_mode")


class NoiseName(StrEnum):
    """The noise mechanisms that a release may use."""

    ROUNDED_GAUSSIAN = "rounded_gaussian"
    DISCRETE_GAUSSIAN = "discrete_gaussian"
    SKELLAM = "skellam"
    """Charged at a Renyi order only."""


class VoteVariant(StrEnum):
    """How step 1c computes the vote; the result is the same.

    `tournament` is one garbled circuit. So is `all_pairs`, of less depth and, above five classes, more ANDs: for single
    queries. `multi_round` garbles signs only, with a third of the bytes, in ceil(log2 C) round trips
    (:mod:`capc.two_party.vote_rounds`).
    """

    TOURNAMENT = "tournament"
    ALL_PAIRS = "all_pairs"
    MULTI_ROUND = "multi_round"


class Charge(StrEnum):
    """Which costs an account charges; `realised` also tells the privacy guardian the answered bit."""

    WORST_CASE = "worst_case"
    REALISED = "realised"


class ThresholdMode(StrEnum):
    """Which noise the counts have that a threshold is compared with; no count is compared before it has some."""

    SINGLE_DRAW = "single_draw"
    """The label's: one draw per class decides what the label is and whether it leaves."""
    TWO_DRAWS = "two_draws"
    """Their own: Confident-GNMax, with a draw per class for the check and one per class for the label."""


class Adjacency(StrEnum):
    """The neighbouring relation of every privacy figure."""

    REPLACE_ONE = "replace_one"
    NULL_VOTE = "null_vote"


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
            _require(least <= value <= most, field, value, f"choose {least} to {most_is}{most}")
        bits = self.he_coefficient_bits
        fits = len(bits) >= 2 and all(2 <= each <= MOST_PRIME_BITS for each in bits)
        _require(fits, "he_coefficient_bits", list(bits), f"give at least two primes of 2 to {MOST_PRIME_BITS} bits")
        room, error = guarded.room(self.guard_bits), self.response_error
        remedy = f"a response's error of {error} is above {room}, the room of the guard bits: enlarge the first prime"
        _require(error <= room, "he_coefficient_bits", list(bits), remedy)

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
            error = error / _least_prime(dropped) + Fraction(self.he_poly_degree + 1, 2)
        return int(Fraction(3, 2) + error * (1 << self.share_bits) / _least_prime(primes[0]))

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


@dataclass(frozen=True)
class ReleasePolicy:
    """How a label is released, and under which budget. Deviations are in votes, as exact rationals.

    Attributes:
        mechanism: the law of every noise draw of the privacy guardian (and, in realised mode, of the
            querying party's threshold noise).
        sigma: s, the standard deviation of the noise on each class.
        threshold: T in votes: a label leaves if the largest noised count reaches it; None for plain GNMax.
        threshold_sigma: s1, the standard deviation of the check's noise on each class; given exactly where the check
            has draws of its own.
        charge: `worst_case` charges check and answer, always; `realised` charges what was released.
        adjacency: the neighbouring relation that the budget speaks about.
        epsilon: the budget; every query after it is spent is refused.
        delta: the budget's delta.
        renyi_order: a > 1: costs are Renyi divergences of this order. None adds up mu^2 or rho, as the law has it.
        joint_cost: what a check and its answer cost together at the order, always, whether a label leaves or not; None
            charges the parts. An agreed figure: whoever opens an account of it certifies it (CAPC-ACCT-116).
        threshold_mode: whether the check has draws of its own; it says nothing without a threshold.
    """

    mechanism: NoiseName
    sigma: Fraction
    threshold: Fraction | None
    threshold_sigma: Fraction | None
    charge: Charge
    adjacency: Adjacency
    epsilon: Fraction
    delta: Fraction
    renyi_order: Fraction | None = None
    joint_cost: Fraction | None = None
    threshold_mode: ThresholdMode = ThresholdMode.TWO_DRAWS

    def __post_init__(self) -> None:
        for name in ("sigma", "threshold", "threshold_sigma", "epsilon", "delta", "renyi_order", "joint_cost"):
            value = getattr(self, name)
            _require(value is None or isinstance(value, Fraction), name, value, "give an exact Fraction")
        _require(self.sigma > 0, "sigma", self.sigma, "choose a deviation above 0 votes")
        self._check_threshold()
        _require(self.epsilon > 0, "epsilon", self.epsilon, "choose a budget above 0")
        _require(0 < self.delta < 1, "delta", self.delta, "choose a value between 0 and 1, both excluded")
        self._check_composition()

    def document(self) -> dict[str, object]:
        """A flat, ordered mapping of every field to a string or None.

        The last three are named only where they say something.

        Source of every other form in which a policy is written: parameters, ledgers.
        """
        fields = {name: _plain(value) for name, value in asdict(self).items()}
        if self.threshold is None:
            fields["threshold_mode"] = None
        return {name: value for name, value in fields.items() if value is not None or name not in _COMPOSITION}

    @property
    def check_draws(self) -> int:
        """How many draws of its own a check has on each class: 2 in realised mode, one of each party."""
        if self.threshold_sigma is None:
            return 0
        return 2 if self.charge is Charge.REALISED else 1

    def _check_threshold(self) -> None:
        single = self.threshold_mode is ThresholdMode.SINGLE_DRAW
        if self.threshold is None:
            _require(not single, "threshold_mode", self.threshold_mode.value, "it needs a threshold: give one")
        else:
            _require(self.threshold >= 0, "threshold", self.threshold, "choose 0 votes or more")
        remedy = (
            "with single_draw the label's noise is the check's: leave it out"
            if single
            else ("give it exactly when a threshold is given")
        )
        needed = self.threshold is not None and not single
        _require(needed == (self.threshold_sigma is not None), "threshold_sigma", self.threshold_sigma, remedy)
        if self.threshold_sigma is None:
            remedy = (
                "realised charging needs a check with noise of its own: single_draw is one answer, charged always"
                if single
                else "realised charging needs a threshold; without one every query is answered"
            )
            _require(self.charge is Charge.WORST_CASE, "charge", self.charge.value, remedy)
        else:
            _require(self.threshold_sigma > 0, "threshold_sigma", self.threshold_sigma, "choose a deviation above 0")

    def _check_composition(self) -> None:
        if self.renyi_order is None:
            remedy = "skellam noise and joint costs are charged at a Renyi order: give one above 1"
            needed = self.mechanism is NoiseName.SKELLAM or self.joint_cost is not None
            _require(not needed, "renyi_order", None, remedy)
        else:
            fits = 1 < self.renyi_order <= MAX_RENYI_ORDER
            _require(fits, "renyi_order", self.renyi_order, f"choose an order above 1, up to {MAX_RENYI_ORDER}")
        if self.joint_cost is not None:
            _require(self.joint_cost > 0, "joint_cost", self.joint_cost, "give a cost above 0")
            fits = (
                self.threshold_sigma is not None
                and self.charge is Charge.WORST_CASE
                and self.mechanism is NoiseName.ROUNDED_GAUSSIAN
            )
            remedy = "a joint cost is for rounded_gaussian noise and a threshold with two_draws, charged worst_case"
            _require(fits, "joint_cost", self.joint_cost, remedy)


@dataclass(frozen=True)
class Parameters:
    """Everything that all parties of a session agree on beforehand, besides who takes part.

    Attributes:
        widths: rings, fixed point and HE parameters.
        num_classes: C.
        num_features: d, the length of a query.
        release: noise, threshold, charging and budget.
        vote_variant: how step 1c computes the vote.
    """

    widths: ParameterSet
    num_classes: int
    num_features: int
    release: ReleasePolicy
    vote_variant: VoteVariant = VoteVariant.TOURNAMENT

    def __post_init__(self) -> None:
        is_vote = FEWEST_CLASSES <= self.num_classes <= MOST_CLASSES
        _require(is_vote, "num_classes", self.num_classes, f"choose {FEWEST_CLASSES} to {MOST_CLASSES}")
        _require(1 <= self.num_features <= 1 << 20, "num_features", self.num_features, "choose 1 to 2^20")
        if self.release.threshold is not None:
            scaled = self.release.threshold * (1 << self.widths.grid_bits)
            _require(
                scaled.denominator == 1,
                "threshold",
                self.release.threshold,
                f"choose a multiple of 2^-{self.widths.grid_bits} votes, the grid of votes and noise",
            )

    def document(self) -> dict[str, object]:
        """A flat, ordered mapping of every field to a string, an integer, a list of integers or None.

        The vote's variant is named only where it is not the tournament.
        """
        fields: dict[str, object] = {"spec_version": SPEC_VERSION}
        fields |= {name: _plain(value) for name, value in asdict(self.widths).items()}
        fields |= self.release.document() | {"num_classes": self.num_classes, "num_features": self.num_features}
        if self.vote_variant is not VoteVariant.TOURNAMENT:
            fields["vote_variant"] = self.vote_variant.value
        return fields

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over a domain tag and the canonical JSON of :meth:`document` (CAPC-PARAM-002)."""
        return hashlib.sha256(TAGS["parameters"] + canonical_json(self.document())).digest()

    def noise_bound(self, sigma: Fraction) -> int:
        """t(sigma), the largest |noise| in grid units that the vote ring has room for (CAPC-PARAM-031).

        By P(|N(0, v)| > x) <= 2 exp(-x^2 / (2 v)), all draws of one query, one or more per class, stay within it
        but with probability at most 2^-40; 1 is added for rounding. A Skellam number has Bernstein's bound
        2 exp(-x^2 / (2 (v + x / 3))).
        """
        draws_bits = (4 * self.num_classes * (1 + self.release.check_draws)).bit_length()
        nats = (WRAP_FAILURE_BITS + draws_bits) * _LN2_UPPER
        square = 2 * (sigma * (1 << self.widths.grid_bits)) ** 2 * nats
        if self.release.mechanism is not NoiseName.SKELLAM:
            return _ceil_sqrt(square) + 1
        # x^2 = 2 (v + x / 3) nats.
        third = nats / 3
        return _ceil_sqrt(square + third**2) + ceil(third)

    def check_threshold(self, num_answering: int) -> None:
        """Checks that a class can have as many votes as the threshold asks for (CAPC-PARAM-033).

        Above K a label would leave by luck of the threshold's noise alone, and every query is charged.

        Args:
            num_answering: K, the number of answering parties.

        Raises:
            ParameterError: the threshold is above K.
        """
        threshold = self.release.threshold
        remedy = f"no class gets more than the votes of all {num_answering} parties: choose at most {num_answering}"
        _require(threshold is None or threshold <= num_answering, "threshold", threshold, remedy)

    def check_vote_range(self, num_answering: int) -> None:
        """Checks that K votes plus noise do not wrap in Z_{2^w}, up to probability 2^-40 per query.

        Args:
            num_answering: K, the number of answering parties.

        Raises:
            ParameterError: w is too small for K and the noise; the message names the w needed.
        """
        unit = 1 << self.widths.grid_bits
        release = self.release
        noise = self.noise_bound(release.sigma)
        if release.threshold_sigma is not None:
            noise = max(noise, release.check_draws * self.noise_bound(release.threshold_sigma))
        # Comparisons are right for all words; no word may wrap, and a threshold above K votes is refused.
        needed = (num_answering * unit + noise).bit_length() + 1
        _require(
            self.widths.vote_bits >= needed,
            "vote_bits",
            self.widths.vote_bits,
            f"{num_answering} votes plus this noise need at least {needed}: widen the ring or lower the noise",
        )


def canonical_json(document: Mapping[str, object]) -> bytes:
    """The one encoding of a document: sorted keys, no spaces, ASCII. Digests and hello messages use it."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, StrEnum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _require(holds: bool, field: str, value: object, remedy: str) -> None:
    if not holds:
        raise ParameterError(f"{field} = {value}: {remedy}")


def _least_prime(bits: int) -> int:
    return (1 << bits) - (1 << bits >> NEAR_BITS)


def _ceil_sqrt(square: Fraction) -> int:
    """The smallest integer whose square is at least ``square``."""
    root = isqrt(square.numerator // square.denominator)
    while root * root < square:
        root += 1
    return root
