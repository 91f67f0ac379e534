"""Parameters, noise, models and sessions that are small enough to enumerate.

One feature, two classes, logits of 3 bits (|r| < 2), votes of 2 or 3 bits, no fraction bits and no grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from capc.foundation.errors import ParameterError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.foundation.randomness import RandomSource
from capc.models.model import QuantisedLayer, QuantisedModel, dense_model
from capc.noise.mechanism import CostUnit, ReleaseMechanisms
from capc.noise.sensitivity import Sensitivity
from capc.privacy.account import Account
from capc.privacy.events import Receipt
from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy, ThresholdMode
from capc.session.session import MAX_QUERIES, Participant, Session
from capc.session.widths import ParameterSet

CLASSES = 2
LOGIT_BITS = 3
GUARD_BITS = 1


class ExactWidths(ParameterSet):
    """Widths of the hybrid model, where F_linear gives shares without an error: one guard bit has room for that."""

    response_error = 0


@dataclass(frozen=True)
class CoinNoise:
    """Test-only noise, one of two values: enough to change a label, and few enough to enumerate.

    Attributes:
        low: one value, in votes.
        high: the other, just as likely.
    """

    low: int
    high: int

    @property
    def name(self) -> NoiseName:
        """Takes the place of the rounded Gaussian."""
        return NoiseName.ROUNDED_GAUSSIAN

    @property
    def unit(self) -> CostUnit:
        """mu^2."""
        return CostUnit.MU_SQUARED

    def sample(self, source: RandomSource, count: int) -> list[int]:
        """``count`` draws."""
        return [self.high if source.bits(1) else self.low for _ in range(count)]

    def cost(self, squared_sensitivity: Fraction) -> Fraction:
        """Any cost will do: nothing is charged here."""
        return squared_sensitivity

    def rdp_cost(self, order: Fraction, sensitivity: Sensitivity) -> Fraction:
        """Likewise."""
        return order * sensitivity.squared


ONE_SIDED = CoinNoise(-1, 0)
"""Fits the narrowest rings."""
TWO_SIDED = CoinNoise(-1, 1)
"""Can turn either of two votes over."""


@dataclass(frozen=True, kw_only=True)
class ToyParameters(Parameters):
    """Parameters whose vote ring is checked against the toy noise instead of the policy's Gaussian.

    The shipped check makes room for 2^-40 of a Gaussian tail; the toy noise has no tail, so that its exact condition,
    which the comparisons rely on, admits a narrower ring. Views up to the aggregation compare no votes, and need room
    for one vote only.

    Attributes:
        noise: of the answer, and of the check where it has draws of its own.
        releases: whether step 3 is played.
    """

    noise: CoinNoise
    releases: bool

    def check_vote_range(self, num_answering: int) -> None:
        """Checks that no sum of votes in [0, K] and noise leaves [-2^(w-1), 2^(w-1)), nor the threshold.

        Raises:
            ParameterError: the ring is too narrow.
        """
        sums = [0, 1]
        if self.releases:
            draws = max(1, self.release.check_draws)
            sums = [draws * self.noise.low, num_answering + draws * self.noise.high]
            sums += [] if self.release.threshold is None else [int(self.release.threshold)]
        half = 1 << (self.widths.vote_bits - 1)
        if not all(-half <= entry < half for entry in sums):
            raise ParameterError(f"vote_bits = {self.widths.vote_bits}: sums reach {sums}; widen the ring")


def toy_parameters(
    vote_bits: int,
    threshold: int | None = None,
    charge: Charge = Charge.WORST_CASE,
    *,
    noise: CoinNoise = ONE_SIDED,
    releases: bool = True,
    mode: ThresholdMode = ThresholdMode.TWO_DRAWS,
) -> ToyParameters:
    """The parameter set of an enumeration.

    Args:
        vote_bits: w.
        threshold: T in votes, or None for plain GNMax.
        charge: the mode of charging.
        noise: of every draw.
        releases: whether step 3 is played.
        mode: of the threshold.
    """
    widths = ExactWidths("enumeration", LOGIT_BITS, vote_bits, 0, 0, GUARD_BITS, 4096, (56, 36, 17))
    policy = ReleasePolicy(
        NoiseName.ROUNDED_GAUSSIAN,
        Fraction(1),
        None if threshold is None else Fraction(threshold),
        None if threshold is None or mode is ThresholdMode.SINGLE_DRAW else Fraction(1),
        charge,
        Adjacency.REPLACE_ONE,
        # Enough for the budget of every ledger that is played.
        Fraction(1000),
        Fraction(1, 1000),
        threshold_mode=mode,
    )
    return ToyParameters(widths, CLASSES, 1, policy, noise=noise, releases=releases)


def toy_mechanisms(parameters: ToyParameters) -> ReleaseMechanisms:
    """Toy noise for the answer, and for a check with draws of its own."""
    return ReleaseMechanisms(parameters.noise, None if parameters.release.threshold_sigma is None else parameters.noise)


def toy_session(parameters: Parameters, models: Sequence[QuantisedModel]) -> Session:
    """A session in which each model has an answering party."""
    parties = [QUERYING_PARTY, *(answering_party(i + 1) for i in range(len(models))), PRIVACY_GUARDIAN]
    shapes = [None, *(model.architecture for model in models), None]
    participants = tuple(
        Participant(party, bytes([number]) * 32, shape)
        for number, (party, shape) in enumerate(zip(parties, shapes, strict=True))
    )
    return Session(parameters, bytes(32), participants)


class ToyAccount(Account):
    """Admits the first queries of its session again and again, once for each outcome. Charges are tested elsewhere."""

    def __init__(self, parameters: ToyParameters) -> None:
        super().__init__(parameters.release, parameters.widths.grid_bits, Fraction(1))
        self.mechanisms = toy_mechanisms(parameters)

    def remaining_queries(self) -> int:
        """Always enough."""
        return MAX_QUERIES

    def reserve(self, session_tag: bytes, query: int, inputs_digest: bytes) -> Receipt:
        """A receipt that fits."""
        return Receipt(session_tag, query, inputs_digest, self.cost.worst_case, self.cost.unit)

    def dispatch(self, receipt: Receipt, message: bytes) -> bytes:  # noqa: ARG002
        """Nothing to write down."""
        return message

    def settle(self, receipt: Receipt, answered: bool) -> None:
        """Nothing to settle."""


def linear_model(*rows: tuple[int, int]) -> QuantisedModel:
    """A model without a hidden layer: for each class (weight, bias), with |weight| + |bias| <= 1."""
    layer = QuantisedLayer(tuple((weight,) for weight, _ in rows), tuple(bias for _, bias in rows))
    return dense_model((layer,), fraction_bits=0)


def all_linear_models() -> Iterator[QuantisedModel]:
    """Every model without a hidden layer that range analysis admits at these widths: 25 of them."""
    rows = [(weight, bias) for weight, bias in product((-1, 0, 1), repeat=2) if abs(weight) + abs(bias) <= 1]
    for first, second in product(rows, repeat=CLASSES):
        yield linear_model(first, second)


def hidden_model(hidden: tuple[int, int], *rows: tuple[int, int]) -> QuantisedModel:
    """A model with one hidden ReLU unit: (weight, bias) of the unit, then of each class."""
    first = QuantisedLayer(((hidden[0],),), (hidden[1],))
    return dense_model((first, linear_model(*rows).layers[0]), fraction_bits=0)


AP_1, AP_2 = answering_party(1), answering_party(2)
VOTES_0, VOTES_1 = linear_model((1, 0), (-1, 0)), linear_model((-1, 0), (1, 0))
"""Models that vote so for the query 1."""
TIES = linear_model((1, 0), (0, 1))
"""Equal logits for the query 1."""


def scaled_products(model: QuantisedModel, x: int) -> list[int]:
    """2^h W x of a model's first layer: what F_linear shares where the querying party has all of x."""
    return [row[0] * x << GUARD_BITS for row in model.layers[0].weights]
