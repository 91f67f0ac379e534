"""Mistakes of a port in a live session, seeded around the reference: each changes what it sends, or when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from capc.session.envelope import MessageType
from capc_verify.port import Answer, Port

Alter = Callable[[list[Any], Any], Any]
"""From what is sent, which may be changed in place, and the whole output, to what is put in its place, or None."""


@dataclass(frozen=True)
class LiveMistake:
    """A mistake, and where it must be found.

    Attributes:
        mode: of the session.
        party: whom the port plays.
        make: the port.
        op: the message after which it is found.
        place: the field.
        told: what the message must say beside it.
        outcome: how the session ends.
    """

    mode: str
    party: str
    make: Callable[[], Answer]
    op: str
    place: str
    told: tuple[str, ...]
    outcome: str = "failed"


def live_port(alter: Alter) -> Callable[[], Answer]:
    """The reference, with each of its turns altered."""

    def make() -> Answer:
        port = Port()

        def answer(request: Any) -> Any:
            outcome = port.answer(request)
            if request["request"] not in {"join", "deliver"} or "out" not in outcome:
                return outcome
            return alter(outcome["out"]["send"], outcome["out"]) or outcome

        return answer

    return make


def kind_of(sent: Any) -> str:
    return MessageType(bytes.fromhex(sent["message"])[0]).name.lower()


def of_kind(kind: str, change: Callable[[list[Any], int], None], which: int = 0) -> Callable[[], Answer]:
    """Changes what is sent where a message of that type stands, the first time or a later one."""

    def make() -> Answer:
        seen = [0]

        def alter(send: list[Any], _: Any) -> None:
            for place, sent in list(enumerate(send)):
                if kind_of(sent) == kind:
                    seen[0] += 1
                    if seen[0] == which + 1:
                        change(send, place)

        return live_port(alter)()

    return make


def flip(offset: int) -> Callable[[list[Any], int], None]:
    """The lowest bit of one byte."""

    def change(send: list[Any], place: int) -> None:
        raw = bytearray.fromhex(send[place]["message"])
        raw[offset] ^= 1
        send[place]["message"] = raw.hex()

    return change


def cut(send: list[Any], place: int) -> None:
    send[place]["message"] = send[place]["message"][:-2]


def fill(send: list[Any], place: int) -> None:
    """All bits of the payload's first words are set."""
    message = send[place]["message"]
    send[place]["message"] = message[:88] + "f" * 64 + message[152:]


def twice(send: list[Any], place: int) -> None:
    send.insert(place, send[place])


def leave_out(send: list[Any], place: int) -> None:
    del send[place]


def exchange(send: list[Any], place: int) -> None:
    """With the next message to the same party."""
    other = next(i for i in range(place + 1, len(send)) if send[i]["to"] == send[place]["to"])
    send[place], send[other] = send[other], send[place]


def readdress(to: str) -> Callable[[list[Any], int], None]:
    return lambda send, place: send[place].update(to=to)


def late(kind: str) -> Callable[[], Answer]:
    """A message waits until the next one comes."""

    def make() -> Answer:
        kept: list[Any] = []

        def alter(send: list[Any], _: Any) -> None:
            now = list(kept)
            kept[:] = [sent for sent in send if kind_of(sent) == kind]
            send[:] = now + [sent for sent in send if kind_of(sent) != kind]

        return live_port(alter)()

    return make


def end_with(**changes: Any) -> Callable[[], Answer]:
    """Another end; without changes none."""

    def alter(_: Any, out: Any) -> None:
        if out["ended"] is not None:
            out["ended"] = out["ended"] | changes if changes else None

    return live_port(alter)


def always(outcome: Any) -> Callable[[], Answer]:
    return live_port(lambda _, __: outcome)


def seed_of_another(step_from: str) -> Callable[[], Answer]:
    """Goes on with the seed of the session before."""
    port, seeds = Port(), [step_from]

    def answer(request: Any) -> Any:
        if request["request"] == "join":
            seeds.append(request["seed"])
            request = {**request, "seed": seeds[-2]}
        return port.answer(request)

    return lambda: answer


def eager_end() -> Callable[[], Answer]:
    """Says at once that it has ended."""
    return live_port(lambda _, out: out.update(ended={"labels": [0], "threshold_noise": [[]]}))


