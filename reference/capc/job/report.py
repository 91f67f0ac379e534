"""The report of a run as a JSON document (capc_spec/schemas/run_report.schema.json).

Only the enforced budget is called a guarantee (CAPC-RUN-006), and only where no weaker threat model is declared: what
was spent is an odometer reading.

Spec: CAPC-RUN-008.
"""

from __future__ import annotations

import platform
from dataclasses import asdict
from fractions import Fraction
from functools import reduce

from capc.foundation.environment import requirements
from capc.foundation.parties import organisation
from capc.job.config import Budgets, rational_text
from capc.job.models import without_noise
from capc.job.options import flag
from capc.job.state import JobState, PartyRecord, QueryRecord, Turn
from capc.learning.metrics import Score
from capc.privacy.account import Account
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.policies import policy_epsilon
from capc.privacy.figures.rounding import rounded_up, upwards
from capc.privacy.figures.statement import budget_statement, enforced_epsilons, spent_statement
from capc.privacy.ledger import Ledger
from capc.protocol.costs import StepCost
from capc.protocol.engine import EMBEDDED
from capc.session.parameters import SPEC_VERSION
from capc.two_party.garbling.concrete_bound import GarblingBound, garbling_bound
from capc.two_party.hash_use import HashUse

SCHEMA = "run_report/v2"


def document(state: JobState) -> dict[str, object]:
    """What the run has done so far, in JSON values. The state may be that of a run that was interrupted."""
    engine = state.plan.engine_description
    installed = {entry.distribution: entry.version for entry in requirements()}
    return {
        "schema": SCHEMA,
        "simulated": state.plan.simulated,
        "status": state.status.value,
        "config": state.plan.config.document(),
        "data": _data(state),
        "parties": [_party(party) for party in state.parties],
        "ensemble": _score(state.ensemble),
        "queriers": [_querier(turn) for turn in state.turns],
        "queries": [_query(state, query) for query in state.queries],
        "agreement": agreement(state),
        "privacy": _privacy(state),
        "advice": _advice(state),
        "ledger": _ledger(state),
        "journal": _journal(state),
        # What computed steps 1c and 3, and against whom it keeps nothing secret under the declared model.
        "engine": {**asdict(engine), "not_withstood": list(engine.not_withstood)},
        "garbling": _garbling(state),
        "steps": {name: asdict(cost) for name, cost in costs(state).items()},
        "versions": {"python": platform.python_version(), "specification": SPEC_VERSION, **installed},
    }


def _data(state: JobState) -> dict[str, object]:
    data, split, group = state.plan.dataset, state.split, state.plan.group
    return {
        "name": data.name,
        "rows": data.num_rows,
        "features": data.num_features,
        "classes": list(data.classes),
        "labels_of_sets": data.labels_of_sets,
        "group": None if group is None else {"name": group.name, "values": list(group.values)},
        "split": {
            "test": len(split.test),
            "pools": [len(rows) for rows in split.pools],
            "parties": [len(rows) for rows in split.parties],
        },
    }


def _score(score: Score | None) -> dict[str, object] | None:
    return None if score is None else score.document()


def _party(record: PartyRecord) -> dict[str, object]:
    return {
        "party": record.party,
        "name": organisation(record.party),
        "layer_sizes": list(record.layer_sizes),
        "rows": sum(record.per_class),
        "per_class": list(record.per_class),
        "per_group": list(record.per_group),
        "score": record.score.document(),
    }


def _querier(turn: Turn) -> dict[str, object]:
    return {
        "party": turn.party,
        "before": _score(turn.before),
        "after": _score(turn.after),
        "rounds": [
            {
                "round": record.round,
                "queries": record.queries,
                "epsilon": account_epsilon(turn.account, record.spent),
                "score": record.score.document(),
            }
            for record in turn.rounds
        ],
        "baselines": {name.value: score.document() for name, score in turn.baselines.items()},
    }


def account_epsilon(account: Account, spent: Fraction) -> float:
    """An odometer reading, rounded up."""
    return rounded_up(policy_epsilon(account.policy, account.grid_bits, spent))


def _query(state: JobState, query: QueryRecord) -> dict[str, object]:
    true_label = int(state.plan.dataset.labels[query.row])
    return {**asdict(query), "votes": list(query.votes), "true_label": true_label}


def costs(state: JobState) -> dict[str, StepCost]:
    """Seconds, bytes and rounds of each step, over the turns of all querying parties."""
    added: dict[str, StepCost] = {}
    for labeller in state.labellers:
        for name, cost in labeller.costs.items():
            known = added.get(name, StepCost())
            added[name] = StepCost(known.seconds + cost.seconds, known.bytes + cost.bytes, known.rounds + cost.rounds)
    return added


def agreement(state: JobState) -> dict[str, int]:
    """Counts over the queries; `correct` compares with the data's own labels, which no party of a real run has.

    `plurality` is how many of the released labels are those of the votes before noise.
    """
    labels = state.plan.dataset.labels
    released = [query for query in state.queries if query.label is not None]
    return {
        "queries": len(state.queries),
        "released": len(released),
        "withheld": len(state.queries) - len(released),
        "equal_to_ideal": sum(query.label == query.ideal_label for query in state.queries),
        "plurality": sum(query.label == without_noise(state.plan, query.votes) for query in released),
        "correct": sum(query.label == int(labels[query.row]) for query in released),
    }


