"""Pairwise keys, zero-sum masks and their sum."""

from __future__ import annotations

from capc.foundation import primitives, ring
from capc.foundation.randomness import XofSource
from capc.steps import zero_sum
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.values import COUNT, DATA, INTEGERS, many, record


def _key(call: Call) -> Result:
    peer_point = primitives.read_point(call["peer_point"])
    points = {call["me"]: primitives.base_multiply(call["scalar"]), call["peer"]: peer_point}
    key = zero_sum.pairwise_key(call["session_tag"], call["scalar"], points, call["me"], call["peer"])
    return Result({"point": points[call["me"]], "key": key})


def _mask(call: Call) -> Result:
    keys = {entry["peer"]: entry["key"] for entry in call["keys"]}
    mask = zero_sum.zero_sum_mask(call["me"], keys, call["label"], call["num_classes"], call["vote_bits"], XofSource)
    return Result({"mask": mask})


AGGREGATION = GroupType(
    "Aggregation",
    named(
        Operation(
            "pairwise_key",
            _key,
            {"session_tag": DATA, "scalar": DATA, "me": COUNT, "peer": COUNT, "peer_point": DATA},
            {"point": DATA, "key": DATA},
        ),
        Operation(
            "zero_sum_mask",
            _mask,
            {
                "me": COUNT,
                "keys": many(record({"peer": COUNT, "key": DATA})),
                "label": DATA,
                "num_classes": COUNT,
                "vote_bits": COUNT,
            },
            {"mask": INTEGERS},
        ),
        Operation(
            "sum_shares",
            lambda call: Result({"total": ring.sum_shares(call["shares"], call["vote_bits"])}),
            {"shares": many(INTEGERS), "vote_bits": COUNT},
            {"total": INTEGERS},
        ),
    ),
    receives={"pairwise_key": frozenset({"InvalidPoint"})},
)
