"""Release without a guardian: nobody knows the noise, and each answering party keeps an account of its own.

There is no one party that charges for all, so each answering party charges every query to its own account, in full and
before it enters a share; one whose budget is spent enters nothing, and then no run takes place. The noise comes from
all parties' bits (:mod:`capc_mpc.programs.capc_noise`), within a proved distance of the discrete Gaussian, for which
the accounts' statements pay.

Spec: CAPC-MPC-010, CAPC-MPC-043, CAPC-ACCT-114.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.foundation.randomness import fresh_seed
from capc.privacy.account import Account
from capc.privacy.accountants.policies import certify
from capc.privacy.events import Receipt
from capc.privacy.figures.statement import PrivacyStatement, budget_statement
from capc.session.parameters import Charge, NoiseName, Parameters, require_counts
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import Case
from capc_mpc.interface.protocols import Model, check_model, protocol_named
from capc_mpc.interface.steps import Step
from capc_mpc.programs import capc_noise
from capc_mpc.spdz.deployed import Deployment, run_party
from capc_mpc.spdz.machine import Machine, the_machine
from capc_mpc.spdz.processes import Limits
from capc_mpc.spdz.running import MpcRun, run
from capc_spec.registry import TAGS


@dataclass(frozen=True)
class GuardianFreeRun:
    """What came out.

    Attributes:
        labels: for each query the released class, or None for "no consensus"; the querying party's.
        receipts: for each answering party those of its own account, one for each query.
        statements: for each answering party what its own account guarantees.
        done: the run.
    """

    labels: list[int | None]
    receipts: list[list[Receipt]] = field(repr=False)
    statements: list[PrivacyStatement] = field(repr=False)
    done: MpcRun = field(repr=False)


def guardian_free_step(parameters: Parameters, answering: int, batch: int) -> Step:
    """The program with the noise that the parameters name.

    Args:
        parameters: of the session.
        answering: K.
        batch: queries.

    Raises:
        InputError: another law than the discrete Gaussian, or another charge than the worst case: nobody is told the
            answered bit, and nothing can be given back; or a threshold above all votes; or labels are charged.
    """
    parameters.check_threshold(answering)
    release, widths = parameters.release, parameters.widths
    if release.mechanism is not NoiseName.DISCRETE_GAUSSIAN:
        raise InputError(f"mechanism = {release.mechanism.value}: noise inside MPC is discrete_gaussian")
    if release.charge is not Charge.WORST_CASE:
        raise InputError(f"charge = {release.charge.value}: without a guardian the worst_case is charged")
    require_counts(release, "a program without a guardian")
    class_variance, threshold_variance = _variances(parameters)
    threshold = None
    if release.threshold is not None:
        threshold = (int(release.threshold * (1 << widths.grid_bits)), threshold_variance)
    return steps.guardian_free(
        answering, parameters.num_classes, widths.vote_bits, widths.grid_bits, class_variance, batch, threshold
    )


def sampler_distance(parameters: Parameters) -> Fraction:
    """An upper bound on the statistical distance of all draws of one query from their exact laws."""
    class_variance, threshold_variance = _variances(parameters)
    distance = capc_noise.distance(class_variance)
    if threshold_variance is not None:
        distance += capc_noise.distance(threshold_variance)
    return parameters.num_classes * distance


def account_statement(parameters: Parameters, account: Account) -> PrivacyStatement:
    """What one answering party's account guarantees, with the distance of the sampler in its delta."""
    return budget_statement(account, sampler_distance(parameters))


def answering_party_charge(
    account: Account,
    parameters: Parameters,
    session_tag: bytes,
    queries: Sequence[int],
    shares: Sequence[Sequence[int]],
) -> list[Receipt]:
    """One answering party charges its own account for queries, all of them or none, before it enters its shares.

    Args:
        account: its own, which no other party sees.
        parameters: of the session.
        session_tag: 32 bytes.
        queries: their numbers.
        shares: its vote shares of each query; the receipts are bound to them by a hiding commitment.

    Raises:
        BudgetExhaustedError: its budget does not admit as many queries; it enters nothing.
        InputError: the account charges for another policy, its budget does not keep its epsilon, or a query was charged
            before.
    """
    if account.policy != parameters.release:
        raise InputError("the account has another policy than the session: make it from the session's")
    certify(account.policy, account.grid_bits, account.budget)
    if len(queries) > account.remaining_queries():
        raise BudgetExhaustedError(
            f"the budget {account.budget} ({account.cost.unit.value}) does not admit {len(queries)} more: "
            f"{account.spent} is spent and a query costs {account.cost.worst_case}"
        )
    blinding = fresh_seed()
    receipts = []
    for query, share in zip(queries, shares, strict=True):
        words = b"".join(word.to_bytes(8, "little") for word in share)
        bound = hashlib.sha256(
            TAGS["guardian-free-binding"] + blinding + session_tag + query.to_bytes(4, "little") + words
        )
        receipts.append(account.reserve(session_tag, query, bound.digest()))
    return receipts


