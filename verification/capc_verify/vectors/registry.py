"""Which group types each vector file holds."""

from __future__ import annotations

from collections.abc import Mapping

from capc_verify.vectors.operation import GroupType
from capc_verify.vectors.operations import (
    accounts,
    aggregation,
    arithmetic,
    circuits,
    he,
    ledgers,
    noise,
    operators,
    two_party,
)
from capc_verify.vectors.operations.protocol import payloads, rounds, runs, sessions, steps
from capc_verify.vectors.operations.worked import draws, gates, layers, tags, traces

FILES: Mapping[str, tuple[GroupType, ...]] = {
    "ring": (arithmetic.RING, arithmetic.FIXED_POINT),
    "xof": (arithmetic.XOF,),
    "session": (sessions.SESSIONS, sessions.HANDSHAKE),
    "messages": (sessions.ENVELOPE, payloads.PAYLOADS),
    "noise": (noise.NOISE,),
    "circuits": (
        circuits.SHARE_WORDS,
        circuits.CIRCUITS,
        circuits.POOLED_RELU,
        circuits.CAPPED,
        circuits.AT_MOST,
        circuits.LEAKY,
    ),
    "operators": (operators.OPERATORS, operators.ARCHITECTURES, operators.MODELS, sessions.SESSIONS),
    "oblivious_transfer": (two_party.TRANSFERS,),
    "garbling": (two_party.GARBLING,),
    "aggregation": (aggregation.AGGREGATION,),
    "accounting": (accounts.ACCOUNTING,),
    "ledger": (ledgers.LEDGER,),
    "protocol_plain": (steps.PLAIN,),
    "protocol_threshold": (steps.THRESHOLD,),
    "protocol_single_draw": (steps.SINGLE_DRAW,),
    "protocol_realised": (steps.REALISED,),
    "protocol_batches": (steps.BATCHES,),
    "protocol_all_pairs": (steps.ALL_PAIRS,),
    "protocol_rounds": (rounds.ROUNDS,),
    "run": (runs.RUNS,),
    "he": (he.HE,),
    "noise_traces": (traces.TRACES,),
    "gate_lists": (gates.GATES,),
    "streams": (draws.DRAWS, tags.TAGGED),
    "he_layers": (layers.LAYERS,),
}
"""By the stem of the file."""

GROUP_TYPES: Mapping[str, GroupType] = {kind.name: kind for kinds in FILES.values() for kind in kinds}
"""Every group type by its name."""
