"""Pairwise keys, zero-sum masks, accounting."""

from __future__ import annotations

from typing import Any

from capc.foundation import primitives
from capc.foundation.primitives import Scalar
from capc.foundation.randomness import BytesSource
from capc_spec.registry import STEP_LABELS
from capc_verify.vectors.build import FileBuilder
from capc_verify.vectors.cases.common import expect_equal, invalid_points
from capc_verify.vectors.operation import SENDER, Fault
from capc_verify.vectors.operations.aggregation import AGGREGATION


def aggregation() -> FileBuilder:
    """Keys, masks and sums."""
    file = FileBuilder(
        "aggregation",
        "CAPC-AGGREGATION",
        [
            "Pairwise keys from scalars and points; masks of a query from keys; sums of shares.",
            "The label of a mask is `zero-sum/`, the session tag, and the query's number as u32.",
        ],
    )
    _keys(file)
    for parties, classes, width in ((1, 3, 10), (2, 3, 10), (5, 10, 16)):
        _masks(file, parties, classes, width)
    return file


def _scalar(file: FileBuilder, label: str) -> Scalar:
    return primitives.random_scalar(BytesSource(file.source.draw(label, 64)))


def _keys(file: FileBuilder) -> None:
    group = file.group(AGGREGATION)
    tag, one, two = file.source.draw("session_tag", 32), _scalar(file, "scalar/1"), _scalar(file, "scalar/2")
    for me, peer in ((1, 2), (1, 300), (4096, 300)):
        test = group.test(f"pairwise_key_{me}_{peer}", "Both ends derive one key.", ["CAPC-AGG-005"])
        ends = ((me, peer, one, two), (peer, me, two, one))
        keys = [
            test.run(
                "pairwise_key", session_tag=tag, scalar=own, me=a, peer=b, peer_point=primitives.base_multiply(other)
            )["key"]
            for a, b, own, other in ends
        ]
        expect_equal(keys[0], keys[1], test.name)
    for name, point in invalid_points().items():
        test = group.test(f"pairwise_key_{name}", "An invalid point.", ["CAPC-WIRE-005"], ["InvalidPoint"])
        fault = Fault("invalid_point", SENDER)
        test.run("pairwise_key", session_tag=tag, scalar=one, me=1, peer=2, peer_point=point, fault=fault)
    for size in (31, 33):
        test = group.test(f"pairwise_key_point_of_{size}_bytes", "No point.", ["CAPC-WIRE-005"], ["InvalidPoint"])
        point = (primitives.base_multiply(two) + b"\x00")[:size]
        fault = Fault("invalid_point", SENDER)
        test.run("pairwise_key", session_tag=tag, scalar=one, me=1, peer=2, peer_point=point, fault=fault)


def _masks(file: FileBuilder, parties: int, classes: int, width: int) -> None:
    group = file.group(AGGREGATION)
    keys = {(i, j): file.source.draw(f"key/{i}/{j}", 32) for i in range(1, parties) for j in range(i + 1, parties + 1)}
    for query in (1, 258):
        test = group.test(
            f"zero_sum_{parties}_parties_query_{query}",
            "The masks of all parties, and their sum.",
            ["CAPC-AGG-001", "CAPC-AGG-002"],
            ["Wrap"] if parties > 1 else [],
        )
        label = (
            STEP_LABELS["answering_party_send_vote"]
            + b"/"
            + file.source.draw("session_tag", 32)
            + query.to_bytes(4, "little")
        )
        masks = []
        for me in range(1, parties + 1):
            held = [
                {"peer": peer, "key": keys[min(me, peer), max(me, peer)]}
                for peer in range(1, parties + 1)
                if peer != me
            ]
            fields: dict[str, Any] = {
                "me": me,
                "keys": held,
                "label": label,
                "num_classes": classes,
                "vote_bits": width,
            }
            masks.append(test.run("zero_sum_mask", **fields)["mask"])
        total = test.run("sum_shares", shares=masks, vote_bits=width)["total"]
        expect_equal(total, [0] * classes, test.name)
    top = (1 << width) - 1
    test = group.test(f"sum_wraps_{width}_{parties}", "A sum of shares wraps.", ["CAPC-PARAM-020"], ["Wrap"])
    shares = [[top, 1, 0], [1, top, 0], [top, top, 0]]
    expect_equal(test.run("sum_shares", shares=shares, vote_bits=width)["total"], [top, top, 0], test.name)