QP, AP, PG = "querying_party", "answering_party_1", "privacy_guardian"
FLIPPED = [
    ("one_query", QP, "base_ot_offer", "querying_party_begin_setup"),
    ("one_query", QP, "he_public_key", ""),
    ("one_query", QP, "ot_trees", "querying_party_finish_setup"),
    ("one_query", QP, "ot_extension", ""),
    ("one_query", QP, "linear_request", ""),
    ("one_query", QP, "choice_bits", ""),
    ("rounds", QP, "base_ot_choice", "querying_party_choose_reverse"),
    ("prepared", QP, "masked_value", "querying_party_mask_batch"),
    ("realised", QP, "answered_label", ""),
    ("one_query", AP, "mask_key", "answering_party_begin_setup"),
    ("one_query", AP, "session_check", ""),
    ("one_query", AP, "base_ot_choice", "answering_party_answer_setup"),
    ("one_query", AP, "linear_response", "answering_party_evaluate_layer"),
    ("one_query", AP, "garbled_circuits", "answering_party_garble_layer"),
    ("one_query", AP, "vote_shares", "zero-sum"),
    ("rounds", AP, "base_ot_offer", "answering_party_offer_reverse"),
    ("rounds", AP, "ot_trees", "answering_party_finish_reverse"),
    ("prepared", AP, "linear_response", "answering_party_prepare_layer"),
    ("prepared", AP, "garbled_circuits", "answering_party_garble_ahead"),
    ("prepared", AP, "input_labels", "answering_party_garble_ahead"),
    ("one_query", PG, "session_check", ""),
    ("one_query", PG, "base_ot_choice", "privacy_guardian_answer_setup"),
    ("one_query", PG, "garbled_circuits", "privacy_guardian_release"),
]
"""Mode, party, type of the message whose last byte is flipped, and the label of the step that drew for it."""

