"""All that is printed from above for labels that are attacked: each method's epsilon, towards each adversary."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.noise.mechanism import release_mechanisms
from capc.privacy.account import Account
from capc.privacy.accountants.argmax.composition import composition_delta
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.policies import default_order, with_argmax_cost
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.figures.statement import enforced_epsilons
from capc.session.parameters import Accounting, NoiseName, ReleasePolicy, ThresholdMode
from capc_verify.attack.cases import SEEN, STATED, Case

Printed = dict[Accounting, dict[Adversary, Fraction]]


def printed_epsilons(case: Case, delta: Fraction) -> Printed:
    """The enforced epsilon of an account that admits exactly the case's labels, by each method that carries it.

    Args:
        case: what is released.
        delta: of the policies, one of :data:`STATED` and :data:`SEEN`.

    Raises:
        InputError: a policy's claim is not certified.
    """
    counts = replace(case.policy, delta=delta)
    found = {Accounting.GAUSSIAN_DP: _enforced(counts, case)}
    if case.threshold is not None and case.mode is ThresholdMode.TWO_DRAWS:
        return found
    usual = found[Accounting.GAUSSIAN_DP][Adversary.SEMI_HONEST]
    order = default_order(usual, delta, whole=case.noise is NoiseName.SKELLAM)
    single = with_argmax_cost(replace(counts, renyi_order=order), case.grid_bits)
    found[Accounting.ARGMAX_RENYI] = _enforced(single, case)
    if case.composed is not None:
        epsilon = Fraction(case.composed[(STATED, SEEN).index(delta)], 64)
        together = replace(counts, epsilon=epsilon, argmax_queries=case.labels)
        _check(together, case)
        found[Accounting.ARGMAX_COMPOSITION] = _enforced(together, case)
    return found


def _check(together: ReleasePolicy, case: Case) -> None:
    """As :func:`certify`, for so many labels and no more, which takes less time."""
    noise, unit = release_mechanisms(together, case.grid_bits).answer, ProtectedUnit(Relation(case.adjacency.value))
    reached = composition_delta(noise, unit, case.labels, together.epsilon)  # type: ignore[arg-type]
    if reached > together.delta_of_noise:
        raise InputError(f"composed: so many labels reach delta = {float(reached)}: choose a larger epsilon")


def _enforced(policy: ReleasePolicy, case: Case) -> dict[Adversary, Fraction]:
    cost = Account(policy, case.grid_bits, Fraction(0)).cost.worst_case
    return enforced_epsilons(Account(policy, case.grid_bits, case.labels * cost))
