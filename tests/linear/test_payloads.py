"""Bytes of a peer are checked for length and range before SEAL sees anything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError, ParameterError
from capc.linear.bfv import keys, masks
from capc.linear.bfv.wire import responses, seeded
from capc.models.operators import Convolution, Dense, Grid
from linear.support import BINDING, Setting, altered

SHAPE = Dense(6, 3)
KINDS = ["public key", "request", "response"]


class Peer:
    """One payload of each kind, and the function that reads it."""

    def __init__(self, setting: Setting, shape: Dense = SHAPE, weight_bits: int = 12) -> None:
        self.setting, self.shape = setting, shape
        self.prepared = setting.prepare_dense(setting.weights(shape, "weights", weight_bits))
        request = setting.scheme.encrypt(setting.secret_key, shape, [setting.elements(shape.inputs, "vector")])
        self.payloads = {
            "public key": setting.public_payload,
            "request": request,
            "response": self.evaluate(request),
        }
        context = setting.scheme._context
        self.primes = {
            "public key": context.data_primes,
            "request": context.data_primes,
            "response": context.response_primes,
        }

    def evaluate(self, request: bytes) -> bytes:
        setting = self.setting
        return setting.scheme.evaluate(setting.public_key, self.prepared, request, 1, setting.source("response"))[1]

    def read(self, kind: str, payload: bytes) -> object:
        if kind == "public key":
            return self.setting.scheme.read_public_key(payload, BINDING)
        if kind == "request":
            return self.evaluate(payload)
        return self.setting.scheme.decrypt(self.setting.secret_key, self.shape, 1, payload)

    def refused(self, kind: str, payload: bytes) -> ErrorCode:
        with pytest.raises(InvalidPayloadError) as caught:
            self.read(kind, payload)
        return caught.value.code


@pytest.fixture(scope="module", params=["default", "toy"])
def peer(request: pytest.FixtureRequest) -> Peer:
    return Peer(altered(request.param))


@pytest.fixture(scope="module")
def three() -> Peer:
    """Whose request has three ciphertexts."""
    return Peer(altered("toy"), Dense(4097, 1), 2)


@pytest.fixture
def sealed_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when anything of a payload is handed to SEAL."""

    def reached(*_arguments: object) -> None:
        pytest.fail("a malformed payload reached SEAL")

    for module, names in {
        seeded: ("make_seeded_ciphertext",),
        keys: ("make_seeded_ciphertext",),
        responses: ("make_ciphertext",),
        masks: ("make_plaintext",),
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, reached)


