"""Where each wire of a circuit lives, and in what order its gates run: all of vectorisation that needs no labels.

A wire is a slot, which holds its label for every lane, and a flag: a flipped wire's zero label is the slot's, XOR
Delta. So INV costs nothing, not even for the garbler. XOR gates that need nothing from each other form a group; the
outputs of a group, and of the ANDs of a stage, are neighbours. XORs that no AND and no output needs are left out.
A slot is used again when nothing will read it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from capc.two_party.circuits.builder import Circuit, CircuitStage, Operation


class XorGroup(NamedTuple):
    """Slots of the operands of independent XORs, and the first slot of their outputs.

    With ``inner`` not 0 both operands are grids, as :func:`is_grid` says, so that views hold them.
    """

    left: tuple[int, ...]
    right: tuple[int, ...]
    out: int
    inner: int


class PlannedStage(NamedTuple):
    """One stage of the circuit.

    Attributes:
        operands: slots of the left operands of all ANDs, then of the right ones.
        flipped: the places in ``operands`` of flipped wires.
        out: the first slot of the ANDs' outputs.
        groups: the XORs that follow, in order.
        products: whether the ANDs are products of inputs, with one table row each and not two.
    """

    operands: tuple[int, ...]
    flipped: tuple[int, ...]
    out: int
    groups: tuple[XorGroup, ...]
    products: bool

    @property
    def table_rows(self) -> int:
        """For each lane."""
        return len(self.operands) // (2 if self.products else 1)


class Plan(NamedTuple):
    """A circuit in slots; the inputs have slots 0, 1, and so on.

    Attributes:
        slots: how many are needed.
        stages: the circuit's, the first without ANDs.
        outputs: slots of the output wires.
        flipped_outputs: the places in ``outputs`` of flipped wires.
    """

    slots: int
    stages: tuple[PlannedStage, ...]
    outputs: tuple[int, ...]
    flipped_outputs: tuple[int, ...]


class _Wire(NamedTuple):
    """A wire as another one, the root, whose slot it shares, and whether it is flipped."""

    root: int
    flipped: bool


@lru_cache(maxsize=64)
def make_plan(circuit: Circuit) -> Plan:
    """The plan of a circuit."""
    wires = _resolve(circuit)
    schedule = [(stage, _groups(circuit, wires, stage, needed)) for stage, needed in _needed(circuit, wires)]
    slots = _Slots(circuit, wires, schedule)
    stages = []
    for stage, groups in schedule:
        operands = _operands(wires, stage)
        read = slots.of(wire.root for wire in operands)
        out = slots.place(stage.ands)
        planned = list(chain.from_iterable(slots.place_group(group) for group in groups))
        flipped = tuple(place for place, wire in enumerate(operands) if wire.flipped)
        stages.append(PlannedStage(read, flipped, out, tuple(planned), stage.products))
    outputs = [wires[wire] for wire in circuit.outputs]
    flipped = tuple(place for place, wire in enumerate(outputs) if wire.flipped)
    return Plan(slots.count, tuple(stages), slots.of(wire.root for wire in outputs), flipped)


_Xor = tuple[int, int, int]
"""The roots of both operands, and the output."""
_Schedule = Sequence[tuple[CircuitStage, list[list[_Xor]]]]


def _resolve(circuit: Circuit) -> list[_Wire]:
    """Every wire's root; only an INV's output has another root than itself."""
    wires = [_Wire(wire, False) for wire in range(circuit.inputs)]
    for operation, left, right in circuit.gates:
        if operation is Operation.INV:
            wires.append(_Wire(wires[left].root, not wires[left].flipped))
        else:
            flipped = operation is Operation.XOR and wires[left].flipped != wires[right].flipped
            wires.append(_Wire(len(wires), flipped))
    return wires


def _operands(wires: Sequence[_Wire], stage: CircuitStage) -> list[_Wire]:
    return [wires[wire] for wire in (*stage.left, *stage.right)]


def _needed(circuit: Circuit, wires: Sequence[_Wire]) -> list[tuple[CircuitStage, set[int]]]:
    """The stages, with the roots that an AND, an output or a needed XOR reads."""
    needed = {wires[wire].root for wire in circuit.outputs}
    for index in range(len(circuit.gates) - 1, -1, -1):
        operation, left, right = circuit.gates[index]
        if operation is Operation.AND or circuit.inputs + index in needed:
            needed |= {wires[left].root, wires[right].root}
    return [(stage, needed) for stage in circuit.stages]


def _groups(circuit: Circuit, wires: Sequence[_Wire], stage: CircuitStage, needed: set[int]) -> list[list[_Xor]]:
    """The needed XORs of a stage, grouped by how many of them lie behind one another."""
    level: dict[int, int] = {}
    groups: list[list[_Xor]] = []
    for wire in stage.free:
        operation, left, right = circuit.gate(wire)
        if operation is Operation.INV or wire not in needed:
            continue
        roots = wires[left].root, wires[right].root
        level[wire] = max(level.get(root, -1) for root in roots) + 1
        if level[wire] == len(groups):
            groups.append([])
        groups[level[wire]].append((*roots, wire))
    return groups


def is_grid(slots: Sequence[int], inner: int) -> bool:
    """Whether slot i inner + j is s + a i + b j, for j below ``inner``."""
    outer_step = slots[inner] - slots[0] if inner < len(slots) else 0
    inner_step = slots[1] - slots[0] if inner > 1 else 0
    return all(
        slot == slots[0] + place // inner * outer_step + place % inner * inner_step for place, slot in enumerate(slots)
    )


_Pair = tuple[int, int]
"""Slots of a XOR's operands."""
_LOOK_UP_CALLS = 3
"""NumPy calls of a group whose operands are looked up: as many as three groups of views."""


