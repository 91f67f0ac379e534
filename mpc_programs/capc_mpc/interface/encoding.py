"""Input files of a run from numbers, and numbers from what the parties print.

The runner never reduces what was opened: a value outside of its width is an error (CAPC-MPC-003).

Spec: CAPC-MPC-007.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.protocols import RING_BITS, Domain
from capc_mpc.interface.steps import Field, Output, Step

Case = Mapping[tuple[int, str], Sequence[int]]
"""The numbers of one case, by party and field."""
FullCase = dict[tuple[int, str], list[int]]
"""The same with nothing left to draw."""

LIMB_BITS = 32
_OUTPUT_LINE = re.compile(r"^([a-z]+(?:\.\d+)?) \[?(-?\d+(?:, -?\d+)*)\]?$")


def pad_field(number: int, output: Output) -> Field:
    """The pad of output ``number`` in the Boolean domain."""
    return Field(output.party, f"pad.{number}", 1, output.width, uniform=True, boolean=True)


def fields_of(step: Step, domain: Domain) -> list[Field]:
    """All inputs in order, pads included."""
    pads = [pad_field(number, output) for number, output in enumerate(step.outputs)] if domain is Domain.BOOLEAN else []
    return [*step.fields, *pads]


def complete(step: Step, domain: Domain, cases: Sequence[Case], sources: Mapping[int, RandomSource]) -> list[FullCase]:
    """The inputs of the parties that have a source; a uniform field or pad that was not given is drawn from it.

    Raises:
        InputError: another number of cases than the batch, a field that is missing or unknown, or a number outside
            its width.
    """
    if len(cases) != step.batch:
        raise InputError(f"{len(cases)} cases were given for a batch of {step.batch}: give one per case")
    fields = [field for field in fields_of(step, domain) if field.party in sources]
    _refuse_unknown(step, cases, fields)
    return [_complete(case, fields, sources) for case in cases]


def _refuse_unknown(step: Step, cases: Sequence[Case], fields: Sequence[Field]) -> None:
    """Raises :class:`InputError` if a case has a column that nobody reads."""
    known = [(field.party, field.name) for field in fields]
    for party, name in (key for case in cases for key in case if key not in known):
        names = ", ".join(f"{owner} {field}" for owner, field in known) or "none"
        raise InputError(f"column {party} {name}: {step.program} has no such input here: its columns are {names}")


def _complete(
    case: Case, fields: Sequence[Field], sources: Mapping[int, RandomSource]
) -> dict[tuple[int, str], list[int]]:
    full = {}
    for field in fields:
        key = (field.party, field.name)
        given = case.get(key)
        if given is None and not field.uniform:
            raise InputError(f"party {field.party} was given no {field.name}: give {field.count} numbers")
        if given is None:
            given = [sources[field.party].bits(field.width) for _ in range(field.count)]
        if len(given) != field.count or not all(0 <= number < 1 << field.width for number in given):
            raise InputError(
                f"{field.name} of party {field.party}: give {field.count} numbers of {field.width} bits, from 0 upwards"
            )
        full[key] = list(given)
    return full


def input_text(step: Step, domain: Domain, party: int, cases: Sequence[Case]) -> str:
    """A party's input file: field by field, number by number, limb by limb, all cases of it."""
    words = []
    for field in fields_of(step, domain):
        if field.party != party:
            continue
        limbs = [(0, field.width)] if domain is Domain.RING and not field.boolean else _limbs(field.width)
        for position in range(field.count):
            column = [case[party, field.name][position] for case in cases]
            words += [number >> low & (1 << bits) - 1 for low, bits in limbs for number in column]
    return " ".join(map(str, words)) + "\n"


def _limbs(width: int) -> list[tuple[int, int]]:
    """(lowest bit, bits) of each limb: MP-SPDZ reads bits through a double, which is exact to 53 bits only."""
    return [(low, min(LIMB_BITS, width - low)) for low in range(0, width, LIMB_BITS)]


def printed(text: str) -> list[tuple[str, list[int]]]:
    """The values that a party printed, line by line, as they were opened to it."""
    matches = (_OUTPUT_LINE.match(line.strip()) for line in text.splitlines())
    return [(match[1], [int(word) for word in match[2].split(",")]) for match in matches if match]


def decode(
    step: Step, domain: Domain, raw: Sequence[Sequence[tuple[str, list[int]]]], cases: Sequence[Case]
) -> list[dict[str, list[int]]]:
    """For each party, the numbers that it learns, by name, one per case.

    Args:
        step: the program.
        domain: of the protocol.
        raw: for each party, what it printed, in order. In the Boolean domain everybody prints every masked number.
        cases: for the receivers' pads.

    Raises:
        MpcError: a party printed more, less, or a value that is outside of its width.
    """
    return [decode_party(step, domain, party, lines, cases) for party, lines in enumerate(raw)]


def decode_party(
    step: Step, domain: Domain, party: int, lines: Sequence[tuple[str, list[int]]], cases: Sequence[Case]
) -> dict[str, list[int]]:
    """The numbers that one party learns; arguments and errors as for :func:`decode`."""
    expected = [
        (number, output)
        for number, output in enumerate(step.outputs)
        if domain is Domain.BOOLEAN or output.party == party
    ]
    if [name for name, _ in lines] != [output.name for _, output in expected]:
        raise MpcError(f"party {party} of {step.program} printed {len(lines)} lines where {len(expected)} were due")
    learnt = {}
    for (name, values), (number, output) in zip(lines, expected, strict=True):
        if len(values) != step.batch:
            raise MpcError(f"{name} has {len(values)} values for {step.batch} cases")
        opened = [_opened(value, output.width, domain) for value in values]
        if output.party == party and domain is Domain.BOOLEAN:
            pads = [case[party, f"pad.{number}"][0] for case in cases]
            opened = [value ^ pad for value, pad in zip(opened, pads, strict=True)]
        if output.party == party:
            learnt[name] = opened
    return learnt


def _opened(value: int, width: int, domain: Domain) -> int:
    """The number of ``width`` bits that was opened.

    Raises:
        MpcError: the opened value tells more than that.
    """
    if domain is Domain.RING:
        number, rest = divmod(value % (1 << RING_BITS), 1 << RING_BITS - width)
        if rest:
            raise MpcError("an opened ring element has bits below its number: it was not reduced inside")
        return number
    lowest = -(1 << width - 1) if domain is Domain.BOOLEAN else 0
    if not lowest <= value < 1 << width:
        raise MpcError(f"an opened value is outside of {width} bits: it was not reduced inside")
    return value % (1 << width)
