"""Mistakes of a port, seeded around the reference: each changes what it replies, or what it does with states.

Where a judge must find each is stated beside it: the level, the operation, the place, and for bytes the offset.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from capc_verify.port import Answer, Port, serve

Alter = Callable[[Any, Any], Any]
"""From a request and the right outcome to the wrong one."""


@dataclass(frozen=True)
class Mistake:
    level: str
    tests: tuple[str, ...]
    op: str
    place: str
    make: Callable[[], Answer]
    offset: int | None = None
    told: str = ""
    outcome: str = "failed"


def altered(op: str, alter: Alter) -> Callable[[], Answer]:
    """The reference, with the outcomes of one operation altered."""

    def make() -> Answer:
        port = Port()

        def answer(request: Any) -> Any:
            outcome = port.answer(request)
            return alter(request, outcome) if request.get("op") == op else outcome

        return answer

    return make


def with_field(name: str, change: Callable[[Any], Any]) -> Alter:
    """Changes one output; errors stay as they are."""

    def alter(_: Any, outcome: Any) -> Any:
        if "out" not in outcome:
            return outcome
        return {**outcome, "out": {**outcome["out"], name: change(outcome["out"][name])}}

    return alter


def with_error(**changes: Any) -> Alter:
    """Changes an error; results stay as they are."""
    return lambda _, outcome: {"error": outcome["error"] | changes} if "error" in outcome else outcome


def accepting(out: Any) -> Alter:
    """A result where the reference refuses."""
    return lambda _, outcome: {"out": out} if "error" in outcome else outcome


def flipped(offset: int) -> Callable[[str], str]:
    """Bytes with the lowest bit of one of them flipped."""

    def change(data: str) -> str:
        raw = bytearray.fromhex(data)
        raw[offset] ^= 1
        return raw.hex()

    return change


def reversed_bytes(start: int, end: int) -> Callable[[str], str]:
    """Bytes with a run of them in the other order."""

    def change(data: str) -> str:
        raw = bytes.fromhex(data)
        return (raw[:start] + raw[start:end][::-1] + raw[end:]).hex()

    return change


def plus_one(text: str) -> str:
    return str(int(text) + 1)


def at(index: int, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A list with one entry changed."""
    return lambda entries: [change(entry) if i == index else entry for i, entry in enumerate(entries)]


def stale() -> Answer:
    """Goes on from the states that it kept themselves, not from a copy."""
    port = Port()

    def answer(request: Any) -> Any:
        if request["request"] != "reset" or request["to"] is None:
            return port.answer(request)
        port.answer({**request, "to": None})
        port._run = port._kept[request["to"]]
        return {"out": {}}

    return answer


def without_snapshots() -> Answer:
    """No mistake: what is kept is performed again."""
    port = Port()

    def answer(request: Any) -> Any:
        if request["request"] == "reset" and request["keep"] is not None:
            return {"errored": "keeps nothing"}
        outcome = port.answer(request)
        return {"out": {**outcome["out"], "snapshots": False}} if request["request"] == "start" else outcome

    return answer


def own_codes() -> Answer:
    """No mistake: one code for whatever is wrong with a header, by a table that the port tells."""
    port = Port()
    codes = {"wrong_message_type": "bad_header", "wrong_query": "bad_header", "malformed_length": "bad_length"}

    def answer(request: Any) -> Any:
        outcome = port.answer(request)
        if request["request"] == "start":
            return {"out": {**outcome["out"], "codes": codes}}
        if "error" in outcome:
            code = outcome["error"]["code"]
            return {"error": outcome["error"] | {"code": codes.get(code, code)}}
        return outcome

    return answer


def shifted(entries: list[str]) -> list[str]:
    """Every draw is the one after."""
    return [*entries[1:], entries[0]]


def _of_another_scalar(_: Any, outcome: Any) -> Any:
    """Another secret scalar, and messages that would follow from it."""
    sent = outcome["out"]["messages"]
    sent = {to: flipped(44)(message) if len(message) > 88 else message for to, message in sent.items()}
    scalar = flipped(0)(outcome["intermediate"]["mask_scalar"])
    return {"out": {"messages": sent}, "intermediate": {"mask_scalar": scalar}}