def release_without_guardian(
    parameters: Parameters,
    accounts: Sequence[Account],
    session_tag: bytes,
    first_query: int,
    cases: Sequence[Mapping[int, Sequence[int]]],
    protocol: str,
    *,
    model: Model = Model.BASE,
    limits: Limits | None = None,
    machine: Machine | None = None,
) -> GuardianFreeRun:
    """Aggregates, noises and releases a batch of queries, once every answering party has charged its own account.

    Args:
        parameters: of the session.
        accounts: one for each answering party, in order.
        session_tag: 32 bytes.
        first_query: the number of the first; the others follow.
        cases: for each query the C vote shares of every party, in Z_{2^w}; number K is the querying party.
        protocol: a name of the table.
        model: the threat model that the configuration declares.
        limits: time and memory.
        machine: the MP-SPDZ to use; the installed one by default.

    Raises:
        BudgetExhaustedError: an answering party's budget is spent; nothing was run. What others had charged stays.
        InputError: as of :func:`guardian_free_step`, :func:`answering_party_charge` and
            :func:`capc_mpc.spdz.running.run`.
        MpcError: compiler or machine failed; what was charged stays.
    """
    step = guardian_free_step(parameters, len(accounts), len(cases))
    machine = machine or the_machine()
    _check_protocol(step, protocol, model, machine)
    queries = range(first_query, first_query + len(cases))
    receipts = [
        answering_party_charge(account, parameters, session_tag, queries, [case[party] for case in cases])
        for party, account in enumerate(accounts)
    ]
    inputs: list[Case] = [{(party, "vote_shares"): share for party, share in case.items()} for case in cases]
    done = run(step, inputs, protocol, model=model, limits=limits, machine=machine)
    learnt = done.learnt[len(accounts)]
    answered = learnt.get("answered", [1] * len(cases))
    labels = [label if released else None for label, released in zip(learnt["label"], answered, strict=True)]
    statements = [account_statement(parameters, account) for account in accounts]
    return GuardianFreeRun(labels, receipts, statements, done)


def run_answering_party(
    parameters: Parameters,
    account: Account,
    session_tag: bytes,
    first_query: int,
    shares: Sequence[Sequence[int]],
    party: int,
    answering: int,
    protocol: str,
    deployment: Deployment,
    *,
    model: Model = Model.BASE,
    limits: Limits | None = None,
    machine: Machine | None = None,
) -> list[Receipt]:
    """One answering party's part of a run among several machines: charges its own account, and only then takes part.

    Args:
        parameters: of the session.
        account: its own.
        session_tag: 32 bytes.
        first_query: the number of the first; the others follow.
        shares: its C vote shares of each query.
        party: its number in the program, from 0.
        answering: K.
        protocol: a name of the table.
        deployment: addresses of all parties, and its keys.
        model: the threat model that the configuration declares.
        limits: time and memory.
        machine: the MP-SPDZ to use; the installed one by default.

    Raises:
        BudgetExhaustedError: its budget is spent; it does not take part.
        InputError: as of :func:`release_without_guardian`, or no answering party has that number.
        MpcError: compiler or machine failed; what was charged stays.
    """
    machine = machine or the_machine()
    if not 0 <= party < answering:
        raise InputError(f"party = {party}: answering parties are numbered from 0 to {answering - 1}")
    step = guardian_free_step(parameters, answering, len(shares))
    _check_protocol(step, protocol, model, machine)
    queries = range(first_query, first_query + len(shares))
    receipts = answering_party_charge(account, parameters, session_tag, queries, shares)
    cases: list[Case] = [{(party, "vote_shares"): share} for share in shares]
    run_party(step, party, cases, protocol, deployment, model=model, limits=limits, machine=machine)
    return receipts


def _check_protocol(step: Step, protocol: str, model: Model, machine: Machine) -> None:
    """Refuses what the runner would refuse, before anything is charged."""
    row = protocol_named(protocol)
    check_model(row, model)
    row.parties_for(step.parties)
    machine.party_program(row.program)


def _variances(parameters: Parameters) -> tuple[Fraction, Fraction | None]:
    """Of the label's noise and of a check's own, in squared grid units."""
    release, unit = parameters.release, 1 << parameters.widths.grid_bits
    threshold = None if release.threshold_sigma is None else (release.threshold_sigma * unit) ** 2
    return (release.sigma * unit) ** 2, threshold
