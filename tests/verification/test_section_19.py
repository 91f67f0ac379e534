"""Section 19: what it says of operations and levels is what vectors hold."""

from __future__ import annotations

import re

import pytest

from capc_verify.conformance.levels import LEVELS
from capc_verify.vectors.figures import FIGURE, asked
from capc_verify.vectors.operation import Operation
from capc_verify.vectors.operations.worked.tags import FRAMES
from capc_verify.vectors.registry import GROUP_TYPES
from support.sections import section

TEXT = section("19-vectors.md")
CODE = re.compile(r"`(\w+)`")
OPERATIONS: dict[str, Operation] = {
    name: asked(operation) for kind in GROUP_TYPES.values() for name, operation in kind.operations.items()
}
NESTED = {
    "decode_ot_trees": {"total", "digest"},
    "decode_ot_extension": {"bits", "digest"},
    "decode_garbled_circuits": {"tables", "outputs"},
    "zero_sum_mask": {"peer", "key"},
    "operator_multiply": {"bits"},
    "sum_pool": {"bits"},
    "ledger_check_proof": {"head", "identity", "size", "link", "public_key", "began", "session_tag", "query"},
    "run_session": {"step", "bytes", "rounds"},
    "step_draws": {"label", "draws", "take", "integers", "data", "bfv", "F_linear"},
    "tag_use": {"kind"},
    "circuit_gates": {
        *("kind", "num_classes", "logit_bits", "vote_bits", "fraction_bits", "realised", "words", "width"),
        *("ands", "free"),
    },
}
"""Fields of what is in a field."""
NOT_FIELDS = {
    "invalid_point",
    "invalid_output_label",
    "value_out_of_range",
    "charged",
    "dispatched",
    "settled",
    "garbled_circuits",
    "ot_extension",
    "mu_squared",
    "rho",
    "words_key",
    "transfers_key",
}
"""Codes, types and records that a row names beside its fields."""
COUNTED = {"noise_law": {"count"}}
"""How many figures are wanted: the judge tells it."""


def tables(head: str) -> list[list[str]]:
    """The rows of all tables with this head."""
    rows = []
    for part in TEXT.split(head)[1:]:
        lines = part.partition("\n\n")[0].splitlines()[2:]
        rows += [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    return rows


def told() -> dict[str, tuple[set[str], set[str]]]:
    """Of each operation the names in code of both columns."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for names, given, gives in tables("| operation | given | "):
        for name in CODE.findall(names):
            assert name not in found, name
            found[name] = set(CODE.findall(given)), set(CODE.findall(gives))
    return found


TOLD = told()


@pytest.mark.req("CAPC-VEC-001")
def test_every_operation_has_one_row_and_no_other_has() -> None:
    assert set(TOLD) == set(OPERATIONS)


@pytest.mark.req("CAPC-VEC-001")
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_row_names_the_fields_of_its_operation(name: str) -> None:
    operation, (given, gives) = OPERATIONS[name], TOLD[name]
    nested = NESTED.get(name, set())
    takes = set(operation.takes) - COUNTED.get(name, set())
    assert takes <= given
    assert given - takes <= nested | NOT_FIELDS
    wanted = set(operation.gives) - {FIGURE}
    assert wanted <= gives
    assert gives - wanted <= nested | NOT_FIELDS


def test_levels_are_those_of_the_judge() -> None:
    rows = {row[0]: set(CODE.findall(row[1])) for row in tables("| level | files |")}
    assert rows == {level.name: set(level.stems) for level in LEVELS.values()}


def test_a_tag_is_told_with_the_fields_of_its_frame() -> None:
    told = {
        tag: CODE.findall(fields)
        for tags, fields in tables("| tag | fields |")
        for tag in re.findall(r"`([\w-]+)`", tags)
    }
    assert told == {tag: list(fields) for tag, (fields, _) in FRAMES.items()}


def test_every_intermediate_value_is_told() -> None:
    told = [name for row in tables("| value | what it is |") for name in CODE.findall(row[0])]
    assert len(told) == len(set(told))
    assert set(told) == {name for operation in OPERATIONS.values() for name in operation.shows}


@pytest.mark.req("CAPC-VEC-001")
def test_params_of_a_group_have_the_keys_of_the_table() -> None:
    rows = {
        name: set(CODE.findall(row[1])) for row in tables("| type of group | ") for name in re.findall(r"\w+", row[0])
    }
    for name, kind in GROUP_TYPES.items():
        assert set(kind.params) == rows.get(name, set()), name
