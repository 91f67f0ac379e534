"""Ideal hashes, signatures and randomness of the operating system, and what they tell a coalition that is shown them.

In a view the output of a hash is what anybody can do with it: form a candidate for what was hashed, and compare. So it
is shown as its preimage, unless the preimage holds a draw of the operating system that the coalition has not been given
by any way; then it is an opaque name, equal to itself only. Nothing here knows which field of which record is blinded:
a hash without a secret in it shows as what it hashes.

Spec: CAPC-SEC-012.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager

from capc.foundation.primitives import SIGNATURE_BYTES
from capc.foundation.randomness import Seed
from capc.privacy.ledger import chain

_HASH_BYTES = 32
_REAL = hashlib.sha256


class Symbols:
    """Stands for SHA-256, Ed25519 and the operating system's generator while it is planted, and remembers what it gave.

    The outputs are those of SHA-256, and of a keyed hash for signatures: functions, which differ for all that differ.
    """

    def __init__(self) -> None:
        self._hashed: dict[bytes, bytes] = {}
        self._signed: dict[bytes, bytes] = {}
        self._drawn: list[bytes] = []

    def forget(self) -> None:
        """Drops all that was given, so that the next play draws the same names."""
        self._hashed.clear()
        self._signed.clear()
        self._drawn.clear()

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Every hash, signature and draw of this process until the block ends."""
        places = ((hashlib, "sha256"), (secrets, "token_bytes"), (chain, "sign"), (chain, "signature_holds"))
        real = [getattr(module, name) for module, name in places]
        ideal: list[Callable[..., object]] = [
            lambda data=b"", **_: _Hash(self, data),
            self._draw,
            self._sign,
            lambda _, message, signature: self._signed.get(signature) == message,
        ]
        try:
            for (module, name), stand_in in zip(places, ideal, strict=True):
                setattr(module, name, stand_in)
            yield
        finally:
            for (module, name), function in zip(places, real, strict=True):
                setattr(module, name, function)

    def reader(self, shown: Collection[bytes], *, drew: bool) -> Reader:
        """What a coalition makes of hashes and signatures.

        Args:
            shown: everything that it was given, as bytes.
            drew: whether one of its members made the draws of the operating system.
        """
        unknown = [] if drew else [draw for draw in self._drawn if not _occurs(draw, shown)]
        return Reader(self._hashed, self._signed, unknown)

    def hashed(self, data: bytes) -> bytes:
        """The hash of data."""
        output = _REAL(data).digest()
        self._hashed[output] = data
        return output

    def _draw(self, length: int = _HASH_BYTES) -> bytes:
        """A name that is as long, and in no other one."""
        name = f"<{len(self._drawn):06d}>".encode()
        self._drawn.append((name * (length // len(name) + 1))[:length])
        return self._drawn[-1]

    def _sign(self, key: Seed, message: bytes) -> bytes:
        signature = hashlib.sha512(bytes(key) + message).digest()[:SIGNATURE_BYTES]
        self._signed[signature] = message
        return signature


class Reader:
    """Shows values to a coalition. Opaque names are numbered in the order in which they are met.

    Args:
        hashed: outputs of the hash to what was hashed.
        signed: signatures to what was signed.
        unknown: draws that the coalition was not given.
    """

    def __init__(self, hashed: dict[bytes, bytes], signed: dict[bytes, bytes], unknown: Collection[bytes]) -> None:
        self._preimages = {written: text for output, text in hashed.items() for written in _spellings(output)}
        self._signed = signed
        self._unknown = unknown
        self._names: dict[bytes, Hashable] = {}

    def shown(self, value: bytes) -> Hashable:
        """A value, with every hash and signature in it, as bytes or in hexadecimal, replaced by what it tells."""
        if value in self._signed:
            return ("signed", self.shown(self._signed[value]))
        parts: list[Hashable] = []
        begin = at = 0
        while at + _HASH_BYTES <= len(value):
            for length in (_HASH_BYTES, 2 * _HASH_BYTES):
                if (written := value[at : at + length]) in self._preimages:
                    parts += [value[begin:at], self._name(self._preimages[written])]
                    begin = at = at + length
                    break
            else:
                at += 1
        return (*parts, value[begin:])

    def _name(self, preimage: bytes) -> Hashable:
        if preimage not in self._names:
            opaque = any(_occurs(draw, [preimage]) for draw in self._unknown)
            self._names[preimage] = ("hash", len(self._names) if opaque else self.shown(preimage))
        return self._names[preimage]


class _Hash:
    """What ``hashlib.sha256`` returns."""

    def __init__(self, symbols: Symbols, data: bytes) -> None:
        self._symbols = symbols
        self._data = bytes(data)

    def update(self, data: bytes) -> None:
        """More to be hashed."""
        self._data += data

    def digest(self) -> bytes:
        """The output."""
        return self._symbols.hashed(self._data)

    def hexdigest(self) -> str:
        """The output in hexadecimal."""
        return self.digest().hex()

    def copy(self) -> _Hash:
        """The same so far."""
        return _Hash(self._symbols, self._data)


def _spellings(value: bytes) -> tuple[bytes, bytes]:
    return value, value.hex().encode()


def _occurs(draw: bytes, shown: Collection[bytes]) -> bool:
    return any(written in value for written in _spellings(draw) for value in shown)
