"""Faults in the garbled circuits and their oblivious transfers."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from capc.foundation import ring
from capc.foundation.aes_ctr import counters
from capc.foundation.errors import StateReuseError
from capc.foundation.single_use import SingleUse
from capc.steps.messages import VoteShares
from capc.two_party.circuits.builder import Circuit, Sharing
from capc.two_party.garbling import half_gates, output_sharing, readable_vote_rounds
from capc.two_party.garbling.half_gates import LabelHash, LabelRows, TableStage
from capc.two_party.garbling.hash_keys import HashKeys
from capc.two_party.garbling.readable import EvaluatorEnd, GarbledTwoParty
from capc.two_party.garbling.transfers import ot_extension
from capc.two_party.garbling.transfers.ot_messages import OtExtension
from capc.two_party.interface import EvaluatorChoice
from capc.two_party.transfers import Transfers, Words
from capc.two_party.vectorised import extension
from capc.two_party.vectorised import vote_rounds as vectorised_vote_rounds
from capc.two_party.vectorised.labels import Bits, colours, multiples, select
from capc.two_party.vectorised.labels import Words as Labels
from capc_verify.faults.patching import replace_everywhere, replace_in


def transfers_reused() -> None:
    """A batch of transfers is never spent: it serves any number of batches of circuits."""

    def keep(self: SingleUse) -> None:
        """Nothing is marked, and nothing is refused."""

    Transfers.spend = keep  # type: ignore[method-assign]
    Transfers.require_unspent = keep  # type: ignore[method-assign]


def choice_bits_in_the_clear() -> None:
    """The evaluator sends its choice bits as they are, not XOR the random bits of the transfers."""
    correct = GarbledTwoParty.choose

    def choose(
        self: GarbledTwoParty, transfers: Transfers[EvaluatorEnd], circuit: Circuit, inputs: list[Words]
    ) -> tuple[EvaluatorChoice[list[int]], bytes]:
        random_bits, _ = transfers.secret
        chosen, bits = correct(self, transfers, circuit, inputs)
        plain = int.from_bytes(bits, "little") ^ random_bits
        return chosen, plain.to_bytes(len(bits), "little")

    GarbledTwoParty.choose = choose  # type: ignore[method-assign, assignment]


def projection_without_hashes() -> None:
    """The row of a shared output is 1 - 2p alone, without h_0 - h_1: it tells what the label stands for."""
    correct = output_sharing.share_by_garbler

    def share_by_garbler(
        sharing: Sharing,
        zero_labels: LabelRows,
        delta: int,
        label_hash: LabelHash,
        weights: Sequence[Sequence[int]] | None = None,
    ) -> tuple[LabelRows, list[list[int]]]:
        _, shares = correct(sharing, zero_labels, delta, label_hash, weights)
        rows = []
        for number, wire in enumerate(zero_labels):
            modulus = 1 << (sharing.width - number % sharing.word_bits)
            rows.append([(1 - 2 * (label & 1)) % modulus for label in wire])
        return rows, shares

    replace_everywhere(correct, share_by_garbler)


def reverse_by_colour() -> None:
    """In a vote in rounds the lowest bits of reverse labels mask p and number the labels, not the transfers' bits."""

    def received(key: ot_extension.EvaluatorKey, nonce: int, count: int) -> tuple[int, list[int], OtExtension]:
        _, labels, message = ot_extension.extend_receive(key, nonce, count)
        return ring.from_bits([label & 1 for label in labels]), labels, message

    def numbered(key: ot_extension.GarblerKey, nonce: int, message: OtExtension) -> list[int]:
        zeros = ot_extension.extend_send(key, nonce, message)
        return [label ^ key.delta if label & 1 else label for label in zeros]

    def received_fast(
        key: extension.EvaluatorKey, nonce: int, count: int
    ) -> tuple[Bits, extension.ReceivedLabels, bytes]:
        _, labels, message = extension.extend_receive(key, nonce, count)
        return colours(labels.all()), labels, message

    def numbered_fast(key: extension.GarblerKey, nonce: int, count: int, message: bytes) -> Labels:
        zeros = extension.extend_send(key, nonce, count, message)
        return zeros ^ select(multiples(key.delta), colours(zeros))

    readable = SimpleNamespace(extend_receive=received, extend_send=numbered)
    replace_in(readable_vote_rounds, "ot_extension", readable)
    fast = SimpleNamespace(extend_receive=received_fast, extend_send=numbered_fast)
    replace_in(vectorised_vote_rounds, "extension", fast)


def tweaks_begin_again() -> None:
    """Every chunk of a batch begins with the first tweak again, under the same Delta and hash key."""
    garble, evaluate = half_gates.garble, half_gates.evaluate

    def garble_again(
        circuit: Circuit, zero_labels: LabelRows, delta: int, label_hash: LabelHash
    ) -> tuple[list[TableStage], LabelRows]:
        label_hash._number = 0
        return garble(circuit, zero_labels, delta, label_hash)

    def evaluate_again(
        circuit: Circuit, active_labels: LabelRows, tables: list[TableStage], label_hash: LabelHash
    ) -> LabelRows:
        label_hash._number = 0
        return evaluate(circuit, active_labels, tables, label_hash)

    replace_everywhere(garble, garble_again)
    replace_everywhere(evaluate, evaluate_again)


def rows_share_a_tweak() -> None:
    """All rows of a hashed layer have one tweak: wires of equal labels show the garbler's inputs, and Delta."""
    correct = counters

    def first_only(lows: range, high: int) -> bytes:
        return correct(range(lows.start, lows.start + 1), high) * len(lows)

    replace_in(half_gates, "counters", first_only)


def one_hash_key() -> None:
    """All rows of all chunks of a batch are hashed under one key."""
    correct = HashKeys.key

    def key(self: HashKeys[object], number: int) -> bytes:  # noqa: ARG001
        self._chunk = 0
        return correct(self, 0)

    HashKeys.key = key  # type: ignore[assignment, method-assign]


def replaced_states_unspent() -> None:
    """What `dataclasses.replace` makes of a used state is unspent, as the mark is the object's own."""

    def require_unspent(self: SingleUse) -> None:
        if "_used" in vars(self):
            raise StateReuseError(f"{type(self).__name__} was used before")

    def spend(self: SingleUse) -> None:
        self.require_unspent()
        vars(self)["_used"] = True

    SingleUse.require_unspent = require_unspent  # type: ignore[method-assign]
    SingleUse.spend = spend  # type: ignore[method-assign]


def batches_mixed() -> None:
    """A step takes any state that has the fields it needs, of a batch of whichever kind."""

    def accept(cls: type[SingleUse], state: object) -> None:  # noqa: ARG001
        """Only whether it was used is asked."""
        if isinstance(state, SingleUse):
            state.require_unspent()

    SingleUse.require = classmethod(accept)  # type: ignore[assignment, method-assign]


def shares_shown() -> None:
    """The representation of vote shares shows them."""

    def shown(self: VoteShares) -> str:
        return f"VoteShares({self.shares}, {self.vote_bits})"

    VoteShares.__repr__ = shown  # type: ignore[assignment, method-assign]
