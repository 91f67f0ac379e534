"""The parameters of a session: what every party must hold alike, its rules, and its digest.

Nothing here is secret, and nothing here may depend on private data. Spec: CAPC-PARAM-001, CAPC-PARAM-052.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from math import ceil, isqrt

from capc.models.architecture import FEWEST_CLASSES, MOST_CLASSES
from capc.session.widths import ParameterSet, require
from capc_spec.registry import TAGS

SPEC_VERSION = "0.1.1"

WRAP_FAILURE_BITS = 40
"""Of a wrap that costs no privacy: at most 2^-40 per query."""

MAX_RENYI_ORDER = 1 << 20
"""The largest order that a policy may fix; noise that needs a larger one costs next to nothing at this one."""

_LN2_UPPER = Fraction(6932, 10000)


_MOST_QUERIES = (1 << 32) - 1
_COMPOSITION = ("renyi_order", "joint_cost", "threshold_mode", "argmax_cost", "argmax_queries")


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


class Accounting(StrEnum):
    """What an account takes a release for: a noised histogram, or only the label that is made of it."""

    GAUSSIAN_DP = "gaussian_dp"
    """The whole noised histogram, charged in the unit of its noise: for every release."""
    ARGMAX_RENYI = "argmax_renyi"
    """A label, or that there is none, and nothing else: its certified Renyi divergence at one order."""
    ARGMAX_COMPOSITION = "argmax_composition"
    """The same, where so many queries are certified together: queries are counted."""


@dataclass(frozen=True)
class ReleasePolicy:
    """How a label is released, and under which budget (CAPC-PARAM-060). Deviations are in votes, exact rationals.

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
        argmax_cost: what a label costs at the order if nothing else of the noised counts ever leaves; None charges the
            counts. An agreed figure: whoever opens an account of it certifies it (CAPC-ACCT-131).
        argmax_queries: N, how many labels keep the budget together, under the same condition; every query counts as 1.
            An agreed figure likewise.
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
    argmax_cost: Fraction | None = None
    argmax_queries: int | None = None

    def __post_init__(self) -> None:
        names = (
            "sigma",
            "threshold",
            "threshold_sigma",
            "epsilon",
            "delta",
            "renyi_order",
            "joint_cost",
            "argmax_cost",
        )
        for name in names:
            value = getattr(self, name)
            require(value is None or isinstance(value, Fraction), name, value, "give an exact Fraction")
        require(self.sigma > 0, "sigma", self.sigma, "choose a deviation above 0 votes")
        self._check_threshold()
        require(self.epsilon > 0, "epsilon", self.epsilon, "choose a budget above 0")
        require(0 < self.delta < 1, "delta", self.delta, "choose a value between 0 and 1, both excluded")
        self._check_composition()
        self._check_argmax()

    def document(self) -> dict[str, object]:
        """A flat, ordered mapping of every field to a string, an integer or None.

        The last five are named only where they say something.

        Source of every other form in which a policy is written: parameters, ledgers.
        """
        fields = {name: _plain(value) for name, value in asdict(self).items()}
        if self.threshold is None:
            fields["threshold_mode"] = None
        return {name: value for name, value in fields.items() if value is not None or name not in _COMPOSITION}

    @property
    def method(self) -> Accounting:
        """What an account of this policy takes a release for."""
        if self.argmax_cost is not None:
            return Accounting.ARGMAX_RENYI
        return Accounting.GAUSSIAN_DP if self.argmax_queries is None else Accounting.ARGMAX_COMPOSITION

    @property
    def wrap_failure_bits(self) -> int:
        """Kappa: noise leaves the range of the vote ring with probability at most 2^-kappa a query.

        Where labels are charged, (1 + e^epsilon) 2^32 P[wrap] is below 2^-20 delta (CAPC-ACCT-136); log2 e < 1.4427.
        """
        if self.method is Accounting.GAUSSIAN_DP:
            return WRAP_FAILURE_BITS
        of_epsilon, of_delta = ceil(self.epsilon * Fraction(14427, 10000)), ceil(1 / self.delta).bit_length()
        return max(WRAP_FAILURE_BITS, 53 + of_epsilon + of_delta)

    @property
    def delta_of_noise(self) -> Fraction:
        """What is left of delta for the noise: all of it, or all but 2^-20 of it where wraps cost privacy."""
        return self.delta if self.method is Accounting.GAUSSIAN_DP else self.delta * (1 - Fraction(1, 1 << 20))

    @property
    def check_draws(self) -> int:
        """How many draws of its own a check has on each class: 2 in realised mode, one of each party."""
        if self.threshold_sigma is None:
            return 0
        return 2 if self.charge is Charge.REALISED else 1

    def _check_threshold(self) -> None:
        single = self.threshold_mode is ThresholdMode.SINGLE_DRAW
        if self.threshold is None:
            require(not single, "threshold_mode", self.threshold_mode.value, "it needs a threshold: give one")
        else:
            require(self.threshold >= 0, "threshold", self.threshold, "choose 0 votes or more")
        remedy = (
            "with single_draw the label's noise is the check's: leave it out"
            if single
            else ("give it exactly when a threshold is given")
        )
        needed = self.threshold is not None and not single
        require(needed == (self.threshold_sigma is not None), "threshold_sigma", self.threshold_sigma, remedy)
        if self.threshold_sigma is None:
            remedy = (
                "realised charging needs a check with noise of its own: single_draw is one answer, charged always"
                if single
                else "realised charging needs a threshold; without one every query is answered"
            )
            require(self.charge is Charge.WORST_CASE, "charge", self.charge.value, remedy)
        else:
            require(self.threshold_sigma > 0, "threshold_sigma", self.threshold_sigma, "choose a deviation above 0")

    def _check_composition(self) -> None:
        if self.renyi_order is None:
            remedy = "skellam noise and joint costs are charged at a Renyi order: give one above 1"
            needed = self.mechanism is NoiseName.SKELLAM or self.joint_cost is not None
            # Labels that are counted have no other cost.
            require(not needed or self.argmax_queries is not None, "renyi_order", None, remedy)
        else:
            fits = 1 < self.renyi_order <= MAX_RENYI_ORDER
            require(fits, "renyi_order", self.renyi_order, f"choose an order above 1, up to {MAX_RENYI_ORDER}")
        if self.joint_cost is not None:
            require(self.joint_cost > 0, "joint_cost", self.joint_cost, "give a cost above 0")
            fits = (
                self.threshold_sigma is not None
                and self.charge is Charge.WORST_CASE
                and self.mechanism is NoiseName.ROUNDED_GAUSSIAN
            )
            remedy = "a joint cost is for rounded_gaussian noise and a threshold with two_draws, charged worst_case"
            require(fits, "joint_cost", self.joint_cost, remedy)

    def _check_argmax(self) -> None:
        method = self.method
        if method is Accounting.GAUSSIAN_DP:
            return
        cost, queries = self.argmax_cost, self.argmax_queries
        name, value = ("argmax_cost", cost) if cost is not None else ("argmax_queries", queries)
        for fits, what in (
            (self.charge is Charge.WORST_CASE, "realised charging"),
            (self.joint_cost is None, "a joint cost"),
            (self.threshold_sigma is None, "a threshold with two_draws"),
        ):
            remedy = (
                f"{method.value} is for one draw per class, charged worst_case; for {what} leave it out: gaussian_dp"
            )
            require(fits, name, value, remedy)
        if cost is not None:
            require(cost > 0, "argmax_cost", cost, "give a cost above 0")
            require(self.renyi_order is not None, "renyi_order", None, "argmax_renyi has one: give an order above 1")
            remedy = "argmax_renyi adds up costs and argmax_composition counts queries: give one of both"
            require(queries is None, "argmax_queries", queries, remedy)
        else:
            is_count = type(queries) is int and 1 <= queries <= _MOST_QUERIES
            require(is_count, "argmax_queries", queries, f"give a whole number from 1 to {_MOST_QUERIES}")
            remedy = "argmax_composition counts queries and has no order: leave it out, or take argmax_renyi"
            require(self.renyi_order is None, "renyi_order", self.renyi_order, remedy)


