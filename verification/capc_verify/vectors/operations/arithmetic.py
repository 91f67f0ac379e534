"""Rings, fixed point and the expander."""

from __future__ import annotations

from capc.foundation import ring
from capc.foundation.encoding import elements_from_bytes, elements_to_bytes
from capc.foundation.fixed_point import quantise
from capc.foundation.randomness import XofSource
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.values import COUNT, DATA, INTEGER, INTEGERS, REAL, many

_PAIR = {"left": INTEGERS, "right": INTEGERS, "width": COUNT}


def _reveal(call: Call) -> Result:
    masked = ring.add(call["values"], call["masks"], call["width"])
    opened = ring.subtract(masked, call["masks"], call["width"])
    return Result({"masked": masked, "opened": [ring.signed(element, call["width"]) for element in opened]})


RING = GroupType(
    "Ring",
    named(
        Operation(
            "ring_add",
            lambda call: Result({"elements": ring.add(call["left"], call["right"], call["width"])}),
            _PAIR,
            {"elements": INTEGERS},
        ),
        Operation(
            "ring_subtract",
            lambda call: Result({"elements": ring.subtract(call["left"], call["right"], call["width"])}),
            _PAIR,
            {"elements": INTEGERS},
        ),
        Operation(
            "ring_scale",
            lambda call: Result({"elements": ring.scale(call["elements"], call["factor"], call["width"])}),
            {"elements": INTEGERS, "factor": INTEGER, "width": COUNT},
            {"elements": INTEGERS},
        ),
        Operation(
            "ring_signed",
            lambda call: Result({"values": [ring.signed(element, call["width"]) for element in call["elements"]]}),
            {"elements": INTEGERS, "width": COUNT},
            {"values": INTEGERS},
        ),
        Operation(
            "mask_and_open",
            _reveal,
            {"values": INTEGERS, "masks": INTEGERS, "width": COUNT},
            {"masked": INTEGERS, "opened": INTEGERS},
        ),
        Operation(
            "elements_to_bytes",
            lambda call: Result({"data": elements_to_bytes(call["elements"], call["width"])}),
            {"elements": INTEGERS, "width": COUNT},
            {"data": DATA},
        ),
        Operation(
            "elements_from_bytes",
            lambda call: Result({"elements": elements_from_bytes(call["data"], call["width"])}),
            {"data": DATA, "width": COUNT},
            {"elements": INTEGERS},
        ),
    ),
)

FIXED_POINT = GroupType(
    "FixedPoint",
    named(
        Operation(
            "quantise",
            lambda call: Result({"integers": quantise(call["values"], call["fraction_bits"])}),
            {"values": many(REAL), "fraction_bits": COUNT},
            {"integers": INTEGERS},
        )
    ),
)

_STREAM = {"seed": DATA, "label": DATA}


def _bits(call: Call) -> Result:
    source = XofSource(call["seed"], call["label"])
    return Result({"integers": [source.bits(width) for width in call["widths"]]})


def _below(call: Call) -> Result:
    source = XofSource(call["seed"], call["label"])
    integers = [source.below(bound) for bound in call["bounds"]]
    return Result({"integers": integers, "next": source.read(8)})


XOF = GroupType(
    "Xof",
    named(
        Operation(
            "xof_read",
            lambda call: Result({"data": XofSource(call["seed"], call["label"]).read(call["length"])}),
            {**_STREAM, "length": COUNT},
            {"data": DATA},
        ),
        Operation("xof_bits", _bits, {**_STREAM, "widths": many(COUNT)}, {"integers": INTEGERS}),
        Operation("xof_below", _below, {**_STREAM, "bounds": INTEGERS}, {"integers": INTEGERS, "next": DATA}),
    ),
)