def _after_another_draw(_: Any, outcome: Any) -> Any:
    """Another number, and the draw that would have led to it."""
    draws = at(1, lambda draw: draw.rpartition(" ")[0] + " 7")(outcome["intermediate"]["draws"])
    return {"out": {**outcome["out"], "integer": "7"}, "intermediate": {"draws": draws}}


def _of_layer_0(stream: Any) -> Any:
    """A label that names layer 1 less; the digest of the choice bits follows it."""
    return {**stream, "label": stream["label"][:-66] + "ff" + stream["label"][-64:]}


def _draws_exchanged(stream: Any) -> Any:
    return {**stream, "draws": stream["draws"][::-1]}


def _spends_on_refusal() -> Answer:
    """A state is consumed by a message that is refused."""
    port, spent = Port(), set[str]()

    def answer(request: Any) -> Any:
        if request["request"] == "reset":
            spent.clear()
        outcome = port.answer(request)
        if request.get("op") != "answering_party_answer_setup":
            return outcome
        if spent & set(request["state_in"]):
            return {"error": {"code": "state_reused", "blame": "caller", "party_index": 0}}
        if "error" in outcome:
            spent.update(request["state_in"])
        return outcome

    return answer


def _repeats_after_failure() -> Answer:
    """A state that was consumed is accepted again: the outcome of its first use comes back."""
    port, given = Port(), {}

    def answer(request: Any) -> Any:
        outcome = port.answer(request)
        if request.get("op") == "privacy_guardian_release" and "out" in outcome:
            given["first"] = outcome
        reused = outcome.get("error", {}).get("code") == "state_reused"
        return given.get("first", {"out": {"message": "00"}}) if reused else outcome

    return answer