def require_counts(policy: ReleasePolicy, by: str) -> None:
    """Refuses a policy that charges for labels where more than labels may leave (CAPC-ACCT-133).

    Args:
        policy: of a release.
        by: what releases.

    Raises:
        ParameterError: it charges for labels.
    """
    method = policy.method
    remedy = f"{by} may tell more than labels: take {Accounting.GAUSSIAN_DP.value}, or release otherwise"
    require(method is Accounting.GAUSSIAN_DP, "accounting", method.value, remedy)


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
        require(is_vote, "num_classes", self.num_classes, f"choose {FEWEST_CLASSES} to {MOST_CLASSES}")
        require(1 <= self.num_features <= 1 << 20, "num_features", self.num_features, "choose 1 to 2^20")
        if self.release.threshold is not None:
            scaled = self.release.threshold * (1 << self.widths.grid_bits)
            require(
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
        """t(sigma), the largest |noise| in grid units the vote ring has room for (CAPC-PARAM-031, CAPC-PARAM-032).

        By P(|N(0, v)| > x) <= 2 exp(-x^2 / (2 v)), all draws of one query, one or more per class, stay within it
        but with probability 2^-kappa at most (:attr:`ReleasePolicy.wrap_failure_bits`); 1 is added for rounding.
        A Skellam number has Bernstein's bound 2 exp(-x^2 / (2 (v + x / 3))).
        """
        draws_bits = (4 * self.num_classes * (1 + self.release.check_draws)).bit_length()
        nats = (self.release.wrap_failure_bits + draws_bits) * _LN2_UPPER
        square = 2 * (sigma * (1 << self.widths.grid_bits)) ** 2 * nats
        if self.release.mechanism is not NoiseName.SKELLAM:
            return _ceil_sqrt(square) + 1
        # x^2 = 2 (v + x / 3) nats.
        third = nats / 3
        return _ceil_sqrt(square + third**2) + ceil(third)

    def check_threshold(self, num_answering: int) -> None:
        """Checks that a class can have as many votes as the threshold asks for (CAPC-PARAM-033).

        Above K a label would leave by luck of the noise alone, and every query is charged.

        Args:
            num_answering: K, the number of answering parties.

        Raises:
            ParameterError: the threshold is above K.
        """
        threshold = self.release.threshold
        remedy = f"no class gets more than the votes of all {num_answering} parties: choose at most {num_answering}"
        require(threshold is None or threshold <= num_answering, "threshold", threshold, remedy)

    def check_vote_range(self, num_answering: int) -> None:
        """Checks that K votes plus noise do not wrap in Z_{2^w}, up to probability 2^-kappa per query.

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
        require(
            self.widths.vote_bits >= needed,
            "vote_bits",
            self.widths.vote_bits,
            f"{num_answering} votes plus this noise need at least {needed}: widen the ring or lower the noise",
        )


def canonical_json(document: Mapping[str, object]) -> bytes:
    """The one encoding of a document: sorted keys, no spaces, ASCII (CAPC-PARAM-002). Digests and hellos use it."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, StrEnum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _ceil_sqrt(square: Fraction) -> int:
    """The smallest integer whose square is at least ``square``."""
    root = isqrt(square.numerator // square.denominator)
    while root * root < square:
        root += 1
    return root
