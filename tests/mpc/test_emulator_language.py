"""The emulator against the dialect: what it refuses, and generated programs against plain Python."""

from __future__ import annotations

import operator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc_mpc.emulator.errors import EmulatorError, ProgramError, UnknownConstructError
from capc_mpc.emulator.run import BINARY, FIELD, RING, Emulation, Target, emulate
from support.sizes import examples

HEAD = (
    "from Compiler.types import sint\nfrom Compiler.GC.types import sbits\nfrom Compiler.library import print_ln_to\n"
)
INPUTS = "x = sint.get_input_from(0, size=2)\n"
UNSIGNED_64 = st.integers(0, 2**64 - 1)


def run_text(folder: Path, text: str, inputs: dict[int, list[int]], target: Target = RING) -> Emulation:
    program = folder / "sample.mpc"
    program.write_text(text)
    return emulate(program, [], inputs, target)


UNKNOWN = {
    "a name": ("y = sfix(1)", "sfix"),
    "a builtin that reaches out": ("open('secrets')", "open"),
    "a module": ("import socket", "socket"),
    "a name of a module": ("from Compiler.library import for_range", "for_range"),
    "a method": ("x.bit_decompose(5)", "bit_decompose"),
    "an operator": ("x / 2", "/"),
    "a condition": ("y = 1 if x else 2", "condition of Python"),
    "an identity": ("x == x", "sint == sint"),
    "an operand": ("x + 0.5", "sint and float"),
    "registers of two lengths": ("sbits.get_type(2)(0) ^ sbits.get_type(3)(0)", "2 and 3 bits"),
    "vectors of two lengths": ("x + sint.get_input_from(0, size=3)", "2 and 3 entries"),
    "a comparison of a flag with a number": ("(1 - x.less_than(0, 4)).less_than(x, 4)", "sintbit and sint"),
    "an option": ("program.options.prime", "prime"),
    "printing a secret": ("print_ln_to(0, '%s', x)", "printing sint"),
}


@pytest.mark.req("CAPC-MPC-030")
@pytest.mark.parametrize("case", UNKNOWN)
def test_what_it_does_not_know_is_refused_by_name_file_and_line(case: str, tmp_path: Path) -> None:
    line, named = UNKNOWN[case]
    with pytest.raises(UnknownConstructError) as refused:
        run_text(tmp_path, f"{HEAD}{INPUTS}{line}\n", {0: [1] * 9})
    assert str(refused.value).startswith("sample.mpc:5: ")
    assert named in str(refused.value)


FAILING = {
    "a register nobody wrote": ("sbits.get_type(2)().reveal()", ProgramError),
    "a missing input": ("sint.get_input_from(1, size=1)", ProgramError),
    "a player who is not there": ("x.reveal_to(2)", ProgramError),
    "a value printed at another player": ("print_ln_to(1, '%s', x.reveal_to(0))", ProgramError),
    "a format without its values": ("print_ln_to(0, '%s %s', x.reveal_to(0))", ProgramError),
    "an error of its own": ("[][1]", ProgramError),
    "its own refusal": ("assert False", ProgramError),
    "text that is no Python": ("x ===", ProgramError),
}


@pytest.mark.req("CAPC-MPC-030")
@pytest.mark.parametrize("case", FAILING)
def test_a_program_that_fails_says_where(case: str, tmp_path: Path) -> None:
    line, kind = FAILING[case]
    with pytest.raises(kind, match=r"sample\.mpc:5: "):
        run_text(tmp_path, f"{HEAD}{INPUTS}{line}\n", {0: [1, 2]})


def test_inputs_are_consumed_and_in_range(tmp_path: Path) -> None:
    text = HEAD + INPUTS
    with pytest.raises(EmulatorError, match="did not read"):
        run_text(tmp_path, text, {0: [1, 2, 3]})
    with pytest.raises(ProgramError, match="out of range"):
        run_text(tmp_path, text, {0: [1, 2**64]})


@pytest.mark.parametrize(("width", "value", "kept"), [(1, 1, 1), (8, 255, 255), (8, -256, 0), (8, -1, 255)])
def test_a_register_keeps_the_low_bits_of_its_input(width: int, value: int, kept: int, tmp_path: Path) -> None:
    assert run_text(tmp_path, register_program(width), {0: [value]}, BINARY).openings[0].word == kept


@pytest.mark.parametrize(("width", "value"), [(1, 2), (1, -1), (8, 256), (8, -257)])
def test_a_register_refuses_inputs_beyond_its_bits(width: int, value: int, tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="out of range"):
        run_text(tmp_path, register_program(width), {0: [value]}, BINARY)


def register_program(width: int) -> str:
    return (
        "from Compiler.GC.instructions import inputb\n"
        f"r = sbits.get_type({width})()\ninputb(0, {width}, 0, r)\nprint_ln('%s', r.reveal())\n"
    )


@pytest.mark.req("CAPC-MPC-030")
def test_sint_is_no_part_of_a_boolean_circuit(tmp_path: Path) -> None:
    with pytest.raises(UnknownConstructError, match="Boolean circuit"):
        run_text(tmp_path, HEAD + INPUTS, {0: [1, 2]}, BINARY)


