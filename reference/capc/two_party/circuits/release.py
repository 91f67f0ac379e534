"""Step 3: the noisy argmax over the votes, with or without a threshold.

No word that depends on votes is compared before a draw was added to it. A word is the number that it stands for in
two's complement, and every comparison is right for all words. So, whatever a party adds to its share, the label is that
of the largest word, the lowest index on ties, and nothing else.

Spec: CAPC-ARG-006, CAPC-ARG-016.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from capc.two_party.circuits.arithmetic import add, all_of, less_than_any, mask_with
from capc.two_party.circuits.builder import ZERO, Builder, Circuit, Wire
from capc.two_party.circuits.tournament import argmax_flags, flags_and_maximum


@lru_cache
def release_circuit(num_classes: int, vote_bits: int) -> Circuit:
    """Plain GNMax: the label argmax(votes + noise), from shares in Z_{2^w}^C.

    Garbler's inputs: C words, its share of the votes plus the noise. Evaluator's inputs: C words, its share.
    Outputs, to the evaluator: ceil(log2 C) bits of the label, least significant first.

    Cost: C (w-1) to reconstruct, (2C-3) w + C-2 for the tournament; the label is free.
    Depth: n (w+2) - 2 for n = ceil(log2 C).
    Precondition: none.
    """
    builder = Builder(vote_bits, num_classes, num_classes)
    noisy = _reconstruct(builder, num_classes, first_word=0)
    label = _label_bits(builder, argmax_flags(builder, noisy, full_range=True))
    return builder.build(f"release_C{num_classes}_w{vote_bits}", label)


@lru_cache
def single_draw_release_circuit(num_classes: int, vote_bits: int) -> Circuit:
    """The answered bit max(votes + noise) >= T, and where it is 1 the label argmax(votes + noise), else label 0.

    Garbler's inputs: C words, its share of the votes plus the noise, and one word T. Evaluator's inputs: C words, its
    share. Outputs, to the evaluator: the answered bit, then the label's bits.

    Cost beyond plain GNMax: 2w + ceil(log2 C).
    Depth: (n+1)(w+1) for n = ceil(log2 C).
    Precondition: none.
    """
    builder = Builder(vote_bits, num_classes + 1, num_classes)
    flags, largest = flags_and_maximum(builder, _reconstruct(builder, num_classes, first_word=0))
    answered = builder.invert(less_than_any(builder, largest, builder.garbler_word(num_classes)))
    label = mask_with(builder, answered, _label_bits(builder, flags))
    return builder.build(f"single_draw_release_C{num_classes}_w{vote_bits}", [answered, *label])


@lru_cache
def confident_release_circuit(num_classes: int, vote_bits: int, *, evaluator_noise: bool) -> Circuit:
    """Confident-GNMax: the answered bit max(votes + tau) >= T, and where it is 1 the label, else label 0.

    tau is a draw per class. Garbler's inputs: C words (its share of the votes plus tau), C words (the same share plus
    the label's noise), one word T. Evaluator's inputs: C words (its share of the votes) and, with ``evaluator_noise``
    (realised charging), C words (the same share plus tau', its own draw per class). Outputs, to the evaluator: the
    answered bit, then the label's bits.

    Cost beyond plain GNMax: C (w-1) + C w + C-1 + ceil(log2 C). That no word reaches T is asked of each word by itself.
    Depth: the larger of that of plain GNMax and w + ceil(log2 C), plus 1.
    Precondition: none.
    """
    evaluator_words = num_classes * (2 if evaluator_noise else 1)
    builder = Builder(vote_bits, 2 * num_classes + 1, evaluator_words)
    noisy = _reconstruct(builder, num_classes, first_word=num_classes)
    first_own = num_classes if evaluator_noise else 0
    limit = builder.garbler_word(2 * num_classes)
    below = [
        less_than_any(builder, add(builder, builder.garbler_word(c), builder.evaluator_word(first_own + c)), limit)
        for c in range(num_classes)
    ]
    answered = builder.invert(all_of(builder, below))
    label = mask_with(builder, answered, _label_bits(builder, argmax_flags(builder, noisy, full_range=True)))
    name = f"confident_release_C{num_classes}_w{vote_bits}_{'realised' if evaluator_noise else 'worst_case'}"
    return builder.build(name, [answered, *label])


def _reconstruct(builder: Builder, num_classes: int, first_word: int) -> list[list[Wire]]:
    return [add(builder, builder.garbler_word(first_word + c), builder.evaluator_word(c)) for c in range(num_classes)]


def _label_bits(builder: Builder, flags: Sequence[Wire]) -> list[Wire]:
    """The binary label from the winner flags: bit b is the XOR of the flags of classes that have bit b set."""
    label = []
    for position in range((len(flags) - 1).bit_length()):
        bit: Wire = ZERO
        for index, flag in enumerate(flags):
            if index >> position & 1:
                bit = builder.xor(bit, flag)
        label.append(bit)
    return label
