"""Section 16's layers suffice: everything in `operators.json` follows from its words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parents[2] / "spec" / "capc_spec" / "vectors" / "operators.json"
Fields = dict[str, Any]


class RefusedError(Exception):
    """An `input_error`."""


def require(holds: bool) -> None:
    if not holds:
        raise RefusedError


def windows_of(grid: Fields) -> list[list[list[int | None]]]:
    """For each channel each window's places in the value, None in the padding."""
    sizes = grid["height"], grid["width"]
    require(min(grid["channels"], *sizes, *grid["kernel"], *grid["stride"], *grid["dilation"]) >= 1)
    require(min(grid["padding"]) >= 0)
    axes = []
    for size, k, s, p, d in zip(sizes, *(grid[x] for x in ("kernel", "stride", "padding", "dilation")), strict=True):
        count = (size + 2 * p - d * (k - 1) - 1) // s + 1
        require(count >= 1)
        axes.append([[y * s - p + u * d for u in range(k)] for y in range(count)])

    def place(channel: int, row: int, column: int) -> int | None:
        inside = 0 <= row < sizes[0] and 0 <= column < sizes[1]
        return (channel * sizes[0] + row) * sizes[1] + column if inside else None

    pairs = list(product(*axes))
    return [
        [[place(channel, r, c) for r, c in product(rows, columns)] for rows, columns in pairs]
        for channel in range(grid["channels"])
    ]


def length_of(grid: Fields) -> int:
    return prod(grid[name] for name in ("channels", "height", "width"))


def shape_of(operator: Fields) -> tuple[int, int, int, int]:
    """Inputs, outputs, rows and columns of the weights."""
    if operator["kind"] == "dense":
        require(min(operator["inputs"], operator["outputs"]) >= 1)
        return operator["inputs"], operator["outputs"], operator["outputs"], operator["inputs"]
    grid, m, g = operator["grid"], operator["out_channels"], operator["groups"]
    channels = windows_of(grid)
    require(min(m, g) >= 1)
    require(grid["channels"] % g == 0 and m % g == 0)
    return length_of(grid), m * len(channels[0]), m, grid["channels"] // g * prod(grid["kernel"])


def applied(operator: Fields, weights: list[list[int]], values: list[int]) -> list[int]:
    _, _, rows, columns = shape_of(operator)
    require(len(weights) == rows and all(len(row) == columns for row in weights))
    if operator["kind"] == "dense":
        return [sum(w * x for w, x in zip(row, values, strict=True)) for row in weights]
    channels, m, g = windows_of(operator["grid"]), operator["out_channels"], operator["groups"]
    size, sums = len(channels) // g, []
    for o, row in enumerate(weights):
        group = o * g // m
        own = channels[group * size : (group + 1) * size]
        for number in range(len(channels[0])):
            taps = [tap for channel in own for tap in channel[number]]
            sums.append(sum(w * (0 if tap is None else values[tap]) for w, tap in zip(row, taps, strict=True)))
    return sums


def summed(grid: Fields, values: list[int]) -> list[int]:
    return [sum(values[i] for i in w if i is not None) for channel in windows_of(grid) for w in channel]


def max_windows(grid: Fields) -> list[list[int]]:
    found = [window for channel in windows_of(grid) for window in channel]
    require(all(any(i is not None for i in window) for window in found))
    firsts = [next(i for i in window if i is not None) for window in found]
    return [[first if i is None else i for i in window] for window, first in zip(found, firsts, strict=True)]