@pytest.mark.req("CAPC-HE-005")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("sealed_off")
def test_other_lengths_are_refused(peer: Peer, kind: str) -> None:
    payload = peer.payloads[kind]
    for wrong in (b"", payload[:1], payload[:-1], payload + b"\0", payload * 2, payload[: len(payload) // 2]):
        assert peer.refused(kind, wrong) is ErrorCode.MALFORMED_LENGTH


@pytest.mark.req("CAPC-HE-005")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("sealed_off")
def test_payloads_of_another_kind_are_refused(peer: Peer, kind: str) -> None:
    for other in KINDS:
        if other != kind:
            assert peer.refused(kind, peer.payloads[other]) is ErrorCode.MALFORMED_LENGTH


@pytest.mark.req("CAPC-HE-005", "CAPC-HE-019")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("excess", [0, 1, "all ones"])
@pytest.mark.usefixtures("sealed_off")
def test_a_coefficient_that_is_not_below_its_prime_is_refused(peer: Peer, kind: str, excess: int | str) -> None:
    offset = 0
    degree = peer.setting.widths.he_poly_degree
    for prime in peer.primes[kind]:
        width = (prime.bit_length() + 7) // 8
        bad = b"\xff" * width if excess == "all ones" else (prime + excess).to_bytes(width, "little")
        payload = peer.payloads[kind]
        assert peer.refused(kind, payload[:offset] + bad + payload[offset + width :]) is (ErrorCode.VALUE_OUT_OF_RANGE)
        offset += width * degree


@pytest.mark.req("CAPC-HE-005")
@pytest.mark.usefixtures("sealed_off")
def test_a_bad_last_coefficient_of_a_response_is_refused(peer: Peer) -> None:
    (prime,) = peer.primes["response"]
    payload = peer.payloads["response"]
    width = (prime.bit_length() + 7) // 8
    assert peer.refused("response", payload[:-width] + prime.to_bytes(width, "little")) is (
        ErrorCode.VALUE_OUT_OF_RANGE
    )


@pytest.mark.req("CAPC-HE-019")
@pytest.mark.parametrize("number", range(2))
def test_a_response_with_one_bad_ciphertext_is_refused_before_any_is_decrypted(
    number: int, request: pytest.FixtureRequest
) -> None:
    setting, shape, carried = altered("toy"), Dense(4096, 3), (2, 1)
    request.getfixturevalue("sealed_off")
    (prime,) = setting.scheme._context.response_primes
    width, degree = (prime.bit_length() + 7) // 8, setting.widths.he_poly_degree
    ends = [(carried[0] + degree) * width, (sum(carried) + 2 * degree) * width]
    assert ends[-1] == setting.scheme.response_length(shape, 1)
    # The last coefficient of one of them; all others are zero.
    response = bytearray(ends[-1])
    response[ends[number] - width : ends[number]] = prime.to_bytes(width, "little")
    with pytest.raises(InvalidPayloadError) as caught:
        setting.scheme.decrypt(setting.secret_key, shape, 1, bytes(response))
    assert caught.value.code is ErrorCode.VALUE_OUT_OF_RANGE


@pytest.mark.req("CAPC-HE-005")
@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_residue_is_admitted(peer: Peer, kind: str) -> None:
    for prime in peer.primes[kind][:1]:
        largest = (prime - 1).to_bytes((prime.bit_length() + 7) // 8, "little")
        peer.read(kind, largest + peer.payloads[kind][len(largest) :])


@pytest.mark.req("CAPC-HE-005")
@pytest.mark.parametrize("kind", KINDS)
def test_payloads_of_zeros_raise_nothing_else(peer: Peer, kind: str) -> None:
    peer.read(kind, bytes(len(peer.payloads[kind])))


@pytest.mark.req("CAPC-HE-005")
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_flipped_bytes_are_admitted_or_refused_by_code(peer: Peer, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    payload = bytearray(peer.payloads[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        peer.read(kind, bytes(payload))
    except InvalidPayloadError as error:
        assert error.code is ErrorCode.VALUE_OUT_OF_RANGE  # noqa: PT017


@pytest.mark.req("CAPC-HE-005")
@pytest.mark.usefixtures("sealed_off")
@pytest.mark.parametrize("other", [1, 2])
def test_a_request_with_one_seed_twice_is_refused(three: Peer, other: int) -> None:
    sent = three.payloads["request"]
    size = len(sent) // 3
    ciphertexts = [sent[start : start + size] for start in range(0, 3 * size, size)]
    ciphertexts[other] = ciphertexts[0]
    with pytest.raises(InvalidPayloadError, match="one seed occurs twice") as caught:
        three.read("request", b"".join(ciphertexts))
    assert caught.value.code is ErrorCode.VALUE_OUT_OF_RANGE


@pytest.mark.req("CAPC-HE-005", "CAPC-HE-019")
@pytest.mark.usefixtures("sealed_off")
@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_ciphertext_of_a_request_is_looked_at_before_the_first_is_read(three: Peer, number: int) -> None:
    sent = three.payloads["request"]
    start = number * len(sent) // 3
    assert three.refused("request", sent[:start] + b"\xff" * 7 + sent[start + 7 :]) is ErrorCode.VALUE_OUT_OF_RANGE


@pytest.mark.parametrize(("name", "degree"), [("default", 4096), ("conservative", 8192)])
def test_lengths_are_the_documented_formulas(name: str, degree: int) -> None:
    setting = altered(name)
    request = degree * (7 + 5) + 64
    assert setting.scheme.public_key_length() == len(setting.public_payload) == degree * (7 + 5)
    assert setting.scheme.request_length(Dense(64, 32), 1) == request
    assert setting.scheme.response_length(Dense(64, 32), 1) == (degree + 32) * 7
    columns, rows = {"default": (5, 5), "conservative": (3, 5)}[name]
    assert setting.scheme.request_length(Dense(784, 128), 1) == columns * request
    assert setting.scheme.response_length(Dense(784, 128), 1) == (rows * degree + 128) * 7


def test_callers_mistakes_are_named() -> None:
    setting = altered("toy")
    run, shape = setting.scheme, Dense(2, 1)
    prepared = setting.prepare_dense(((1, 2),))
    request = run.encrypt(setting.secret_key, shape, [[1, 2]])
    source = setting.source("response")
    for call, text in (
        (lambda: run.encrypt(setting.secret_key, shape, []), "batch of 0 queries"),
        (lambda: run.evaluate(setting.public_key, prepared, request, 0, source), "batch of 0 queries"),
        (lambda: run.encrypt(setting.secret_key, shape, [[1]]), "vector of 1 elements"),
        (lambda: run.encrypt(setting.secret_key, shape, [[0, 1 << 12]]), "outside Z_2"),
        (lambda: run.encrypt(setting.secret_key, shape, [[0, -1]]), "outside Z_2"),
        (lambda: run.encrypt(setting.public_key, shape, [[0, 1]]), "PublicKey where a SecretKey"),
        (lambda: run.evaluate(setting.secret_key, prepared, request, 1, source), "SecretKey where a PublicKey"),
        (lambda: run.prepare(shape, ()), "give 1 rows of 2"),
        (lambda: run.prepare(Dense(2, 2), ((1, 2), (3,))), "give 2 rows of 2"),
        (lambda: run.prepare(Convolution(Grid(1, 2, 2, (2, 2)), 3), ((1, 2),)), "give 3 rows of 4"),
        (lambda: run.multiply(prepared, [[1]]), "x of 1 elements"),
        (lambda: run.multiply(prepared, [[1, 1 << 12]]), "outside Z_2"),
        (lambda: run.request_length(Convolution(Grid(1, 70, 70, (65, 65)), 1), 1), "65 x 65 values does not fit"),
    ):
        with pytest.raises(InputError, match=text):
            call()


def test_keys_of_other_parameters_are_refused() -> None:
    with pytest.raises(ParameterError, match="other parameters"):
        altered("toy").scheme.encrypt(altered("test").secret_key, Dense(1, 1), [[1]])


def test_nothing_secret_is_shown() -> None:
    setting = altered("toy")
    prepared = setting.prepare_dense(((1234, 77),))
    assert repr(setting.secret_key) == "SecretKey(<secret>)"
    assert "1234" not in repr(prepared)
    assert "<secret>" in repr(prepared)
