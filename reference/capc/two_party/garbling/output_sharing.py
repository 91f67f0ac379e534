"""Output words as fresh additive shares, straight from the labels: no gate, no transfer and no round.

For an output wire of weight 2^i in a word of Z_{2^w}, let K_0 and K_1 be its labels with lowest bit 0 and 1, p the bit
that K_0 stands for, and h_c the low w - i bits of H(K_c). The garbler sends m = h_0 - h_1 + (1 - 2p) mod 2^(w-i) and
keeps p - h_0; the evaluator, which holds K_c for one c, keeps h_c + c m. These sum to the wire's bit, mod 2^(w-i).
A word's share is the sum of its wires' shares times 2^i; the wire of weight 1 makes it uniform in Z_{2^w}.

A wire can carry another weight than 2^i: with a weight D of the garbler's own, m = h_0 - h_1 + (1 - 2p) D and p D - h_0
give shares of D times the bit, and D stays with the garbler. The evaluator's end is the same.

The row m is a garbled row: without the other label, h of it is uniform, so m tells nothing (TCCR of the hash; its
tweaks are those of one more call of the batch's hash).

Source: projection gates, as in Ball, Malkin, Rosulek 2016 (arithmetic garbling). Spec: CAPC-GC-006.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.two_party.circuits.builder import Sharing
from capc.two_party.garbling.half_gates import LabelHash, LabelRows


def share_by_garbler(
    sharing: Sharing,
    zero_labels: LabelRows,
    delta: int,
    label_hash: LabelHash,
    weights: Sequence[Sequence[int]] | None = None,
) -> tuple[LabelRows, list[list[int]]]:
    """The garbler's shares and the rows to send: a wire's labels are told apart by their lowest bits.

    Args:
        sharing: word length and ring.
        zero_labels: of each output wire, word after word, for each instance.
        delta: the global offset, whose lowest bit is 1.
        label_hash: the batch's hash.
        weights: for each wire and instance the D above; 1 if not given.

    Returns:
        for each wire and instance the row m; for each instance the garbler's share of each word.
    """
    with_zero = [[label ^ delta if label & 1 else label for label in wire] for wire in zero_labels]
    # The bit that a label of lowest bit 0 stands for is the lowest bit of the zero label.
    return project_by_garbler(sharing, with_zero, _colours(zero_labels), delta, label_hash, weights)


def project_by_garbler(
    sharing: Sharing,
    labels: LabelRows,
    permute: Sequence[Sequence[int]],
    delta: int,
    label_hash: LabelHash,
    weights: Sequence[Sequence[int]] | None = None,
) -> tuple[LabelRows, list[list[int]]]:
    """The same for wires whose two labels are told apart by a number c that the evaluator has beside its label.

    Args:
        sharing: word length and ring.
        labels: of each output wire K_0, word after word, for each instance; K_1 is K_0 XOR Delta.
        permute: the bit p that K_0 stands for.
        delta: any offset.
        label_hash: the batch's hash.
        weights: as of :func:`share_by_garbler`.

    Returns:
        as :func:`share_by_garbler`.
    """
    instances = len(labels[0])
    flat = [label for wire in labels for label in wire]
    hashes_zero, hashes_one = label_hash.digest(flat, [label ^ delta for label in flat])
    rows: LabelRows = []
    parts: LabelRows = []
    for number, bits in enumerate(permute):
        modulus = 1 << (sharing.width - number % sharing.word_bits)
        span = slice(number * instances, (number + 1) * instances)
        weight = [1] * instances if weights is None else weights[number]
        rows.append(
            [
                (h_0 - h_1 + (1 - 2 * p) * d) % modulus
                for h_0, h_1, p, d in zip(hashes_zero[span], hashes_one[span], bits, weight, strict=True)
            ]
        )
        parts.append([(p * d - h_0) % modulus for h_0, p, d in zip(hashes_zero[span], bits, weight, strict=True)])
    return rows, _words(sharing, parts)


def share_by_evaluator(
    sharing: Sharing, active_labels: LabelRows, rows: Sequence[Sequence[int]], label_hash: LabelHash
) -> list[list[int]]:
    """The evaluator's share of each word, for each instance, from its active labels and the garbler's rows."""
    return project_by_evaluator(sharing, active_labels, _colours(active_labels), rows, label_hash)


def project_by_evaluator(
    sharing: Sharing,
    labels: LabelRows,
    numbers: Sequence[Sequence[int]],
    rows: Sequence[Sequence[int]],
    label_hash: LabelHash,
) -> list[list[int]]:
    """The same from labels K_c and their numbers c, and the rows of :func:`project_by_garbler`."""
    instances = len(labels[0])
    (hashes,) = label_hash.digest([label for wire in labels for label in wire])
    parts: LabelRows = []
    for wire, (held, row) in enumerate(zip(numbers, rows, strict=True)):
        modulus = 1 << (sharing.width - wire % sharing.word_bits)
        span = slice(wire * instances, (wire + 1) * instances)
        parts.append([(h + c * m) % modulus for h, c, m in zip(hashes[span], held, row, strict=True)])
    return _words(sharing, parts)


def _colours(labels: LabelRows) -> list[list[int]]:
    """The lowest bit of each label."""
    return [[label & 1 for label in wire] for wire in labels]


def _words(sharing: Sharing, parts: LabelRows) -> list[list[int]]:
    """For each instance its words: the sum over a word's wires of 2^i times the wire's part, mod 2^width."""
    size, modulus = sharing.word_bits, 1 << sharing.width
    return [
        [
            sum(part << i for i, part in enumerate(instance[start : start + size])) % modulus
            for start in range(0, len(instance), size)
        ]
        for instance in zip(*parts, strict=True)
    ]