def _advice(state: JobState) -> dict[str, object]:
    advice = state.plan.advice
    return {
        "sigma": rational_text(advice.sigma),
        "threshold": None if advice.threshold is None else rational_text(advice.threshold),
        "queries": advice.queries,
        "warnings": list(advice.warnings),
        "reasons": list(advice.reasons),
    }


def _privacy(state: JobState) -> dict[str, object]:
    account, policy = state.account, state.account.policy
    guaranteed, reading = budget_statement(account), spent_statement(account)
    return {
        "epsilon": rounded_up(policy.epsilon),
        "delta": rounded_up(policy.delta),
        "label": enforced_label(state),
        "realised": rounded_up(reading.epsilon),
        "realised_label": enforced_label(state) if state.plan.simulated else reading.label,
        "all_queriers": _together(state),
        "mechanism": policy.mechanism.value,
        "adjacency": policy.adjacency.value,
        "method": guaranteed.method,
        "charge": policy.charge.value,
        "accounting": policy.method.value,
        "accounting_because": state.plan.accounting,
        "adversaries": adversaries(account),
        "joint": policy.joint_cost is not None,
        "renyi_order": None if policy.renyi_order is None else rational_text(policy.renyi_order),
        "sigma": rational_text(policy.sigma),
        "threshold": None if policy.threshold is None else rational_text(policy.threshold),
        "threshold_mode": None if policy.threshold is None else policy.threshold_mode.value,
        "threshold_sigma": None if policy.threshold_sigma is None else rational_text(policy.threshold_sigma),
        "unit": account.cost.unit.value,
        "budget": rational_text(account.budget),
        "spent": rational_text(account.spent),
        "query_cost": rational_text(account.cost.worst_case),
        "remaining_queries": account.remaining_queries(),
        "rounding": guaranteed.rounding,
        "hypotheses": [*guaranteed.hypotheses, *_engine_hypotheses(state)],
    }


def adversaries(account: Account) -> dict[str, float]:
    """The enforced epsilon towards each; towards a querying party that follows the protocol it is the policy's."""
    found = {**enforced_epsilons(account), Adversary.SEMI_HONEST: account.policy.epsilon}
    return {adversary.value: rounded_up(max(epsilon, account.policy.epsilon)) for adversary, epsilon in found.items()}


def _together(state: JobState) -> dict[str, object]:
    """What all querying parties together are promised."""
    return {"budgets": state.plan.config.budgets.value, "epsilon": _epsilon_of_all(state)}


def _epsilon_of_all(state: JobState) -> float:
    """Separate budgets add up: each querying party's answers are about the same data."""
    account, budgets = state.account, 1 if state.plan.config.budgets is Budgets.SHARED else len(state.turns)
    return account_epsilon(account, budgets * account.budget)


def _ledger(state: JobState) -> dict[str, object] | None:
    """Which log the privacy figures were read from, and up to which record; None for an account in memory."""
    if not isinstance(state.account, Ledger):
        return None
    head = state.account.head
    return {"identity": head.identity.hex(), "records": head.size}


def _journal(state: JobState) -> dict[str, int | bool] | None:
    """What earlier runs on the same ledger asked and bought; None for a run without a ledger."""
    if not isinstance(state.account, Ledger):
        return None
    purses = [turn.purse for turn in state.turns]
    return {
        "asked_before": sum(purse.asked_before for purse in purses),
        "labels_reused": sum(len(purse.bought) for purse in purses),
        "earlier_charges_unknown": all(purse.is_new for purse in purses),
    }


def _engine_hypotheses(state: JobState) -> list[str]:
    """What a declared model that is weaker than the base model assumes besides."""
    engine = state.plan.engine_description
    if engine.model == EMBEDDED.model:
        return []
    return [
        f"steps 1c and 3 run on {engine.name} among {engine.parties} parties under the declared model {engine.model}: "
        f"no guarantee towards {', '.join(engine.not_withstood)}"
    ]


def _garbling(state: JobState) -> dict[str, object] | None:
    """The concrete bound of everything that was garbled so far (CAPC-GC-012)."""
    bound = concrete_bound(state)
    if bound is None:
        return None
    return {
        "hash_keys": bound.use.keys,
        "rows": bound.use.rows,
        "most_rows": bound.use.most,
        "key_bits": bound.key_bits,
        "run_bits": bound.run_bits,
        "delta_bits": bound.delta_bits,
    }


def concrete_bound(state: JobState) -> GarblingBound | None:
    """The same, against the enforced epsilon and delta; None before anything was garbled."""
    policy = state.account.policy
    if not state.labellers or state.plan.simulated:
        return None
    use = reduce(HashUse.joined, (labeller.hash_use for labeller in state.labellers))
    return garbling_bound(use, policy.epsilon, policy.delta)


def enforced_label(state: JobState) -> str:
    """What stands beside the enforced epsilon: a guarantee only of one budget, and of the base model."""
    if state.plan.simulated:
        return f"no guarantee: simulated in the clear, with noise from {flag('seed')}"
    if state.plan.config.budgets is Budgets.SEPARATE and len(state.turns) > 1:
        together = upwards(_epsilon_of_all(state))
        return f"no guarantee: {len(state.turns)} budgets, which keep epsilon <= {together} together"
    engine = state.plan.engine_description
    if engine.model != EMBEDDED.model:
        return f"no guarantee: under the declared model {engine.model} only, which is weaker than the base model"
    return budget_statement(state.account).label
