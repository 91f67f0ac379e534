"""Circuits of section 14, from its words: no code of the reference makes a gate here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import combinations

Wire = int | bool
"""A wire's number, or one of the constants False and True."""
Word = list[Wire]
Gate = tuple[str, int, int]


class Told:
    """A circuit that is being made."""

    def __init__(self, bits: int, garbler: int, evaluator: int) -> None:
        self.bits, self.words = bits, (garbler, evaluator)
        self.inputs = bits * (garbler + evaluator)
        self.gates: list[Gate] = []
        self.outputs: Word = []

    def xor(self, a: Wire, b: Wire) -> Wire:
        if a is b or (isinstance(a, bool) is isinstance(b, bool) and a == b):
            return False
        if isinstance(a, bool):
            a, b = b, a
        if b is False:
            return a
        return self.inv(a) if b is True else self._made("XOR", a, b)

    def and_(self, a: Wire, b: Wire) -> Wire:
        if b is True or (isinstance(a, bool) is isinstance(b, bool) and a == b):
            return a
        if a is True:
            return b
        return False if a is False or b is False else self._made("AND", a, b)

    def inv(self, a: Wire) -> Wire:
        return not a if isinstance(a, bool) else self._made("INV", a, a)

    def _made(self, name: str, a: int, b: int) -> int:
        self.gates.append((name, a, b))
        return self.inputs + len(self.gates) - 1

    def garbler(self, number: int) -> Word:
        return [number * self.bits + bit for bit in range(self.bits)]

    def evaluator(self, number: int) -> Word:
        return self.garbler(self.words[0] + number)

    def sum(self, a: Word, b: Word, carry: Wire) -> Word:
        total: Word = []
        for bit in range(len(a)):
            x = self.xor(a[bit], carry)
            total.append(self.xor(x, b[bit]))
            if bit < len(a) - 1:
                y = self.xor(b[bit], carry)
                carry = self.xor(carry, self.and_(x, y))
        return total

    def add(self, a: Word, b: Word) -> Word:
        return self.sum(a, b, False)

    def open(self, number: int) -> Word:
        return self.add(self.garbler(number), self.evaluator(number))[1:]

    def less(self, a: Word, b: Word) -> Wire:
        return self.sum(a, [self.inv(bit) for bit in b], True)[-1]

    def less_any(self, a: Word, b: Word) -> Wire:
        return self.less([*a, a[-1]], [*b, b[-1]])

    def select(self, s: Wire, a: Word, b: Word) -> Word:
        return [self.xor(b[bit], self.and_(s, self.xor(a[bit], b[bit]))) for bit in range(len(a))]

    def mask(self, s: Wire, a: Word) -> Word:
        return [self.and_(s, bit) for bit in a]

    def all(self, wires: Sequence[Wire]) -> Wire:
        wires = list(wires)
        while len(wires) > 1:
            odd = [wires[-1]] if len(wires) % 2 else []
            wires = [self.and_(wires[place], wires[place + 1]) for place in range(0, len(wires) - 1, 2)] + odd
        return wires[0]

    def tournament(
        self, values: list[Word], less: Callable[[Word, Word], Wire], last: bool
    ) -> tuple[object, Word | None]:
        entrants: list[tuple[object, Word]] = list(enumerate(values))
        while len(entrants) > 1:
            following = []
            for place in range(0, len(entrants) - 1, 2):
                (left, l_value), (right, r_value) = entrants[place], entrants[place + 1]
                wins = less(l_value, r_value)
                made = self.select(wins, r_value, l_value) if last or len(entrants) > 2 else l_value
                following.append(((left, right, wins), made))
            entrants = following + ([entrants[-1]] if len(entrants) % 2 else [])
        return entrants[0]

    def flags(self, final: object, count: int) -> Word:
        flags: Word = [False] * count

        def walk(node, won: Wire) -> None:
            if isinstance(node, int):
                flags[node] = won
                return
            left, right, wins = node
            right_won = self.and_(won, wins)
            left_won = self.xor(won, right_won)
            walk(left, left_won)
            walk(right, right_won)

        walk(final, True)
        return flags

    def label(self, flags: Word) -> Word:
        bits: Word = []
        for bit in range((len(flags) - 1).bit_length()):
            total: Wire = False
            for number, flag in enumerate(flags):
                if number >> bit & 1:
                    total = self.xor(total, flag)
            bits.append(total)
        return bits

    def done(self, outputs: Word) -> Told:
        """Leaves out what no output depends on."""
        used, number = set(outputs), {wire: wire for wire in range(self.inputs)}
        for place in reversed(range(len(self.gates))):
            if self.inputs + place in used:
                used |= set(self.gates[place][1:])
        kept: list[Gate] = []
        for place, (name, a, b) in enumerate(self.gates):
            if self.inputs + place in used:
                number[self.inputs + place] = self.inputs + len(kept)
                kept.append((name, number[a], number[b]))
        self.gates, self.outputs = kept, [number[wire] for wire in outputs]
        return self


