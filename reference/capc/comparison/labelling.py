"""The comparison variant in one process: steps 1a and 1b of one query, for all answering parties.

A job that was asked for this variant by name calls :func:`open_comparison` once, where it would have made HE keys,
and :meth:`Comparison.encrypt` and :meth:`Comparison.answer`, which together are :meth:`Comparison.logit_shares`, for
each query, in place of the layer-by-layer inference. Each pair of shares then goes into step 1c as the shares of any
other inference do: they are in Z_{2^l}, and only the order of logits matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.comparison.ckks import (
    AnsweringPartyKeys,
    QueryingPartyKeys,
    answering_party_evaluate,
    answering_party_read_keys,
    check_network,
    querying_party_decrypt,
    querying_party_encrypt,
    querying_party_make_keys,
)
from capc.comparison.network import SquareNetwork
from capc.comparison.parameters import CkksParameters
from capc.foundation.errors import InputError
from capc.foundation.randomness import Seed
from capc.session.parameters import ParameterSet


@dataclass(frozen=True, repr=False)
class LogitShares:
    """Additive shares of one answering party's logits, each C values in Z_{2^l} with f fraction bits.

    Attributes:
        querying_party: what the querying party decrypted.
        answering_party: the mask.
        response: the message that carried them.
    """

    querying_party: list[int]
    answering_party: list[int]
    response: bytes

    def __repr__(self) -> str:
        return "LogitShares(<secret>)"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """A session of the comparison variant: every role's part, for a driver that plays all of them.

    Attributes:
        widths: l and f of the shares.
        networks: the answering parties', by index.
        keys: the querying party's.
        public_keys: the answering parties' copy, which they share in one process.
        public_key_message: what each answering party receives once.
    """

    widths: ParameterSet
    networks: tuple[SquareNetwork, ...]
    keys: QueryingPartyKeys
    public_keys: AnsweringPartyKeys
    public_key_message: bytes

    def encrypt(self, features: Sequence[float]) -> bytes:
        """The querying party's request, one for all answering parties.

        Raises:
            InputError: a feature is not in [-1, 1], or their number is not the networks'.
        """
        if len(features) != self.networks[0].sizes[0]:
            raise InputError(f"{len(features)} features for networks of {self.networks[0].sizes[0]}: give these")
        return querying_party_encrypt(self.keys, features)

    def logit_shares(self, features: Sequence[float], seeds: Sequence[Seed]) -> list[LogitShares]:
        """Labels one query with every network.

        Args:
            features: d reals in [-1, 1].
            seeds: one fresh seed of each answering party, by index.

        Returns:
            The shares, by index of the answering party.

        Raises:
            InputError: the features or seeds do not fit.
        """
        return self.answer(self.encrypt(features), seeds)

    def answer(self, request: bytes, seeds: Sequence[Seed]) -> list[LogitShares]:
        """The answering parties' responses to a request, opened; arguments and errors as of :meth:`logit_shares`."""
        if len(seeds) != len(self.networks):
            raise InputError(f"{len(seeds)} seeds for {len(self.networks)} networks: give one fresh seed to each")
        return [self._share(index, request, seed) for index, seed in enumerate(seeds, start=1)]

    def respond(self, index: int, request: bytes, seed: Seed) -> tuple[bytes, list[int]]:
        """One answering party's part: the response, and the mask, which is its share of the logits."""
        return answering_party_evaluate(self.public_keys, self.networks[index - 1], request, self.widths, seed)

    def open(self, index: int, response: bytes) -> list[int]:
        """The querying party's part: its share of that answering party's logits."""
        network = self.networks[index - 1]
        return querying_party_decrypt(self.keys, response, network.sizes[-1], network.depth, self.widths)

    def _share(self, index: int, request: bytes, seed: Seed) -> LogitShares:
        response, mask = self.respond(index, request, seed)
        return LogitShares(self.open(index, response), mask, response)


def open_comparison(widths: ParameterSet, networks: Sequence[SquareNetwork]) -> Comparison:
    """Makes and hands over the keys of a session, for the deepest of the networks.

    Args:
        widths: the session's parameter set.
        networks: the answering parties', by index; all with the same features and classes.

    Raises:
        InputError: there is no network, their features or classes differ, or one does not fit.
    """
    if len({(network.sizes[0], network.sizes[-1]) for network in networks}) != 1:
        raise InputError("the networks need the same features and classes, and there must be one: check their shapes")
    parameters = CkksParameters.for_depth(max(network.depth for network in networks))
    for network in networks:
        check_network(parameters, network, widths)
    keys, public = querying_party_make_keys(parameters)
    return Comparison(widths, tuple(networks), keys, answering_party_read_keys(parameters, public), public)
