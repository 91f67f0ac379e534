"""Ideal hashes: what hides no secret shows as what was hashed, and what hides one is a name."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.randomness import Seed
from capc.privacy.ledger import chain
from capc_verify.views.symbols import Symbols


def shown(symbols: Symbols, value: bytes, *, given_too: Collection[bytes] = (), drew: bool = False) -> Hashable:
    return symbols.reader([value, *given_too], drew=drew).shown(value)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_hash_without_a_secret_shows_what_was_hashed(one: bytes, other: bytes) -> None:
    symbols = Symbols()
    with symbols.planted():
        views = [shown(symbols, b"head" + hashlib.sha256(value).digest() + b"tail") for value in (one, other)]
        hexadecimal = [shown(symbols, hashlib.sha256(value).hexdigest().encode()) for value in (one, other)]
    assert (views[0] == views[1]) == (hexadecimal[0] == hexadecimal[1]) == (one == other)


@pytest.mark.parametrize("length", [16, 32])
def test_a_hash_with_a_secret_is_a_name_until_the_secret_is_given(length: int) -> None:
    views = []
    for vote in (b"0", b"1"):
        symbols = Symbols()
        with symbols.planted():
            blinding = secrets.token_bytes(length)
            commitment = hashlib.sha256(blinding + vote).digest()
            views.append(
                (
                    shown(symbols, commitment),
                    shown(symbols, commitment, given_too=[b"salt:" + blinding]),
                    shown(symbols, commitment, given_too=[blinding.hex().encode()]),
                    shown(symbols, commitment, drew=True),
                )
            )
    assert [one == other for one, other in zip(*views, strict=True)] == [True, False, False, False]


def test_one_secret_in_two_hashes_shows_which_are_equal() -> None:
    symbols = Symbols()
    with symbols.planted():
        blinding = secrets.token_bytes(32)
        hashes = {vote: hashlib.sha256(blinding + vote).digest() for vote in (b"0", b"1")}
        equal, other = (shown(symbols, hashes[b"0"] + hashes[vote]) for vote in (b"0", b"1"))
    assert equal != other


def test_a_hash_of_names_is_a_term_over_them() -> None:
    """A link of a chain: it tells nothing more than the digests that it is made of."""
    views = []
    for vote in (b"0", b"1"):
        symbols = Symbols()
        with symbols.planted():
            inner = hashlib.sha256(secrets.token_bytes(16) + vote)
            link = hashlib.sha256(b"link" + inner.digest())
            head = chain.Head(bytes(32), 1, link.digest())
            signature = head.sign(Seed(bytes(32)))
            assert head.is_signed(b"", signature)
            assert not head.extended(bytes(32)).is_signed(b"", signature)
            views.append([shown(symbols, value) for value in (inner.digest(), link.digest(), signature)])
    assert views[0] == views[1]
    assert len(set(map(repr, views[0]))) == 3


def test_draws_of_the_operating_system_are_unlike_each_other_and_the_same_in_every_play() -> None:
    symbols = Symbols()
    with symbols.planted():
        first = [secrets.token_bytes(length) for length in (16, 32, 16, 32)]
        symbols.forget()
        assert [secrets.token_bytes(length) for length in (16, 32, 16, 32)] == first
    assert [len(name) for name in first] == [16, 32, 16, 32]
    assert not [(a, b) for i, a in enumerate(first) for j, b in enumerate(first) if i != j and a in b]
    assert secrets.token_bytes(16) != secrets.token_bytes(16)


def test_hashes_are_real_again_afterwards_also_after_an_error() -> None:
    real = hashlib.sha256
    with Symbols().planted():
        assert hashlib.sha256(b"x").digest() == real(b"x").digest()
        assert hashlib.sha256(b"x").copy().hexdigest() == real(b"x").hexdigest()
    with pytest.raises(ZeroDivisionError), Symbols().planted():
        raise ZeroDivisionError
    assert hashlib.sha256 is real