def relu(l: int, f: int, n: int = 1, k: int | None = None, c: int | None = None) -> Told:  # noqa: E741
    told = Told(l + 1, n, n)
    opened = [told.open(i) for i in range(n)]
    z = told.tournament(opened, told.less, last=True)[1]
    positive = told.inv(z[-1])
    if k is None and c is None:
        return told.done(told.mask(positive, z[f : l - 1]))
    c = 2**k - 1 if k is not None else c
    k = len(f"{c:b}")
    reached: Wire = c % 2 == 0
    for i, bit in enumerate(z[f : f + k]):
        if c >> i & 1:
            reached = told.and_(reached, bit)
        else:
            inverted = told.inv(reached)
            reached = told.inv(told.and_(inverted, told.inv(bit)))
    above = [told.inv(bit) for bit in z[f + k : l - 1]]
    if reached is not False:
        above.append(told.inv(reached))
    fits = told.all([*above, positive])
    return told.done(told.select(fits, z[f : f + k], [positive if c >> i & 1 else False for i in range(k)]))


def leaky_relu(l: int, f: int, s: int, n: int = 1, k: int | None = None) -> Told:  # noqa: E741
    told = Told(l + 1, n, n)
    opened = [told.open(i) for i in range(n)]
    z = told.tournament(opened, told.less, last=True)[1]
    top = z[-1]
    positive = told.inv(top)
    t = z[f : l - 1]
    if k is not None:
        fits = told.all([told.xor(bit, positive) for bit in z[f + k : l - 1]])
        t = told.select(fits, z[f : f + k], [positive] * k)
    moved = [t[i + s] if i + s < len(t) else top for i in range(len(t))]
    return told.done([*told.select(top, moved, t), positive])


def vote(c: int, l: int) -> Told:  # noqa: E741
    told = Told(l + 1, c, c)
    opened = [told.open(i) for i in range(c)]
    return told.done(told.flags(told.tournament(opened, told.less, last=False)[0], c))


def vote_low_depth(c: int, l: int) -> Told:  # noqa: E741
    pairs = list(combinations(range(c), 2))
    told = Told(l + 1, len(pairs), len(pairs))
    beats: dict[tuple[int, int], Wire] = {}
    for number, (one, other) in enumerate(pairs):
        beats[other, one] = told.open(number)[-1]
        beats[one, other] = told.inv(beats[other, one])
    flags: Word = []
    some: Wire = False
    for one in range(c - 1):
        flags.append(told.all([beats[one, other] for other in range(c) if other != one]))
        some = told.xor(some, flags[-1])
    return told.done([*flags, told.inv(some)])


def _sums(told: Told, c: int, first: int = 0) -> list[Word]:
    return [told.add(told.garbler(first + number), told.evaluator(number)) for number in range(c)]


def release(c: int, w: int) -> Told:
    told = Told(w, c, c)
    sums = _sums(told, c)
    return told.done(told.label(told.flags(told.tournament(sums, told.less_any, last=False)[0], c)))


def single_draw_release(c: int, w: int) -> Told:
    told = Told(w, c + 1, c)
    final, largest = told.tournament(_sums(told, c), told.less_any, last=True)
    flags = told.flags(final, c)
    answered = told.inv(told.less_any(largest, told.garbler(c)))
    return told.done([answered, *told.mask(answered, told.label(flags))])


