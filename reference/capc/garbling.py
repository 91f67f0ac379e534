"""Half-gates garbling: two ciphertexts per AND, XOR and INV for nothing.

Labels are 128-bit integers; the two labels of a wire differ by the garbler's global offset Delta, whose lowest bit
is 1, so that a label's lowest bit tells the evaluator which half of a table it needs and nothing else.

Sources: Zahur, Rosulek, Evans, "Two Halves Make a Whole" (Eurocrypt 2015), figure 2; hash, Guo, Katz, Wang, Yu
(S&P 2020), TMMO, under a key that is fresh for every batch. Spec: CAPC-GC-001 to CAPC-GC-005.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.circuits.builder import Circuit, Operation
from capc.messages import LABEL_BYTES
from capc.primitives import Permutation


class LabelHash:
    """H(x, i) = pi(pi(x) XOR i) XOR pi(x) for AES-128 under the batch's key as pi.

    Tweaks count up from 0 over all hashed gates of a batch, so that none occurs twice under one key.
    """

    def __init__(self, key: bytes) -> None:
        self._permutation = Permutation(key)

    def digest(self, labels: Sequence[int], tweaks: Sequence[int]) -> list[int]:
        """H of each label under the tweak beside it."""
        blocks = b"".join(label.to_bytes(LABEL_BYTES, "little") for label in labels)
        inner = self._permutation.apply(blocks)
        shift = b"".join(tweak.to_bytes(LABEL_BYTES, "little") for tweak in tweaks)
        outer = self._permutation.apply(_xor(inner, shift))
        digest = _xor(outer, inner)
        return [int.from_bytes(digest[i : i + LABEL_BYTES], "little") for i in range(0, len(digest), LABEL_BYTES)]


@dataclass(frozen=True, repr=False)
class Garbling:
    """What garbling one circuit gives. Secret to the garbler: ``output_zero_labels``; the tables are sent."""

    tables: tuple[int, ...]
    output_zero_labels: tuple[int, ...]

    def __repr__(self) -> str:
        return "<Garbling>"


def garble(
    circuit: Circuit, input_zero_labels: Sequence[int], delta: int, label_hash: LabelHash, first_gate: int
) -> Garbling:
    """Garbles a circuit whose input labels are given.

    For AND gate number n with zero labels A, B and permute bits p_a, p_b (their lowest bits), tweaks 2n, 2n + 1:

    1. generator half: T_G = H(A) ^ H(A ^ Delta) ^ p_b Delta,  W_G = H(A) ^ p_a T_G
    2. evaluator half: T_E = H(B) ^ H(B ^ Delta) ^ A,          W_E = H(B) ^ p_b (T_E ^ A)
    3. the output's zero label is W_G ^ W_E; T_G and T_E are sent.

    Args:
        circuit: what to garble.
        input_zero_labels: one per input wire, the garbler's first.
        delta: the global offset.
        label_hash: the batch's hash.
        first_gate: the number of ANDs garbled before under this hash.
    """
    zero = list(input_zero_labels)
    tables: list[int] = []
    gate_number = first_gate
    for operation, left, right in circuit.gates:
        a, b = zero[left], zero[right]
        if operation is Operation.XOR:
            zero.append(a ^ b)
        elif operation is Operation.INV:
            zero.append(a ^ delta)
        else:
            tweak = 2 * gate_number
            h_a0, h_a1, h_b0, h_b1 = label_hash.digest(
                (a, a ^ delta, b, b ^ delta), (tweak, tweak, tweak + 1, tweak + 1)
            )
            # 1.
            generator_row = h_a0 ^ h_a1 ^ (delta if b & 1 else 0)
            generator_zero = h_a0 ^ (generator_row if a & 1 else 0)
            # 2.
            evaluator_row = h_b0 ^ h_b1 ^ a
            evaluator_zero = h_b0 ^ (evaluator_row ^ a if b & 1 else 0)
            # 3.
            zero.append(generator_zero ^ evaluator_zero)
            tables += (generator_row, evaluator_row)
            gate_number += 1
    return Garbling(tuple(tables), tuple(zero[wire] for wire in circuit.outputs))


def evaluate(
    circuit: Circuit, input_labels: Sequence[int], tables: Sequence[int], label_hash: LabelHash, first_gate: int
) -> list[int]:
    """The active labels of the outputs, from one active label per input.

    For AND gate number n with active labels A, B and their lowest bits s_a, s_b:
    H(A) ^ s_a T_G ^ H(B) ^ s_b (T_E ^ A).
    """
    active = list(input_labels)
    gate_number = 0
    for operation, left, right in circuit.gates:
        a, b = active[left], active[right]
        if operation is Operation.XOR:
            active.append(a ^ b)
        elif operation is Operation.INV:
            active.append(a)
        else:
            tweak = 2 * (first_gate + gate_number)
            h_a, h_b = label_hash.digest((a, b), (tweak, tweak + 1))
            if a & 1:
                h_a ^= tables[2 * gate_number]
            if b & 1:
                h_b ^= tables[2 * gate_number + 1] ^ a
            active.append(h_a ^ h_b)
            gate_number += 1
    return [active[wire] for wire in circuit.outputs]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(len(left), "little")
