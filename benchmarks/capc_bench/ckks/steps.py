"""Private inference with CKKS, for comparison only: the steps of both parties, bytes in and bytes out.

1. The querying party makes keys once and sends the public ones, rotation keys included: tens to hundreds of MB.
2. It encrypts (features, 1) and sends the ciphertext.
3. The answering party evaluates its whole network under encryption, subtracts a real mask from the logits, and
   returns the ciphertext. Its share of a logit is the mask.
4. The querying party decrypts. Its share is what it sees.

Not the default, because (docs/ckks-comparison.md, tests/ckks):
- slots behind the output hold every logit without a mask, and a key holder can read them;
- the mask hides statistically and weakly;
- the noise of the result tells the key holder the weights;
- results are approximate, so the two shares add up to the logit within an error only;
- peers' bytes go to protobuf and to SEAL's `load`, which SEAL does not claim to be safe on hostile input, unchecked.

SEAL draws the randomness of keys and encryptions from the operating system; masks come from
:mod:`capc.foundation.randomness`.

Source: Gilad-Bachrach et al. 2016 (CryptoNets); Cheon, Kim, Kim, Song 2017 (CKKS); Halevi, Shoup 2014 (diagonals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ldexp

import tenseal as ts

from capc.foundation.errors import InputError
from capc.foundation.fixed_point import quantise
from capc.foundation.randomness import Seed, XofSource
from capc.session.widths import ParameterSet
from capc_bench.ckks.network import SquareNetwork
from capc_bench.ckks.parameters import DOUBLE_BITS, CkksParameters

_MASK = b"comparison/ckks/mask"


@dataclass(frozen=True, eq=False, repr=False)
class Keys:
    """One party's keys: the querying party's with its secret key, the answering parties' without.

    Attributes:
        parameters: the CKKS parameters.
        context: TenSEAL's context, which holds them.
    """

    parameters: CkksParameters
    context: ts.Context


def querying_party_make_keys(parameters: CkksParameters) -> tuple[Keys, bytes]:
    """Makes the keys of a session.

    Returns:
        The keys, and the public ones as bytes for every answering party: encryption, rotations, relinearisation.
    """
    context = ts.context(
        ts.SCHEME_TYPE.CKKS,
        parameters.poly_degree,
        coeff_mod_bit_sizes=list(parameters.coefficient_bits),
        n_threads=1,
    )
    context.global_scale = 1 << parameters.scale_bits
    context.generate_galois_keys()
    context.generate_relin_keys()
    public: bytes = context.serialize(save_secret_key=False)
    return Keys(parameters, context), public


def answering_party_read_keys(parameters: CkksParameters, public: bytes) -> Keys:
    """Loads the querying party's public keys. The bytes go to protobuf and to SEAL's `load`."""
    return Keys(parameters, ts.context_from(public, 1))


def querying_party_encrypt(keys: Keys, features: Sequence[float]) -> bytes:
    """Encrypts one query. One request serves every answering party.

    Args:
        keys: this party's.
        features: d reals in [-1, 1].
    """
    # TenSEAL replicates the vector over all slots; the 1 multiplies the first layer's biases.
    request: bytes = ts.ckks_vector(keys.context, [*map(float, features), 1.0]).serialize()
    return request


def check_network(parameters: CkksParameters, network: SquareNetwork, widths: ParameterSet) -> None:
    """Refuses a network that CKKS would evaluate wrongly, or whose logits do not fit the logit ring.

    Raises:
        InputError: names what is too large, and the remedy.
    """
    shape = "-".join(map(str, network.sizes))
    if network.depth > parameters.depth:
        raise InputError(f"{shape} needs {network.depth} levels and there are {parameters.depth}: add primes")
    if network.slots > parameters.slots:
        raise InputError(f"{shape} needs {network.slots} slots and there are {parameters.slots}: take a larger degree")
    most = ldexp(1, parameters.room_bits(network.depth)) - ldexp(1, parameters.mask_bits)
    most = max(0.0, min(most, ldexp(1, widths.logit_bits - 2 - widths.fraction_bits)))
    if network.logit_bound() >= most:
        raise InputError(
            f"{shape}: a logit could reach the bound of {most:.0f}, beyond which it wraps: "
            "use smaller weights (weight decay), smaller masks or a wider ring"
        )


def answering_party_evaluate(
    keys: Keys, network: SquareNetwork, request: bytes, widths: ParameterSet, seed: Seed
) -> tuple[bytes, list[int]]:
    """Evaluates the network on an encrypted query and masks the logits.

    Args:
        keys: the querying party's public keys.
        network: this party's own.
        request: the ciphertext of (features, 1); the bytes go to protobuf and to SEAL's `load`.
        widths: l and f of the shares.
        seed: 32 secret bytes, used once.

    Returns:
        The response, and this party's share of each logit in Z_{2^l}, with f fraction bits.

    Raises:
        InputError: the network does not fit the parameters or the ring.

    Reveals:
        To the querying party far more than the masked logits: see the module.
    """
    check_network(keys.parameters, network, widths)
    values = ts.ckks_vector_from(keys.context, request)
    for number, matrix in enumerate(network.homogeneous()):
        values = (values if number == 0 else values.square()).mm(matrix)
    masks = _masks(keys.parameters, network.sizes[-1], seed)
    response: bytes = (values - masks).serialize()
    return response, _to_ring(masks, widths)


def querying_party_decrypt(keys: Keys, response: bytes, widths: ParameterSet) -> list[int]:
    """This party's share of each logit in Z_{2^l}, with f fraction bits.

    The two shares of a logit add up to it, times 2^f, within CKKS' error and one unit for their two roundings.

    Args:
        keys: this party's.
        response: the answering party's; the bytes go to protobuf and to SEAL's `load`.
        widths: l and f of the shares.
    """
    return _to_ring(ts.ckks_vector_from(keys.context, response).decrypt(), widths)


def _masks(parameters: CkksParameters, count: int, seed: Seed) -> list[float]:
    """Uniform doubles in [-2^B, 2^B), in steps of 2^(B-52).

    The steps are finer than CKKS' error where B is 18. On the grid of the shares, 2^-f, they would leave each
    logit's digits below 2^-f bare.
    """
    source = XofSource(seed, _MASK)
    half = 1 << (DOUBLE_BITS - 1)
    return [ldexp(source.bits(DOUBLE_BITS) - half, parameters.mask_bits - DOUBLE_BITS + 1) for _ in range(count)]


def _to_ring(values: Sequence[float], widths: ParameterSet) -> list[int]:
    return [value % (1 << widths.logit_bits) for value in quantise(values, widths.fraction_bits)]