def _families(pairs: list[_Pair]) -> list[tuple[list[_Pair], int]]:
    """XORs split into groups that views can hold, each with its inner size; if those are too many, one with 0."""
    left, right = zip(*pairs, strict=True)
    for inner in range(len(pairs), 0, -1):
        if len(pairs) % inner == 0 and is_grid(left, inner) and is_grid(right, inner):
            return [(pairs, inner)]
    families: list[tuple[list[_Pair], int]] = []
    rest = list(pairs)
    while rest and len(families) <= _LOOK_UP_CALLS:
        family = max((_progression(rest, second) for second in rest), key=len)
        families.append((family, len(family)))
        for pair in family:
            rest.remove(pair)
    return [(pairs, 0)] if rest or len(families) > _LOOK_UP_CALLS else families


def _progression(pairs: list[_Pair], second: _Pair) -> list[_Pair]:
    """The pairs at equal distances that begin with the first one and this one."""
    (left, right), there = pairs[0], set(pairs)
    step_left, step_right = second[0] - left, second[1] - right
    family = [pairs[0]]
    if (step_left, step_right) == (0, 0):
        return family
    while (following := (family[-1][0] + step_left, family[-1][1] + step_right)) in there:
        family.append(following)
    return family


class _Slots:
    """Gives out neighbouring slots, step by step, and takes them back after their last use."""

    def __init__(self, circuit: Circuit, wires: Sequence[_Wire], schedule: _Schedule) -> None:
        self._slot = {wire: wire for wire in range(circuit.inputs)}
        self._used = bytearray(b"\1" * circuit.inputs)
        self._step = 0
        self._ending = self._endings(circuit, wires, schedule)

    @property
    def count(self) -> int:
        """Slots in use at the worst moment."""
        return len(self._used)

    def of(self, roots: Iterable[int]) -> tuple[int, ...]:
        """The slots of wires that live."""
        return tuple(self._slot[root] for root in roots)

    def place(self, wires: Sequence[int]) -> int:
        """Neighbouring slots for what this step makes; then takes back what only this step or an earlier one read."""
        start = self._used.find(bytes(len(wires)))
        if start < 0:
            start = len(self._used.rstrip(b"\0"))
        self._used[start : start + len(wires)] = b"\1" * len(wires)
        self._slot.update(zip(wires, range(start, start + len(wires)), strict=True))
        for root in self._ending[self._step]:
            self._used[self._slot[root]] = 0
        self._step += 1
        return start

    def place_group(self, group: list[_Xor]) -> list[XorGroup]:
        """The same for XORs, in the order of their operands' slots: neighbours read neighbours where possible."""
        outputs: dict[_Pair, list[int]] = {}
        for left, right, out in group:
            outputs.setdefault((self._slot[left], self._slot[right]), []).append(out)
        pairs = sorted(pair for pair, outs in outputs.items() for _ in outs)
        families = _families(pairs)
        start = self.place([outputs[pair].pop() for family, _ in families for pair in family])
        placed = []
        for family, inner in families:
            lefts, rights = zip(*family, strict=True)
            placed.append(XorGroup(lefts, rights, start, inner))
            start += len(family)
        return placed

    @staticmethod
    def _endings(circuit: Circuit, wires: Sequence[_Wire], schedule: _Schedule) -> list[list[int]]:
        """For each step the roots that nothing reads after it; what nothing reads at all ends where it begins."""
        last: dict[int, int] = {}
        steps = 0
        for stage, groups in schedule:
            last |= dict.fromkeys((wire.root for wire in _operands(wires, stage)), steps)
            last |= dict.fromkeys(stage.ands, steps)
            steps += 1
            for group in groups:
                last |= dict.fromkeys(chain.from_iterable(group), steps)
                steps += 1
        for wire in circuit.outputs:
            last.pop(wires[wire].root, None)
        endings: list[list[int]] = [[] for _ in range(steps)]
        for root, step in last.items():
            endings[step].append(root)
        return endings
