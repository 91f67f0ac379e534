"""ReLUs with exact truncation, alone or of the largest in a window, from shares to fresh shares (step 1a)."""

from __future__ import annotations

from functools import lru_cache

from capc.two_party.circuits.arithmetic import Word, all_of, mask_with, open_word, reaches, select
from capc.two_party.circuits.builder import ZERO, Builder, Circuit, Sharing, Wire
from capc.two_party.circuits.tournament import maximum


@lru_cache
def relu_circuit(
    logit_bits: int, fraction_bits: int, window: int = 1, cap_bits: int | None = None, cap: int | None = None
) -> Circuit:
    """y = max(0, z_1, ..., z_n) >> f, at most c if there is a cap, shared in Z_{2^l}, from words of the z.

    A ReLU has n = 1; a ReLU before or after a max pool has its window's n. Input words of each party: n of l + 1 bits
    (:mod:`capc.foundation.guarded`). Output word: the bits of y that can be set, l - 1 - f, or the k of c with a cap,
    as fresh shares.

    1. z, the sum of both words without its lowest bit, for each                 n l ANDs
    2. the largest of the window, if n > 1 (its last f bits are never selected) (n - 1)(2l - 1) - f ANDs
    3. y = z >> f where the sign bit of z is 0, else 0 (dropping wires is free) l - 1 - f ANDs
       with a cap: whether z >> f is one of 0 to c, and a choice between its k low bits and those of c where the sign
       bit is 0; the same number, l - 1 - f - k and k, and k - t more: c is a word that ends in t equal bits. So
       2^k - 1 costs nothing, nor does anybody pay for more than the leading bits of c = 6 2^f

    Depth: l + 1 for one value, m l + 2 for a window, where m = ceil(log2 n); with a cap 2^k - 1 at most
    ceil(log2(l - f - k)) more.

    Args:
        logit_bits: l.
        fraction_bits: f, the bits that are dropped.
        window: n.
        cap_bits: k, from 1 to l - 2 - f, for the cap c = 2^k - 1; or None.
        cap: c, from 1 to 2^(l-2-f) - 1, or None; of two caps the lesser holds.

    Precondition for n > 1: |z| < 2^(l-2), which range analysis guarantees.

    Spec: CAPC-ARG-001, CAPC-ARG-009, CAPC-ARG-023.
    """
    builder, sign, kept = _largest(logit_bits, fraction_bits, window)
    positive = builder.invert(sign)
    most = (1 << cap_bits) - 1 if cap_bits is not None else cap
    if most is not None and cap is not None:
        most = min(most, cap)
    y = mask_with(builder, positive, kept) if most is None else _capped(builder, positive, kept, most)
    suffix = "" if most is None else f"_cap{most}"
    return builder.build(f"relu_{_name(logit_bits, fraction_bits, window)}{suffix}", y, Sharing(len(y), logit_bits))


@lru_cache
def leaky_relu_circuit(
    logit_bits: int, fraction_bits: int, leak_bits: int, window: int = 1, cap_bits: int | None = None
) -> Circuit:
    """y + 2^k, for y = t where t >= 0, else t >> s, and t = z >> f for the largest z, shared in Z_{2^l}.

    With ``cap_bits`` t is the nearer of -2^k and 2^k - 1 where z >> f is outside of these; without, k is l - 1 - f.
    Input words are those of a ReLU. Output word: k + 1 bits. Its garbler takes 2^k from its share
    (:func:`capc.steps.layer_circuits.garbled_rows`): y itself is signed, and shared bits are not.

    1. and 2. as of a ReLU                                                       n l + (n - 1)(2l - 1) - f ANDs
    3. t: nothing, or with k whether the bits above equal the sign, and a choice l - 2 - f - k, and k ANDs
    4. y: where the sign bit is 1, bit i of t is replaced by bit i + s           k ANDs, none for s = 0

    Args:
        logit_bits: l.
        fraction_bits: f, the bits that are dropped.
        leak_bits: s, of the slope 2^-s below 0; 0 or more, 0 for the largest sum as it is.
        window: n.
        cap_bits: k, from 1 to l - 2 - f, or None.

    Precondition for n > 1: |z| < 2^(l-2), which range analysis guarantees.

    Spec: CAPC-ARG-001, CAPC-ARG-024.
    """
    builder, sign, kept = _largest(logit_bits, fraction_bits, window)
    positive = builder.invert(sign)
    t = kept if cap_bits is None else _saturated(builder, positive, kept, cap_bits)
    y = [*_leaking(builder, sign, t, leak_bits), positive]
    suffix = "" if cap_bits is None else f"_cap{cap_bits}"
    name = f"leaky_relu{leak_bits}_{_name(logit_bits, fraction_bits, window)}{suffix}"
    return builder.build(name, y, Sharing(len(y), logit_bits))


def _name(logit_bits: int, fraction_bits: int, window: int) -> str:
    return f"l{logit_bits}_f{fraction_bits}" + ("" if window == 1 else f"_window{window}")


def _largest(logit_bits: int, fraction_bits: int, window: int) -> tuple[Builder, Wire, Word]:
    """A builder, and the largest of the window: its sign, and its bits from f up to below the sign."""
    builder = Builder(logit_bits + 1, window, window)
    z = maximum(builder, [open_word(builder, i) for i in range(window)])
    return builder, z[-1], z[fraction_bits:-1]


def _capped(builder: Builder, positive: Wire, kept: Word, cap: int) -> Word:
    """The word within 0 and the cap, the nearer of them outside: all bits are then those of the cap, or 0."""
    bits = cap.bit_length()
    above = [*kept[bits:], reaches(builder, kept[:bits], cap)]
    fits = all_of(builder, [*(builder.invert(wire) for wire in above if wire != ZERO), positive])
    largest = [positive if cap >> place & 1 else ZERO for place in range(bits)]
    return select(builder, fits, kept[:bits], largest)


def _leaking(builder: Builder, sign: Wire, word: Word, leak_bits: int) -> Word:
    """The signed word, whose sign is not among its bits, divided by 2^s and rounded down where it is negative."""
    divided = [*word[leak_bits:], *[sign] * leak_bits][: len(word)]
    return select(builder, sign, divided, word)


def _saturated(builder: Builder, positive: Wire, kept: Word, cap_bits: int) -> Word:
    """The k low bits of the signed word within -2^k and 2^k - 1, the nearer of them outside."""
    fits = all_of(builder, [builder.xor(wire, positive) for wire in kept[cap_bits:]])
    return select(builder, fits, kept[:cap_bits], [positive] * cap_bits)
