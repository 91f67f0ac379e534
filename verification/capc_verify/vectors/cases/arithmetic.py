"""Rings, fixed point, expander."""

from __future__ import annotations

from capc.foundation.randomness import STREAM_LIMIT
from capc_verify.vectors.build import FileBuilder
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.operation import SENDER, Fault
from capc_verify.vectors.operations.arithmetic import FIXED_POINT, RING, XOF

_RING = ("CAPC-PARAM-020",)
_FIXED = ("CAPC-PARAM-040",)
_XOF = ("CAPC-PARAM-011",)
_INPUT = Fault.of_caller("input_error")


def ring() -> FileBuilder:
    """Z_{2^k} and quantisation."""
    file = FileBuilder(
        "ring",
        "CAPC-RING",
        ["Arithmetic in Z_{2^k}, elements as bytes, and quantisation.", "Nothing here is random except masks."],
    )
    _ring_group(file)
    _encoding(file)
    _fixed_point(file)
    return file


def _ring_group(file: FileBuilder) -> None:
    group = file.group(RING)
    for width in (2, 10, 16, 37, 64):
        top = (1 << width) - 1
        left, right = [0, top, 1 << (width - 1), 1, top], [0, 1, 1 << (width - 1), top, top]
        for op in ("ring_add", "ring_subtract"):
            group.case(
                op,
                f"{op}_{width}",
                f"Edges of Z_2^{width}, element by element.",
                _RING,
                ["Wrap"],
                left=left,
                right=right,
                width=width,
            )
        group.case(
            "ring_signed",
            f"ring_signed_{width}",
            "The two's-complement reading of the edges.",
            _RING,
            ["Extreme"],
            elements=[0, 1, (1 << (width - 1)) - 1, 1 << (width - 1), top],
            width=width,
        )
    group.case(
        "ring_scale",
        "ring_scale_16",
        "Votes are scaled to the grid by 2^4, and wrap.",
        _RING,
        ["Wrap"],
        elements=[0, 1, 4095, 4096, 65535],
        factor=16,
        width=16,
    )
    for width in (12, 37):
        half = 1 << (width - 1)
        values = [0, 1, -1, half - 1, -half, 5]
        test = group.test(
            f"mask_and_open_{width}",
            "A mask is added and taken away: exact for every mask, also where the sum wraps.",
            [*_RING, "CAPC-PARAM-043"],
            ["Wrap", "Extreme"],
        )
        masks = [0, (1 << width) - 1, half, half, half, file.source.elements(f"mask_{width}", 1, width)[0]]
        opened = test.run("mask_and_open", values=values, masks=masks, width=width)["opened"]
        expect_equal(opened, values, test.name)


def _encoding(file: FileBuilder) -> None:
    group = file.group(RING)
    requirements = ("CAPC-WIRE-008",)
    for width in (10, 16, 37):
        size = (width + 7) // 8
        elements = [0, 1, (1 << width) - 1, *file.source.elements(f"encoding_{width}", 3, width)]
        test = group.test(f"elements_bytes_{width}", f"{size} bytes each, little-endian.", requirements)
        data = test.run("elements_to_bytes", elements=elements, width=width)["data"]
        test.run("elements_from_bytes", data=data, width=width)
        if size > 1:
            name, comment = f"elements_cut_{width}", "The last element lacks a byte."
            test = group.test(name, comment, requirements, ["CallerMistake"])
            test.run("elements_from_bytes", data=data[:-1], width=width, fault=_INPUT)
        if width % 8:
            test = group.test(
                f"elements_too_large_{width}",
                f"The second element is 2^{width}.",
                ["CAPC-WIRE-004", "CAPC-ERR-002"],
                ["OutOfRange"],
            )
            data = bytes(size) + (1 << width).to_bytes(size, "little")
            test.run("elements_from_bytes", data=data, width=width, fault=Fault("value_out_of_range", SENDER))