MISTAKES = {
    "trees_before_the_key": LiveMistake(
        "one_query", QP, of_kind("he_public_key", exchange), "deliver base_ot_choice from answering_party_2",
        "send.he_public_key to answering_party_1.message", ("byte 0 (header, type)", "refuses it: wrong_message_type"),
    ),
    "extension_flipped": LiveMistake(
        "one_query", QP, of_kind("ot_extension", flip(60)), "deliver base_ot_choice from answering_party_2",
        "send.ot_extension to answering_party_1.message",
        ("payload, byte 16", "answering_party_1 refuses it: inconsistent_transfers, blame querying_party"),
    ),
    "point_flipped": LiveMistake(
        "one_query", AP, of_kind("mask_key", flip(44)), "join", "send.mask_key to answering_party_2.message",
        ("payload, byte 0", "answering_party_2 refuses it: invalid_point, blame answering_party_1"),
    ),
    "tag_of_another_session": LiveMistake(
        "one_query", PG, of_kind("session_check", flip(5)), "join", "send.session_check to answering_party_1.message",
        ("header, session tag", "answering_party_1 refuses it: foreign_session, blame privacy_guardian"),
    ),
    "wrong_query": LiveMistake(
        "batch", PG, of_kind("garbled_circuits", flip(33), 1), "deliver choice_bits from querying_party",
        "send.garbled_circuits to querying_party.message",
        ("header, query", "querying_party refuses it: wrong_query, blame privacy_guardian"),
    ),
    "wrong_layer": LiveMistake(
        "prepared", AP, of_kind("input_labels", flip(37)), "deliver masked_value from querying_party",
        "send.input_labels to querying_party.message", ("header, layer", "refuses it: wrong_layer"),
    ),
    "response_cut": LiveMistake(
        "layers", "answering_party_2", of_kind("linear_response", cut), "deliver linear_request from querying_party",
        "send.linear_response to querying_party.message", ("the end", "refuses it: malformed_length"),
    ),
    "round_flipped": LiveMistake(
        "rounds", AP, of_kind("garbled_circuits", flip(50), 1), "deliver choice_bits from querying_party",
        "send.garbled_circuits to querying_party.message",
        ("stream 'answering_party_garble_", "draw one of 0: 1 x read(16), label seed"),
    ),
    "answered_label_flipped": LiveMistake(
        "realised", QP, of_kind("answered_label", flip(44)), "deliver garbled_circuits from privacy_guardian",
        "send.answered_label to privacy_guardian.message", ("refuses it: invalid_output_label, blame querying_party",),
    ),
    "one_message_too_many": LiveMistake(
        "one_query", AP, of_kind("linear_response", twice), "deliver linear_request from querying_party",
        "send.linear_response to querying_party.message", ("expected no more messages now", "wrong_message_type"),
    ),
    "one_message_too_many_at_the_end": LiveMistake(
        "one_query", PG, of_kind("garbled_circuits", twice), "deliver choice_bits from querying_party",
        "send.garbled_circuits to querying_party.message",
        ("expected no more messages now", "then all parties come to their ends"),
    ),
    "silence": LiveMistake(
        "one_query", PG, of_kind("base_ot_choice", leave_out), "deliver session_check from answering_party_2",
        "send.base_ot_choice to querying_party.message",
        ("is silence, expected a message of 4140 bytes",
            "then no message for which querying_party waits: missing_participant, blame privacy_guardian",
        ),
    ),
    "silence_to_one": LiveMistake(
        "batch", QP, of_kind("linear_request", leave_out, 1), "deliver base_ot_choice from answering_party_2",
        "send.linear_request to answering_party_2.message", ("is silence to answering_party_2", "missing_participant"),
    ),
    "a_round_more": LiveMistake(
        "prepared", AP, late("input_labels"), "deliver masked_value from querying_party",
        "send.input_labels to querying_party.message", ("is silence",),
    ),
    "to_another_party": LiveMistake(
        "one_query", AP, of_kind("vote_shares", readdress(QP)), "deliver choice_bits from querying_party",
        "send.vote_shares to privacy_guardian.message", ("is silence to privacy_guardian",),
    ),
    "to_nobody": LiveMistake(
        "one_query", AP, of_kind("vote_shares", readdress("answering_party_7")),
        "deliver choice_bits from querying_party", "send.vote_shares to privacy_guardian.message", ("is silence to",),
    ),
    "another_label": LiveMistake(
        "single_draw", QP, end_with(labels=[1, None, None, 0]), "deliver garbled_circuits from privacy_guardian",
        "ended.labels[3]", ("is 0, expected null",),
    ),
    "another_label_with_he": LiveMistake(
        "encrypted", QP, end_with(labels=[3, 3, 3]), "", "ended.labels[0]", ("is 3, expected", ", of F_CaPC"),
    ),
    "bits_cut_with_he": LiveMistake(
        "encrypted", QP, of_kind("choice_bits", cut), "deliver linear_response from answering_party_1",
        "send.choice_bits to answering_party_1.message", ("bytes, expected", "refuses it: malformed_length"),
    ),
    "request_out_of_range_with_he": LiveMistake(
        "encrypted", QP, of_kind("linear_request", fill), "", "",
        ("answering_party_1 refuses it: value_out_of_range, blame querying_party",),
    ),
    "response_flipped_with_he": LiveMistake(
        "encrypted", AP, of_kind("linear_response", flip(60)), "deliver linear_request from querying_party",
        "send.linear_response to querying_party.message", ("draw one of 0: 1 x read(32), seed of the response",),
    ),
    "other_noise": LiveMistake(
        "two_draws", PG, end_with(class_noise=[["0", "0", "0"]] * 4), "deliver choice_bits from querying_party",
        "ended.class_noise[1][0]", ("is 0, expected",),
    ),
    "charged_too_little": LiveMistake(
        "realised", PG, end_with(spent="0"), "deliver answered_label from querying_party", "ended.spent", ("is 0",),
    ),
    "no_end": LiveMistake(
        "one_query", PG, end_with(), "deliver choice_bits from querying_party", "ended", ("is no end",),
    ),
    "ends_at_once": LiveMistake("one_query", QP, eager_end(), "join", "ended", ("is an end, expected no end yet",)),
    "refuses": LiveMistake(
        "one_query", PG, always({"error": {"code": "wrong_layer", "blame": QP, "party_index": 0}}), "join", "out",
        ("the port gave the error wrong_layer, blame querying_party",),
    ),
    "skips": LiveMistake("one_query", PG, always({"skipped": "no guardian"}), "join", "", ("no guardian",), "skipped"),
    "cannot": LiveMistake("one_query", PG, always({"errored": "oh"}), "join", "", ("oh",), "errored"),
    "no_list": LiveMistake("one_query", PG, always({"out": {"send": 1, "ended": None}}), "join", "", ("a list",)),
    "more_fields": LiveMistake(
        "one_query", PG, always({"out": {"send": [], "ended": None, "x": 1}}), "join", "", ("ended, send, x",)
    ),
    "end_is_a_number": LiveMistake(
        "one_query", PG, always({"out": {"send": [], "ended": 3}}), "join", "", ("null or an object",)
    ),
    "no_hex": LiveMistake(
        "one_query", PG, always({"out": {"send": [{"to": QP, "message": "x"}], "ended": None}}), "join", "",
        ("out.send[0]",),
    ),
    "nothing_in_it": LiveMistake(
        "one_query", PG, always({"out": {"send": [{"to": AP, "message": ""}], "ended": None}}), "join",
        "send.session_check to answering_party_1.message", ("byte 0 (header, type) is the end", "malformed_length"),
    ),
}  # fmt: skip