def confident_release(c: int, w: int, realised: bool) -> Told:
    told = Told(w, 2 * c + 1, 2 * c if realised else c)
    sums, e = _sums(told, c, first=c), c if realised else 0
    below = [
        told.less_any(told.add(told.garbler(number), told.evaluator(e + number)), told.garbler(2 * c))
        for number in range(c)
    ]
    answered = told.inv(told.all(below))
    flags = told.flags(told.tournament(sums, told.less_any, last=False)[0], c)
    return told.done([answered, *told.mask(answered, told.label(flags))])


def signs(n: int, l: int) -> Told:  # noqa: E741
    told = Told(l + 1, n, n)
    return told.done([told.open(i)[-1] for i in range(n)])


def final(c: int, l: int) -> Told:  # noqa: E741
    told = Told(1, l + 1, l + 1 + c - 2)
    evaluator = [told.evaluator(i)[0] for i in range(l + 1 + c - 2)]
    mine = [told.garbler(i)[0] for i in range(l + 1)]
    wins = iter([*evaluator[l + 1 :], told.add(mine, evaluator[: l + 1])[-1]])
    entrants: list[object] = list(range(c))
    while len(entrants) > 1:
        odd = [entrants[-1]] if len(entrants) % 2 else []
        entrants = [(*entrants[place : place + 2], next(wins)) for place in range(0, len(entrants) - 1, 2)] + odd
    return told.done(told.flags(entrants[0], c))


def digest(told: Told) -> str:
    bits = [told.bits * words for words in told.words]
    numbers = [*bits, len(told.gates), len(told.outputs)]
    data = b"".join(number.to_bytes(4, "little") for number in numbers)
    for name, a, b in told.gates:
        data += bytes([("XOR", "AND", "INV").index(name)]) + a.to_bytes(4, "little") + b.to_bytes(4, "little")
    return hashlib.sha256(data + b"".join(wire.to_bytes(4, "little") for wire in told.outputs)).hexdigest()


def bristol(told: Told, shared_word: int | None) -> str:
    """The text; of shared words their bits."""
    wires = told.inputs + len(told.gates)
    copies = [wire < told.inputs or wire in told.outputs[:place] for place, wire in enumerate(told.outputs)]
    total = wires + sum(copies)
    first = total - len(told.outputs)
    number = dict(enumerate(range(told.inputs)))
    ends = {wire: first + place for place, wire in enumerate(told.outputs) if not copies[place]}
    inner = iter(range(told.inputs, first))
    for wire in range(told.inputs, wires):
        number[wire] = ends[wire] if wire in ends else next(inner)
    words, size = sum(told.words), shared_word or len(told.outputs)
    values = len(told.outputs) // size
    lines = [
        f"{len(told.gates) + sum(copies)} {total}",
        " ".join(map(str, [words, *[told.bits] * words])),
        " ".join(map(str, [values, *[size] * values])),
        "",
    ]
    for place, (name, a, b) in enumerate(told.gates):
        operands = f"1 1 {number[a]}" if name == "INV" else f"2 1 {number[a]} {number[b]}"
        lines.append(f"{operands} {number[told.inputs + place]} {name}")
    for place, wire in enumerate(told.outputs):
        if copies[place]:
            lines.append(f"1 1 {number[wire]} {first + place} EQW")
    return "\n".join(lines) + "\n"


def stages(told: Told) -> list[tuple[list[int], list[int]]]:
    """Of each stage its ANDs and its free gates."""
    garbler = told.bits * told.words[0]
    depth = [0] * told.inputs
    ands: dict[int, list[int]] = {}
    free: dict[int, list[int]] = {}
    products: list[int] = []
    for place, (name, a, b) in enumerate(told.gates):
        wire = told.inputs + place
        depth.append(max(depth[a], depth[b]) + (name == "AND"))
        if name == "AND" and min(a, b) < garbler <= max(a, b) < told.inputs:
            products.append(wire)
        else:
            (ands if name == "AND" else free).setdefault(depth[wire], []).append(wire)
    made = [(ands.get(d, []), free.get(d, [])) for d in range(max(depth) + 1)]
    if products and made[1][0]:
        made.insert(1, (products, []))
    elif products:
        made[1] = (products, made[1][1])
    return made
