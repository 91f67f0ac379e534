"""Keys: SEAL's secret key, and a public key whose uniform half nobody chooses.

A public key is an encryption of zero, in the form of a ciphertext of a request: (c0, a) with c0 = -(a s + e) under q,
where ``a`` is expanded from a 64-byte seed. A key holder cannot send an ``a`` with a trapdoor, or zero, which would
undo the re-randomisation of responses. Nothing is ever published at key level. Spec: CAPC-HE-005, CAPC-HE-014.
"""

from __future__ import annotations

from tenseal import sealapi

from capc.linear.bfv.context import HeContext
from capc.linear.bfv.wire.seal_format import Words, make_secret_key, read_secret_key
from capc.linear.bfv.wire.seeded import open_seeded, pack_seeded


class SecretKey:
    """The querying party's key: encrypts requests and decrypts responses."""

    def __init__(self, context: HeContext, key: sealapi.SecretKey) -> None:
        self.context = context
        self._key = key
        self.encryptor = sealapi.Encryptor(context.seal, key)
        self.decryptor = sealapi.Decryptor(context.seal, key)

    def words(self) -> Words:
        """The secret polynomial in NTT form, (primes, N), for other processes of the same party. Secret."""
        return read_secret_key(self._key, len(self.context.key_primes), self.context.degree)

    def __repr__(self) -> str:
        return "SecretKey(<secret>)"


class PublicKey:
    """The querying party's public key, in an answering party's hands: re-randomises responses.

    Args:
        context: the parameters.
        zero: the encryption of zero, in NTT form.
        payload: as it was received.
    """

    def __init__(self, context: HeContext, zero: sealapi.Ciphertext, payload: bytes) -> None:
        self.context = context
        self.zero = zero
        self.payload = payload


def generate_keys(context: HeContext) -> tuple[SecretKey, bytes]:
    """A fresh key pair: the secret key, and the public key's payload. SEAL draws both from the operating system.

    Reveals: to the peers, an RLWE sample at the modulus q.
    """
    secret = SecretKey(context, sealapi.KeyGenerator(context.seal).secret_key())
    return secret, pack_seeded(context, secret.encryptor.encrypt_zero_symmetric())


def read_public_key(context: HeContext, payload: bytes) -> PublicKey:
    """A peer's public key.

    Raises:
        InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
    """
    return PublicKey(context, open_seeded(context, payload, "public key"), payload)


def restore_secret_key(context: HeContext, words: Words) -> SecretKey:
    """The key that :meth:`SecretKey.words` described."""
    return SecretKey(context, make_secret_key(context, words))
