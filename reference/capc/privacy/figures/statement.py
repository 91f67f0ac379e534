"""Figures, and what must stand beside each of them: adjacency, method, hypotheses, direction of rounding.

Which terms a delta counts, and which are of correctness only, is the table "What a printed delta counts" of section 07.

Spec: CAPC-ACCT-004, CAPC-ACCT-005, CAPC-ACCT-112, CAPC-ACCT-114, CAPC-ACCT-117, CAPC-ACCT-118.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.noise.mechanism import CostUnit
from capc.privacy.account import Account
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.ball_arithmetic import ball, decimal_text, decimal_upper, refined, require
from capc.privacy.accountants.policies import certify, cheated_epsilon, policy_epsilon
from capc.privacy.accountants.unit import Relation
from capc.session.parameters import Accounting, Adjacency, Charge

NOT_A_GUARANTEE = "not a guarantee unless the counts were fixed in advance"
ROUNDED_UP = "epsilon rounded up, certified by ball arithmetic"
_LARGEST_EXPONENT = 1000
ONE_VOTE = "a protected party has one vote of one unit per query, and a record lies with one party only"
TERMS_EXCEED_DELTA = "no guarantee: the known statistical terms exceed the delta of the noise"
COMPUTATIONAL_TERMS = (
    "delta counts the known statistical terms and no computational one: add (1 + e^epsilon) eta, where eta sums the "
    "advantages against homomorphic encryption, garbling, oblivious transfer and the pseudorandom generators"
)
ONLY_LABELS = (
    "only the label leaves, or that there is none: noised counts and noise are never opened, disclosed or used again"
)
VOTES_OF_OTHERS = (
    "other parties' votes, and the number and timing of queries, depend on the protected record only through released "
    "labels"
)
SEVERAL_POLICIES = "several policies on the same data add their epsilons and their deltas"


@dataclass(frozen=True)
class PrivacyStatement:
    """One figure, with everything that it needs to be read correctly (CAPC-ACCT-004).

    Attributes:
        epsilon: rounded as ``rounding`` says.
        delta: of the noise and of every statistical term that is known; ``hypotheses`` says which these are.
        adjacency: the neighbouring relation.
        method: the theorem or curve.
        mechanism: the law of the noise.
        guarantee: False for a reading that is not a guarantee.
        hypotheses: what must hold for the figure to be true.
        rounding: the direction of rounding.
        terms: how much of delta the statistical terms are, at most 1.
        cheated: the epsilon towards a querying party that adds to its shares of the votes, at the same delta; None
            where it is the same.

    Raises:
        InputError: epsilon, delta or terms is anything but an exact rational of at least 0, or ``cheated`` of at least
            epsilon; results of `capc.privacy.analysis` are of another type and are refused here.
    """

    epsilon: Fraction
    delta: Fraction
    adjacency: Adjacency | Relation
    method: str
    mechanism: str
    guarantee: bool
    hypotheses: tuple[str, ...]
    rounding: str
    terms: Fraction = Fraction(0)
    cheated: Fraction | None = None

    def __post_init__(self) -> None:
        least = {"epsilon": Fraction(0), "delta": Fraction(0), "terms": Fraction(0)}
        if self.cheated is not None:
            # Last: epsilon is known to be a number then.
            least["cheated"] = self.epsilon
        for name, bound in least.items():
            value = getattr(self, name)
            if not isinstance(value, Fraction) or value < bound:
                shown = value if isinstance(value, Fraction) else repr(value)
                raise InputError(
                    f"{name} = {shown}: give an exact rational of at least {bound}; a diagnostic is no {name}"
                )

    @property
    def towards(self) -> dict[Adversary, Fraction]:
        """The epsilon towards each adversary (CAPC-ACCT-152)."""
        cheated = self.epsilon if self.cheated is None else self.cheated
        return {Adversary.SEMI_HONEST: self.epsilon, Adversary.CHEATING: cheated}

    @property
    def label(self) -> str:
        """What stands beside the figure, always (CAPC-ACCT-118)."""
        if self.delta >= 1 or self.terms > self.delta - self.terms:
            return TERMS_EXCEED_DELTA
        return "guarantee of the enforced budget" if self.guarantee else NOT_A_GUARANTEE

    def __str__(self) -> str:
        """The figure in one line; epsilon and delta are decimals, rounded up once more to 6 digits."""
        return (
            f"epsilon <= {decimal_text(self.epsilon)} at delta = {decimal_text(self.delta)} ({self.label}; "
            f"adjacency {self.adjacency.value}; {self.mechanism} noise; {self.method}; {self.rounding})"
        )


def budget_statement(account: Account, sampler_distance: Fraction = Fraction(0)) -> PrivacyStatement:
    """What the account guarantees: the epsilon of its whole budget, at its policy's delta and the known terms.

    It holds however many queries were asked and whenever they stop, because the budget was fixed in advance.

    Args:
        account: the account.
        sampler_distance: of all draws of one query together from their exact laws, where noise is not sampled exactly:
            noise inside MPC. What it costs is added to delta.

    Raises:
        InputError: the account's budget does not keep its policy's epsilon, or its joint cost is too low.
    """
    return _statement(account, account.budget, sampler_distance, guarantee=True)


def spent_statement(account: Account, sampler_distance: Fraction = Fraction(0)) -> PrivacyStatement:
    """The odometer reading: the epsilon of what was spent so far. It is not a guarantee (CAPC-ACCT-005).

    Stopping because of what was released, and then quoting this figure, would be unsound. Arguments and errors as of
    :func:`budget_statement`.
    """
    return _statement(account, account.spent, sampler_distance, guarantee=False)


def with_sampler_distance(statement: PrivacyStatement, distance: Fraction) -> PrivacyStatement:
    """The same figure for draws that are not exact: delta grows by (1 + e^epsilon) times their distance, rounded up.

    What is released is a function of the draws, so its distance to what exact draws would give is at most the sum of
    theirs, however adaptively they were asked for; and (epsilon, delta) for one view gives (epsilon, delta +
    (1 + e^epsilon) distance) for the other.

    Args:
        statement: of exact draws.
        distance: the sum of the statistical distances of all draws from their laws; 0 changes nothing.

    Raises:
        InputError: the distance is no exact rational from 0 to 1.

    Spec: CAPC-ACCT-114, CAPC-ACCT-117.
    """
    _check_distance(distance)
    if distance == 0:
        return statement
    term = Fraction(1)
    # Above, delta = 1 is stated, which is true of anything.
    if statement.epsilon <= _LARGEST_EXPONENT:
        term = decimal_upper(refined(lambda: (1 + ball(statement.epsilon).exp()) * ball(distance), Fraction(0)))
    told = (
        "delta includes (1 + e^epsilon) eta, rounded up, for draws within statistical distance "
        f"eta = {decimal_text(distance)} of their law, all draws together"
    )
    return replace(
        statement,
        delta=min(Fraction(1), statement.delta + term),
        terms=min(Fraction(1), statement.terms + term),
        hypotheses=(*statement.hypotheses, told),
    )


def _statement(account: Account, cost: Fraction, sampler_distance: Fraction, *, guarantee: bool) -> PrivacyStatement:
    policy, parts = account.policy, account.cost
    _check_distance(sampler_distance)
    # How many queries can have cost that much: none costs less than its check, and one without a check its answer.
    queries = cost // (parts.check if policy.charge is Charge.REALISED else parts.worst_case)
    # No two laws are further apart than 1.
    all_draws = min(Fraction(1), sampler_distance * queries)
    # An account adds what it is told to add: no figure of one whose claims do not hold.
    certify(policy, account.grid_bits, account.budget)
    hypotheses = [
        ONE_VOTE,
        "the privacy guardian does not collude with the querying party, and all parties are semi-honest",
        "every query of every querying party and session is charged to this account before its release",
        COMPUTATIONAL_TERMS,
    ]
    if policy.charge is Charge.REALISED:
        hypotheses.append("the answered bit is an output of the protocol, with the querying party's own noise on it")
    if policy.joint_cost is not None:
        hypotheses.append("check and answer are charged jointly, always, whether a label was released or not")
    if policy.method is not Accounting.GAUSSIAN_DP:
        told = towards_whom(*_towards_each(account, cost).values())
        hypotheses += [ONLY_LABELS, VOTES_OF_OTHERS, SEVERAL_POLICIES, told]
    order = policy.renyi_order
    of_noise = PrivacyStatement(
        epsilon=policy_epsilon(policy, account.grid_bits, cost),
        delta=policy.delta,
        adjacency=policy.adjacency,
        method=_method_of(account) + ("" if order is None else f" at order {order}, fixed in advance"),
        mechanism=policy.mechanism,
        guarantee=guarantee,
        hypotheses=tuple(hypotheses),
        rounding=ROUNDED_UP,
    )
    return with_sampler_distance(of_noise, all_draws)


def enforced_epsilons(account: Account) -> dict[Adversary, Fraction]:
    """The epsilon of the whole budget, rounded up, towards each adversary, at the policy's delta.

    Where noised counts are charged, it does not matter what is made of them. Where labels are, a querying party that
    adds to its shares can learn more than a label tells; under null_vote there is no more to learn.

    Raises:
        InputError: a figure is out of range.
    """
    return _towards_each(account, account.budget)


def _towards_each(account: Account, cost: Fraction) -> dict[Adversary, Fraction]:
    policy = account.policy
    own = cheated = policy_epsilon(policy, account.grid_bits, cost)
    if policy.method is not Accounting.GAUSSIAN_DP and policy.adjacency is Adjacency.REPLACE_ONE:
        cheated = max(own, cheated_epsilon(policy, account.grid_bits, cost // account.cost.worst_case))
    return {Adversary.SEMI_HONEST: own, Adversary.CHEATING: cheated}


def towards_whom(own: Fraction, cheated: Fraction) -> str:
    """What a figure of labels says of a querying party that does not follow the protocol."""
    if cheated == own:
        return "a querying party that adds to its shares is kept to the same epsilon"
    return (
        "it holds against a semi-honest querying party; one that adds to its shares is kept to epsilon <= "
        f"{decimal_text(cheated)} at the same delta"
    )


def _method_of(account: Account) -> str:
    told = METHODS_OF_UNITS[account.cost.unit]
    return told if account.policy.argmax_cost is None else f"a label's certified divergence, {told}"


def _check_distance(distance: object) -> None:
    exact = isinstance(distance, Fraction) and 0 <= distance <= 1
    require(exact, "sampler distance", distance, "give an exact rational from 0 to 1")


METHODS_OF_UNITS = {
    CostUnit.MU_SQUARED: "exact Gaussian-DP curve (Balle and Wang 2018) of the composed mu^2",
    CostUnit.RHO: "zCDP of the composed rho, best order of Proposition 12 of Canonne, Kamath and Steinke 2020",
    CostUnit.RENYI: "Renyi DP, improved conversion (Canonne, Kamath and Steinke 2020)",
    CostUnit.QUERIES: "so many labels composed adaptively, certified together",
}