def lengths(architecture: list[Fields]) -> list[int]:
    shapes = [shape_of(layer["operator"]) for layer in architecture]
    pools = [layer["sum_pool"] and summed_lengths(layer["sum_pool"]["grid"]) for layer in architecture]
    for layer in architecture:
        if layer["max_pool"] is not None:
            windows_of(layer["max_pool"])
    require(1 <= len(architecture) <= 255)
    found: list[int] = []
    for k, (layer, (inputs, outputs, *_), pool) in enumerate(zip(architecture, shapes, pools, strict=True)):
        taken = pool[0] if pool else inputs
        if k == 0:
            found.append(taken)
        require((k == len(architecture) - 1) == (layer["activation"] == "vote"))
        require(0 <= layer["source"] <= k and all(0 <= skip <= k for skip in layer["skips"]))
        require(layer["source"] == 0 or architecture[layer["source"] - 1]["activation"] != "none")
        require(taken == found[layer["source"]])
        require(all(found[skip] == outputs for skip in layer["skips"]))
        require(not pool or pool[1] == inputs)
        require((layer["max_pool"] is not None) == (layer["activation"] == "relu_max_pool"))
        if layer["max_pool"] is not None:
            require(length_of(layer["max_pool"]) == outputs)
            outputs = len(max_windows(layer["max_pool"]))  # noqa: PLW2901
        require(layer.get("sum_bits", 1) >= 1)
        require("cap_bits" not in layer or (layer["activation"].startswith("relu") and layer["cap_bits"] >= 1))
        rectifies = layer["activation"].startswith("relu")
        require("cap" not in layer or (rectifies and Fraction(layer["cap"]) > 0 and "leak_bits" not in layer))
        require("leak_bits" not in layer or (rectifies and 0 <= layer["leak_bits"] <= 32))
        for skip in layer["skips"]:
            added = architecture[skip - 1] if skip else layer
            require(added["activation"] != "none" or added.get("weight_bits") == layer.get("weight_bits"))
        found.append(outputs)
    return found


def summed_lengths(grid: Fields) -> tuple[int, int]:
    channels = windows_of(grid)
    return length_of(grid), len(channels) * len(channels[0])


