"""Steps of sessions whose models have layers without activation."""

from __future__ import annotations

from capc.steps.querying_party import inference as qp
from capc.steps.querying_party import offline as qp_ahead
from capc_verify.vectors.operation import GroupType, Part, named
from capc_verify.vectors.operations.protocol.sessions import MESSAGE_FAULTS
from capc_verify.vectors.operations.protocol.step import protocol_from, share_of_products, step
from capc_verify.vectors.operations.protocol.steps import MESSAGE, PARAMS, REUSE, ROWS, STEPS, choice_of, is_offline

_SUMS = named(
    step(
        "querying_party_keep_sums",
        choice_of(qp.querying_party_keep_sums, qp_ahead.querying_party_keep_sums_offline, is_offline),
        Part.INFERENCE,
        MESSAGE,
        {},
        {"share_of_products": ROWS},
        recalls=share_of_products,
        calls=(qp.querying_party_keep_sums, qp_ahead.querying_party_keep_sums_offline),
    ),
)

LAYERS = GroupType(
    "Layers",
    {**STEPS, **_SUMS},
    PARAMS,
    protocol_from,
    {"querying_party_keep_sums": MESSAGE_FAULTS | REUSE | {"OutOfRange"}},
)
"""Models with skips, layers without activation, and weights of other fraction bits than the session's."""
