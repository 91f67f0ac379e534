"""What a querying party can compute from its own keys, requests and responses; attacks are built on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tenseal import sealapi

from capc.linear.bfv.wire import seal_format
from capc.linear.bfv.wire.packing import packed_length, unpack
from capc.linear.bfv.wire.seal_format import Words
from linear.plain_bfv import decrypted_by_seal
from linear.support import Setting

Integers = NDArray[np.object_]


class KeyHolder:
    """What a querying party can compute from its own keys, requests and responses, at one data prime."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.context = setting.scheme._context
        self.size = len(self.context.response_primes), self.context.degree

    def request_pair(self, request: bytes) -> sealapi.Ciphertext:
        """c0 and c1 of a one-ciphertext request, as a SEAL ciphertext."""
        first = unpack(request[:-64], self.context.data_primes, self.context.degree, "request")
        return seal_format.make_seeded_ciphertext(self.context, first, request[-64:])

    def response_pair(self, response: bytes, positions: list[int]) -> sealapi.Ciphertext:
        """The response as a SEAL ciphertext, coefficients that were not sent being 0."""
        primes = self.context.response_primes
        head = packed_length(primes, len(positions))
        words = np.zeros((2, *self.size), dtype=np.uint64)
        words[0][:, positions] = unpack(response[:head], primes, len(positions), "response")
        words[1] = unpack(response[head:], primes, self.context.degree, "response")
        return seal_format.make_ciphertext(self.context, self.context.response_id, words)

    def decrypted(self, response: bytes, positions: list[int]) -> Words:
        """All coefficients of the plaintext of a response, as SEAL decrypts it."""
        return self.decrypted_words(seal_format.read_pair(self.response_pair(response, positions), *self.size))

    def decrypted_words(self, words: Words) -> Words:
        """All coefficients of the plaintext of a ciphertext under the response prime."""
        found = decrypted_by_seal(self.setting, words[0, 0].tolist(), words[1, 0].tolist())
        return np.array(found, dtype=np.uint64)

    def to_ntt(self, ciphertext: sealapi.Ciphertext) -> Words:
        transformed = sealapi.Ciphertext()
        self.context.evaluator.transform_to_ntt(ciphertext, transformed)
        return seal_format.read_pair(transformed, len(self.context.data_primes), self.context.degree)

    def centred_from_ntt(self, row: Integers) -> Integers:
        """The coefficients of a polynomial given in NTT form, centred around 0."""
        (prime,) = self.context.data_primes
        words = np.array([row % prime, row % prime], dtype=np.uint64)[:, None, :]
        fields = seal_format._ciphertext_fields(self.context.data_id, *words.shape[1:], ntt=True)
        ciphertext = seal_format._load(sealapi.Ciphertext(), self.context, fields, *seal_format._array(words))
        self.context.evaluator.transform_from_ntt_inplace(ciphertext)
        coefficients = seal_format.read_pair(ciphertext, *words.shape[1:])[0, 0].astype(object)
        return np.where(coefficients > prime // 2, coefficients - prime, coefficients)