def test_a_target_is_one_kind_of_domain() -> None:
    with pytest.raises(InputError, match="exactly one"):
        Target(ring=64, binary=True)


def test_comparison_in_a_ring_reads_one_bit_and_in_a_field_is_refused(tmp_path: Path) -> None:
    text = HEAD + INPUTS + "print_ln_to(0, '%s', x.less_than(0, 3).reveal_to(0))\n"
    assert run_text(tmp_path, text, {0: [8, 16]}).openings[0].word == 1
    with pytest.raises(UnknownConstructError, match=r"sample\.mpc:5: a comparison in a field"):
        run_text(tmp_path, text, {0: [8, 0]}, FIELD)


# Generated programs: a list of (operation, operands by index), evaluated here on plain integers, lane by lane.

RING_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@st.composite
def ring_programs(draw: st.DrawFn) -> list[tuple[str, int, int, int]]:
    count = draw(st.integers(1, 8))
    return [
        (
            draw(st.sampled_from(["+", "-", "*", "constant", "less_than"])),
            draw(st.integers(0, 1 + step)),
            draw(st.integers(0, 1 + step)),
            draw(st.integers(1, 62)),
        )
        for step in range(count)
    ]


def ring_line(step: int, operation: str, a: int, b: int, parameter: int) -> str:
    target = f"v{step + 2} = "
    if operation == "constant":
        return f"{target}{parameter} - v{a} * {parameter}"
    if operation == "less_than":
        return f"{target}(v{a} - v{b}).less_than(0, {parameter})"
    return f"{target}v{a} {operation} v{b}"


def ring_value(values: list[int], operation: str, a: int, b: int, parameter: int, prime: int | None) -> int:
    modulus = prime or 2**64
    if operation == "constant":
        return (parameter - values[a] * parameter) % modulus
    if operation == "less_than":
        return (values[a] - values[b]) % 2**64 // 2**parameter % 2
    return RING_OPERATIONS[operation](values[a], values[b]) % modulus


@pytest.mark.slow
@settings(max_examples=examples(ordinary=150, nightly=3000), deadline=None)
@given(ring_programs(), st.lists(UNSIGNED_64, min_size=6, max_size=6), st.sampled_from(["ring", "field"]))
def test_generated_arithmetic_programs(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, int]], given: list[int], domain: str
) -> None:
    prime = FIELD.prime if domain == "field" else None
    steps = [step for step in steps if prime is None or step[0] != "less_than"] or [("+", 0, 1, 1)]
    steps = [(op, min(a, i + 1), min(b, i + 1), p) for i, (op, a, b, p) in enumerate(steps)]
    lines = [ring_line(i, *step) for i, step in enumerate(steps)]
    last = len(steps) + 1
    text = (
        HEAD
        + "v0 = sint.get_input_from(0, size=3)\nv1 = sint.get_input_from(1, size=3)\n"
        + "\n".join(lines)
        + f"\nprint_ln_to(1, 'last %s', v{last}.reveal_to(1))\n"
    )
    ran = run_text(tmp_path_factory.mktemp("p"), text, {0: given[:3], 1: given[3:]}, FIELD if prime else RING)
    expected = []
    for lane in range(3):
        values = [given[lane], given[3 + lane]]
        for step in steps:
            values.append(ring_value(values, *step, prime))
        expected.append(values[-1])
    assert ran.printed_to(1) == [(tuple(expected),)]
    assert ran.printed_to(0) == []
    assert {opening.party for opening in ran.openings} == {1}


@pytest.mark.slow
@settings(max_examples=examples(ordinary=150, nightly=3000), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("^&~t"), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8),
    st.lists(st.integers(0, 31), min_size=5, max_size=5),
)
def test_generated_boolean_programs(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]], given: list[int]
) -> None:
    """Five registers of five bits; `t` transposes five neighbours and keeps the one in the middle."""
    lines, values = [], list(given)
    for operation, a, b in steps:
        i, j, new = a % len(values), b % len(values), len(values)
        if operation == "~":
            lines.append(f"v.append(~v[{i}])")
            values.append(31 - values[i])
        elif operation == "t":
            lines.append("v.append(sbits.trans(v[-5:])[2])")
            values.append(sum((values[new - 5 + k] // 4 % 2) * 2**k for k in range(5)))
        else:
            lines.append(f"v.append(v[{i}] {operation} v[{j}])")
            values.append(values[i] ^ values[j] if operation == "^" else values[i] & values[j])
    text = (
        "v = [sbits.get_type(5)() for _ in range(5)]\nfor register in v:\n    inputb(0, 5, 0, register)\n"
        + "\n".join(lines)
        + "\nprint_ln('%s', [register.reveal() for register in v])\n"
    )
    ran = run_text(tmp_path_factory.mktemp("p"), text, {0: given}, BINARY)
    assert ran.printed_to(0) == ran.printed_to(1) == [(tuple(values),)]
    assert all(opening.party is None for opening in ran.openings)