def _fixed_point(file: FileBuilder) -> None:
    group = file.group(FIXED_POINT)
    cases = {
        "halves_to_even": (2, [0.125, 0.375, 0.625, -0.125, -0.375, -0.625], [0, 2, 2, 0, -2, -2], ["HalfToEven"]),
        "around_halves": (2, [0.1249999, 0.1250001, -0.1249999, -0.1250001], [0, 1, 0, -1], []),
        "ends_of_the_range": (12, [1.0, -1.0, 0.0, -0.0], [4096, -4096, 0, 0], ["Extreme"]),
        "no_fraction_bits": (0, [0.5, 1.5, 2.5, -0.5, -1.5], [0, 2, 2, 0, -2], ["HalfToEven"]),
        "nearest_double": (12, [0.1, 0.2, 0.3, -0.7], [410, 819, 1229, -2867], []),
    }
    for name, (bits, values, expected, flags) in cases.items():
        found = group.case(
            "quantise",
            f"quantise_{name}",
            "Value times 2^f, to the nearest integer.",
            _FIXED,
            flags,
            values=values,
            fraction_bits=bits,
        )["integers"]
        expect_equal(found, expected, f"quantise_{name}")
    for name in ("nan", "inf", "-inf"):
        group.case(
            "quantise",
            f"quantise_{name.replace('-', 'minus_')}",
            "Not a finite number.",
            ["CAPC-PARAM-041"],
            ["CallerMistake"],
            values=[0.5, float(name)],
            fraction_bits=2,
            fault=_INPUT,
        )


def xof() -> FileBuilder:
    """SHAKE-256 under seed and label."""
    file = FileBuilder("xof", "CAPC-XOF", ["The stream of a seed and a label, and integers taken from it."])
    group = file.group(XOF)
    for name, label, length in (
        ("empty_label", b"", 64),
        ("step_label", b"answering_party_evaluate_layer/", 64),
        ("nothing_read", b"nothing", 0),
        ("across_a_block", b"block", 300),
    ):
        test = group.test(f"read_{name}", f"The first {length} bytes.", _XOF)
        test.run("xof_read", seed=test.seed(), label=label, length=length)
    test = group.test("read_other_label", "A label that goes on where another one ends: unrelated bytes.", _XOF)
    seed = test.seed()
    for label in (b"zero-sum/", b"zero-sum/0"):
        test.run("xof_read", seed=seed, label=label, length=32)
    test = group.test("bits_widths", "ceil(k / 8) bytes each; excess high bits are dropped.", _XOF, ["Extreme"])
    test.run("xof_bits", seed=test.seed(), label=b"bits", widths=[1, 7, 8, 9, 10, 37, 64, 128, 127, 1])
    test = group.test("below_bounds", "Rejection; below(1) takes no byte; then the next 8 bytes.", _XOF, ["Rejection"])
    bounds = [1, 2, 3, 5, 129, 257, 65537, (1 << 64) - 1, (1 << 252) + 27742317777372353535851937790883648493]
    test.run("xof_below", seed=test.seed(), label=b"below", bounds=bounds)
    for length in (0, 31, 33):
        test = group.test(f"seed_of_{length}_bytes", "Seeds have 32 bytes.", ["CAPC-PARAM-011"], ["CallerMistake"])
        test.run("xof_read", seed=test.draw("seed", length), label=b"", length=1, fault=_INPUT)
    test = group.test("below_zero", "There is no integer below 0.", _XOF, ["CallerMistake"])
    test.run("xof_below", seed=test.seed(), label=b"below", bounds=[0], fault=_INPUT)
    test = group.test("stream_end", "A stream gives 2^24 bytes and no more.", ["CAPC-PARAM-012"], ["Exhausted"])
    fault = Fault.of_caller("randomness_exhausted")
    test.run("xof_read", seed=test.seed(), label=b"end", length=STREAM_LIMIT + 1, fault=fault)
    return file