def logits(params: Fields, features: list[int]) -> list[int]:
    f, architecture = params["fraction_bits"], params["architecture"]
    values = [features]
    for layer, own in zip(architecture, params["layers"], strict=True):
        source, q = values[layer["source"]], layer.get("weight_bits", f)
        if layer["sum_pool"]:
            source = summed(layer["sum_pool"]["grid"], source)
        sums = applied(layer["operator"], [list(map(int, row)) for row in own["weights"]], source)
        each = len(sums) // len(own["biases"])
        sums = [z + int(own["biases"][i // each]) for i, z in enumerate(sums)]
        if "stated" in layer:
            sums = [2 ** layer["stated"] - 1] * len(sums)
        for skip in layer["skips"]:
            kept = skip > 0 and architecture[skip - 1]["activation"] == "none"
            sums = [z + (v if kept else v * 2**q) for z, v in zip(sums, values[skip], strict=True)]
        if layer["activation"] in ("relu", "relu_max_pool"):
            pool = layer["max_pool"]
            windows = max_windows(pool) if pool else [[i] for i in range(len(sums))]
            largest = [max(sums[i] for i in window) for window in windows]
            sums = [made_of(layer, z, q, f) for z in largest]
            if "bounds" in params:
                sums = [max(y, -made_of(layer, -z, q, f)) for y, z in zip(sums, largest, strict=True)]
        values.append(sums)
    return values[-1]


def made_of(layer: Fields, z: int, q: int, f: int) -> int:
    """What a ReLU makes of a sum."""
    if "leak_bits" in layer:
        t = z // 2**q
        if "cap_bits" in layer:
            t = max(-(2 ** layer["cap_bits"]), min(t, 2 ** layer["cap_bits"] - 1))
        return t if t >= 0 else t // 2 ** layer["leak_bits"]
    return min([max(z, 0) // 2**q, *caps_of(layer, f)])


def caps_of(layer: Fields, f: int) -> list[int]:
    """c, of which each way to state it gives one."""
    found = [2 ** layer["cap_bits"] - 1] if "cap_bits" in layer else []
    return [*found, round(Fraction(layer["cap"]) * 2**f)] if "cap" in layer else found


def needed_bits(params: Fields) -> int:
    """The most bits that a layer needs: the same walk on bounds."""
    bounded = {**json.loads(json.dumps(params)), "bounds": True}
    for layer in bounded["layers"]:
        layer["weights"] = [[abs(int(w)) for w in row] for row in layer["weights"]]
        layer["biases"] = [abs(int(b)) for b in layer["biases"]]
    bounded["architecture"] = [
        {**layer, "stated": layer["sum_bits"]} if "sum_bits" in layer else layer for layer in bounded["architecture"]
    ]
    most = 0
    for count in range(1, len(bounded["architecture"]) + 1):
        # The sums of a layer are what a model that ended there would vote on.
        cut = [*bounded["architecture"][: count - 1], {**bounded["architecture"][count - 1], "activation": "vote"}]
        part = {**bounded, "architecture": cut, "layers": bounded["layers"][:count]}
        first = bounded["architecture"][0]
        size = summed_lengths(first["sum_pool"]["grid"])[0] if first["sum_pool"] else shape_of(first["operator"])[0]
        most = max(most, max(logits(part, [2 ** params["fraction_bits"]] * size)).bit_length() + 2)
    return most


def keeps_to_what_is_stated(params: Fields) -> None:
    """Bounds of values from what is stated alone; None where it says nothing."""
    f, values = params["fraction_bits"], [2 ** params["fraction_bits"]]
    architecture = params["architecture"]
    for layer, own in zip(architecture, params["layers"], strict=True):
        taken = values[layer["source"]]
        if layer["sum_pool"] and taken is not None:
            windows = [window for channel in windows_of(layer["sum_pool"]["grid"]) for window in channel]
            taken *= max(sum(i is not None for i in window) for window in windows)
        total = None
        if "sum_bits" in layer:
            require(taken is not None)
            total = 2 ** layer["sum_bits"] - 1
            each = len(own["biases"]) // len(own["weights"])
            for number, row in enumerate(own["weights"]):
                largest = max(abs(int(bias)) for bias in own["biases"][number * each : (number + 1) * each])
                require(sum(abs(int(w)) for w in row) * taken + largest <= total)
            for skip in layer["skips"]:
                kept = skip > 0 and architecture[skip - 1]["activation"] == "none"
                known = total is not None and values[skip] is not None
                total = total + values[skip] * (1 if kept else 2 ** layer.get("weight_bits", f)) if known else None
        if layer["activation"] in ("relu", "relu_max_pool"):
            q = layer.get("weight_bits", f)
            if total is None:
                total = min(caps_of(layer, f), default=None)
            else:
                total = max(made_of(layer, total, q, f), -made_of(layer, -total, q, f))
        values.append(total)


def told(params: Fields, operation: str, given: Fields) -> Fields:
    if operation == "operator_multiply":
        weights = [list(map(int, row)) for row in given["weights"]]
        sums = applied(given["operator"], weights, list(map(int, given["values"])))
        return {"sums": [str(z % 2 ** given["bits"]) for z in sums]}
    if operation == "sum_pool":
        sums = summed(given["grid"], list(map(int, given["values"])))
        return {"sums": [str(z % 2 ** given["bits"]) for z in sums]}
    if operation == "max_pool_windows":
        return {"windows": max_windows(given["grid"])}
    if operation == "model_logits":
        return {"logits": list(map(str, logits(params, list(map(int, given["features"])))))}
    if operation == "model_check_ranges":
        keeps_to_what_is_stated(params)
        require(needed_bits(params) <= given["logit_bits"])
        return {}
    return {"lengths": lengths(given["architecture"])}


def _cases() -> Iterator[tuple[str, Fields, Fields]]:
    for group in json.loads(VECTORS.read_text("utf-8"))["testGroups"]:
        for test in group["tests"]:
            for operation in test["operations"]:
                if operation["op"] != "session_tag":
                    yield test["name"], group["params"], operation


CASES = list(_cases())


@pytest.mark.req("CAPC-ROLE-016", "CAPC-ROLE-022", "CAPC-HE-010", "CAPC-PARAM-053")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_vectors_follow_from_the_words(case: tuple[str, Fields, Fields]) -> None:
    _, params, operation = case
    try:
        made = {"out": told(params, operation["op"], operation["in"])}
    except RefusedError:
        made = {"error": {"code": "input_error", "blame": "caller", "party_index": 0}}
    assert made == {name: entry for name, entry in operation["expect"].items() if name != "intermediate"}


def test_every_operation_is_told() -> None:
    assert len({case[2]["op"] for case in CASES}) == 6
    assert sum("error" in case[2]["expect"] for case in CASES) > 50