MISTAKES = {
    "not_reduced": Mistake(
        "encodings", ("ring::ring_add_*",), "ring_add", "out.elements[0]",
        altered("ring_add", with_field("elements", at(0, lambda text: str(int(text) + (1 << 130)))),),
    ),
    "big_endian_elements": Mistake(
        "encodings", ("ring::elements_bytes_16",), "elements_to_bytes", "out.data",
        altered("elements_to_bytes", with_field("data", reversed_bytes(2, 4))), 2,
    ),
    "half_away_from_zero": Mistake(
        "encodings", ("ring::quantise_*",), "quantise", "out.integers[0]",
        altered("quantise", with_field("integers", at(0, plus_one))),
    ),
    "one_draw_late": Mistake(
        "encodings", ("xof::bits_widths",), "xof_bits", "out.integers[0]",
        altered("xof_bits", with_field("integers", shifted)), None, "stream 'bits', draw 0",
    ),
    "last_byte_of_a_stream_missing": Mistake(
        "encodings", ("xof::read_across_a_block",), "xof_read", "out.data",
        altered("xof_read", with_field("data", lambda data: data[:-2])), 299,
    ),
    "space_in_canonical_json": Mistake(
        "encodings", ("session::parameters_plain",), "parameters_digest", "out.canonical",
        altered("parameters_digest", with_field("canonical", lambda data: data[:2] + "20" + data[2:])), 1,
    ),
    "tag_of_something_else": Mistake(
        "encodings", ("session::session_plain",), "session_tag", "out.tag",
        altered("session_tag", with_field("tag", flipped(31))), 31,
    ),
    "big_endian_query": Mistake(
        "encodings", ("messages::linear_request_*",), "message_seal", "out.message",
        altered("message_seal", with_field("message", reversed_bytes(33, 37))), 33, "header, query",
    ),
    "blames_the_receiver": Mistake(
        "encodings", ("messages::mask_key_type",), "message_open", "error.blame",
        altered("message_open", with_error(blame="privacy_guardian")),
    ),
    "one_code_for_all": Mistake(
        "encodings", ("messages::mask_key_type",), "message_open", "error.code",
        altered("message_open", with_error(code="malformed_length")),
    ),
    "blames_no_index": Mistake(
        "encodings", ("session::hello_type",), "check_hello", "error.party_index",
        altered("check_hello", with_error(party_index=0)),
    ),
    "hello_not_checked": Mistake(
        "encodings", ("session::hello_other_sigma",), "check_hello", "error",
        altered("check_hello", accepting({})),
    ),
    "upper_case": Mistake(
        "encodings", ("session::session_plain",), "session_tag", "out.tag",
        altered("session_tag", with_field("tag", str.upper)),
    ),
    "numbers_as_numbers": Mistake(
        "encodings", ("ring::ring_signed_10",), "ring_signed", "out.values[0]",
        altered("ring_signed", with_field("values", lambda texts: [int(text) for text in texts])),
        told="; against the schema: values/0: ",
    ),
    "a_draw_less": Mistake(
        "encodings", ("xof::bits_widths",), "xof_bits", "out.integers",
        altered("xof_bits", with_field("integers", lambda entries: entries[:-1])), None, "9 entries, expected 10",
    ),
    "a_field_more": Mistake(
        "encodings", ("session::session_plain",), "session_tag", "out.debug",
        altered("session_tag", lambda _, outcome: {"out": {**outcome["out"], "debug": "1"}}),
    ),
    "an_output_bit_of_a_circuit": Mistake(
        "two-party", ("circuits::relu_*",), "circuit_evaluate", "out.outputs",
        altered("circuit_evaluate", with_field("outputs", lambda bits: "10"[int(bits[0])] + bits[1:])),
    ),
    "small_order_accepted": Mistake(
        "two-party", ("aggregation::pairwise_key_order_eight",), "pairwise_key", "error",
        altered("pairwise_key", accepting({"key": "00", "point": "00"})),
    ),
    "key_of_the_other_order": Mistake(
        "two-party", ("aggregation::pairwise_key_1_2",), "pairwise_key", "out.key",
        altered("pairwise_key", with_field("key", reversed_bytes(0, 32))), 0,
    ),
    "sign_of_a_mask": Mistake(
        "two-party", ("aggregation::zero_sum_2_parties_query_1",), "zero_sum_mask", "out.mask[1]",
        altered("zero_sum_mask", with_field("mask", at(1, plus_one))),
    ),
    "offer_of_the_wrong_draw": Mistake(
        "two-party", ("oblivious_transfer::base_ot",), "base_ot_offer", "out.offer",
        altered("base_ot_offer", with_field("offer", flipped(5))), 5,
    ),
    "label_byte_order": Mistake(
        "two-party", ("garbling::smallest_1",), "garble", "out.tables",
        altered("garble", with_field("tables", reversed_bytes(0, 16))), 0,
    ),
    "consumes_one_byte_more": Mistake(
        "noise", ("noise::poisson_1",), "poisson", "out.consumed",
        altered("poisson", with_field("consumed", lambda count: count + 1)),
    ),
    "sign_of_a_draw": Mistake(
        "noise", ("noise::round_gaussian_3",), "round_gaussian", "out.integers[2]",
        altered("round_gaussian", with_field("integers", at(2, plus_one))), None, "stream in.stream, draw 2",
    ),
    "a_fallback_at_the_end": Mistake(
        "noise", ("noise::skellam_4_unlucky_exhausted",), "skellam", "error",
        altered("skellam", accepting({"integers": ["0"], "consumed": 0})),
    ),
    "a_law_too_wide": Mistake(
        "noise", ("noise::law_skellam_1",), "noise_law", "out.figure[0]",
        altered("noise_law", with_field("figure", at(0, lambda _: "0.46"))),
    ),
    "a_law_too_short": Mistake(
        "noise", ("noise::law_skellam_1",), "noise_law", "out.figure",
        altered("noise_law", with_field("figure", lambda masses: masses[:-1])),
    ),
    "a_trial_of_the_other_polarity": Mistake(
        "noise", ("noise_traces::bernoulli_exp_minus_3_0",), "sampler_trace", "out.integer",
        altered("sampler_trace", _after_another_draw), None, "before that, intermediate.draws[1] is ",
    ),
    "operands_exchanged": Mistake(
        "two-party", ("gate_lists::relu_3_0_1",), "circuit_gates", "out.gates[0]",
        altered("circuit_gates", with_field("gates", at(0, lambda gate: " ".join(gate.split()[::-1])))),
    ),
    "label_of_another_layer": Mistake(
        "streams", ("streams::plain_answering_party_garble_layer_*",), "step_draws", "out.streams[0].label",
        altered("step_draws", with_field("streams", at(0, _of_layer_0))), 74,
    ),
    "scalars_before_delta": Mistake(
        "streams", ("streams::plain_answering_party_answer_setup_*",), "step_draws", "out.streams[0].draws[0].take",
        altered("step_draws", with_field("streams", at(0, _draws_exchanged))),
    ),
    "tag_of_another_version": Mistake(
        "streams", ("streams::tag_ot_leaf",), "tag_use", "out.value",
        altered("tag_use", with_field("value", flipped(0))), 0,
    ),
    "response_one_byte_longer": Mistake(
        "he", ("he::lengths_toy_1_1_of_1",), "he_lengths", "out.response",
        altered("he_lengths", with_field("response", lambda length: length + 1)),
    ),
    "rounds_a_share_up": Mistake(
        "he", ("he::decrypt_given",), "he_decrypt", "out.shares[0]",
        altered("he_decrypt", with_field("shares", at(0, plus_one))),
    ),
    "padding_counts": Mistake(
        "he", ("operators::convolution_padding",), "operator_multiply", "out.sums[0]",
        altered("operator_multiply", with_field("sums", at(0, plus_one))),
    ),
    "an_error_too_large": Mistake(
        "he", ("he_layers::encrypt_dense_2_3_of_2",), "he_encrypt", "out",
        altered("he_encrypt", with_field("request", flipped(7 * 2049))), None, "ciphertext 0: coefficient 2049 is not",
    ),
    "a_seed_for_all_ciphertexts": Mistake(
        "he", ("he_layers::encrypt_batch_of_32",), "he_encrypt", "out",
        altered("he_encrypt", with_field("request", lambda data: data[:-128] + data[len(data) // 2 - 128 :][:128])),
        None, "one seed stands twice",
    ),
    "nothing_encrypted": Mistake(
        "he", ("he_layers::encrypt_dense_2_3_of_1",), "he_encrypt", "out",
        altered("he_encrypt", lambda _, __: {"out": {"holds": True}}), None, "an object with holds, expected request",
    ),
    "a_key_with_few_coefficients": Mistake(
        "he", ("he_layers::new_key",), "he_new_key", "out",
        altered("he_new_key", with_field("secret_key", lambda data: "00" * 100 + data[200:])), None, "is not uniform: ",
    ),
    "public_key_of_another_secret": Mistake(
        "he", ("he_layers::new_key",), "he_new_key", "out",
        altered("he_new_key", with_field("public_key", flipped(70))), None, "public_key is not that of this secret_key",
    ),
    "layout_of_the_other_order": Mistake(
        "he", ("he_layers::tiling_dilated_of_3",), "he_tiling", "out.tile[0]",
        altered("he_tiling", with_field("tile", lambda tile: tile[::-1])),
    ),
    "response_of_other_masks": Mistake(
        "he", ("he_layers::respond_batch",), "he_respond", "out.response",
        altered("he_respond", with_field("response", flipped(0))), 0,
    ),
    "another_sender": Mistake(
        "protocol", ("protocol_plain::honest_session",), "answering_party_begin_setup",
        "out.messages.answering_party_2",
        altered(
            "answering_party_begin_setup",
            with_field("messages", lambda sent: {to: flipped(39)(message) for to, message in sent.items()}),
        ),
        39, "header, sender's index",
    ),
    "scalar_of_another_draw": Mistake(
        "protocol", ("protocol_plain::honest_session",), "answering_party_begin_setup",
        "out.messages.answering_party_2",
        altered("answering_party_begin_setup", _of_another_scalar),
        44, "before that, intermediate.mask_scalar, byte 0 is ",
    ),
    "response_of_a_layer": Mistake(
        "protocol", ("protocol_plain::honest_session",), "answering_party_evaluate_layer", "out.message",
        altered("answering_party_evaluate_layer", with_field("message", flipped(50))),
        50, "payload, byte 6",
    ),
    "payload_cut": Mistake(
        "protocol", ("protocol_plain::honest_session",), "answering_party_answer_setup", "out.message",
        altered("answering_party_answer_setup", with_field("message", lambda message: message[:-2])),
        4139, "stream 'answering_party_answer_setup', draw one of 0: 1 x bits(128)",
    ),
    "refusal_spends_the_state": Mistake(
        "protocol", ("protocol_plain::answering_party_answer_setup_recovers",), "answering_party_answer_setup",
        "out", _spends_on_refusal, told="state_reused",
    ),
    "state_accepted_twice": Mistake(
        "protocol", ("protocol_plain::privacy_guardian_release_state_reused",), "privacy_guardian_release", "error",
        _repeats_after_failure,
    ),
    "stale_states": Mistake(
        "protocol", ("protocol_plain::honest_session", "protocol_plain::*_recovers"), "", "error.code", stale,
        told="state_reused",
    ),
    "bound_too_small": Mistake(
        "accounting", ("accounting::epsilon_rho_2",), "epsilon_of_cost", "out.figure",
        altered("epsilon_of_cost", with_field("figure", lambda _: "10.7248")),
    ),
    "bound_too_loose": Mistake(
        "accounting", ("accounting::joint_cost_2",), "joint_cost", "out.figure",
        altered("joint_cost", with_field("figure", lambda _: "1.3e-1")),
    ),
    "no_bound_at_all": Mistake(
        "accounting", ("accounting::rho_of_2_shares",), "rho_of_shares", "out.figure",
        altered("rho_of_shares", lambda _, __: {"out": {"inside": True}}),
    ),
    "charge_not_counted": Mistake(
        "accounting", ("accounting::budget_filled_exactly",), "account_reserve", "out.spent",
        altered("account_reserve", with_field("spent", lambda _: "0")),
    ),
    "budget_overdrawn": Mistake(
        "accounting", ("accounting::budget_exhausted",), "account_reserve", "error",
        altered("account_reserve", accepting({"receipt": {}, "spent": "0", "remaining_queries": 0})),
    ),
    "link_of_another_record": Mistake(
        "ledger", ("ledger::records",), "ledger_open", "out.link",
        altered("ledger_open", with_field("link", flipped(0))), 0,
    ),
    "fork_accepted": Mistake(
        "ledger", ("ledger::head_forked",), "ledger_check_proof", "error",
        altered("ledger_check_proof", accepting({"size": 1, "link": "00", "identity": "00", "began": 0})),
    ),
    "edited_log_blamed_on_nobody": Mistake(
        "ledger", ("ledger::replay_edited_link",), "ledger_replay", "error.code",
        altered("ledger_replay", with_error(code="non_canonical")),
    ),
    "skips_noise": Mistake(
        "noise", ("noise::poisson_1",), "poisson", "", altered("poisson", lambda _, __: {"skipped": "no sampler"}),
        outcome="skipped",
    ),
    "cannot_decrypt": Mistake(
        "he", ("he::decrypt_given",), "he_decrypt", "", altered("he_decrypt", lambda _, __: {"errored": "no key"}),
        outcome="errored",
    ),
}  # fmt: skip


class SpokenChild:
    """Stands for a process: the lines go to a port in this one, through the loop that a process has."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.stderr = ""

    def exchange(self, line: bytes, seconds: float) -> bytes:
        replies = io.BytesIO()
        serve(self._answer, [line], replies)
        return replies.getvalue().rstrip(b"\n")

    def farewell(self) -> None:
        return None

    def end(self) -> None:
        return None
