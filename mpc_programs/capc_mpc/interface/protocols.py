"""The protocols of MP-SPDZ that the programs run under, and what each of them withstands.

Every guarantee of the base model (spec/02-roles.md) must hold against the querying party together with any answering
parties, and against the guardian together with any answering parties. A protocol that tolerates all but one of its
parties withstands both. One with an honest majority does not withstand two parties of three, so it is refused unless
the configuration declares the weaker model by name.

Spec: CAPC-MPC-005.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from capc.foundation.errors import InputError


class Domain(StrEnum):
    """What the protocol computes over."""

    RING = "ring"
    FIELD = "field"
    BOOLEAN = "boolean"


class Adversary(StrEnum):
    """What corrupted parties may do."""

    SEMI_HONEST = "semi_honest"
    MALICIOUS = "malicious"


class Model(StrEnum):
    """Which coalitions a run withstands."""

    BASE = "base"
    """All but one of the parties: each coalition of the base model."""
    HONEST_MAJORITY = "honest_majority"
    """Fewer than half of the parties: single parties, where three or four take part; none of the base model's pairs."""


class Channels(StrEnum):
    """What MP-SPDZ sends a protocol's messages over, between parties that have keys."""

    TLS = "tls"
    """TLS with both ends' certificates.

    Outside of it machines say the names of their threads, to agree on an order, and that they have ended: nothing that
    depends on inputs.
    """
    PARTLY_TLS = "partly_tls"
    """TLS, but for the public keys of homomorphic encryption."""
    PLAIN = "plain"
    """TCP: nothing is encrypted or authenticated."""


RING_BITS = 64


@dataclass(frozen=True)
class Protocol:
    """One row of the table.

    Attributes:
        name: as on the command line.
        program: the party program, without ``-party.x``.
        domain: ring, field or Boolean.
        adversary: semi-honest or malicious.
        model: `base` for a dishonest majority, or `honest_majority`.
        min_parties: the fewest parties.
        max_parties: the most, None for any number.
        options: compile options; ``{parties}`` stands for the number of parties, ``{mixing}`` for daBits or edaBits.
        pairwise: whether the party program is told the number of parties with ``-N``.
        encrypts: the flag that encrypts the channels, or None where they always or never are.
        channels: what messages are sent over.
        note: what a reader should know, one sentence.
    """

    name: str
    program: str
    domain: Domain
    adversary: Adversary
    model: Model
    min_parties: int
    max_parties: int | None
    options: tuple[str, ...]
    pairwise: bool
    encrypts: str | None
    channels: Channels
    note: str

    def corruptions(self, parties: int) -> int:
        """How many of the parties may be corrupted together."""
        if self.model is Model.BASE:
            return parties - 1
        return 1 if self.max_parties is not None else (parties - 1) // 2

    def takes(self, wanted: int) -> bool:
        """Whether that many parties can have inputs or outputs."""
        return self.max_parties is None or wanted <= self.max_parties

    def parties_for(self, wanted: int) -> int:
        """The number of parties of a run in which ``wanted`` parties have inputs or outputs; others only compute.

        Raises:
            InputError: the protocol has fewer parties.
        """
        if not self.takes(wanted):
            raise InputError(
                f"protocol {self.name} has {self.max_parties} parties and the program needs {wanted}: choose one "
                f"for any number, such as semi2k"
            )
        return max(wanted, self.min_parties)

    def compile_options(self, parties: int, *, edabits: bool = False) -> list[str]:
        """What the compiler is told; ``edabits`` prefers edaBits where the protocol can choose."""
        return [option.format(parties=parties, mixing="-Y" if edabits else "-X") for option in self.options]

    def withstands(self, parties: int) -> dict[str, bool]:
        """For each coalition of spec/02-roles.md, whether a run among these parties keeps what the table promises."""
        pairs = self.corruptions(parties) >= min(2, parties - 1)
        return {
            "querying_party_and_answering_parties": pairs,
            "privacy_guardian_and_answering_parties": pairs,
            "answering_parties": pairs,
            "single_party": self.corruptions(parties) >= 1,
        }


_MIXING = {Domain.RING: ("-R", "64", "{mixing}"), Domain.FIELD: ("-F", "64"), Domain.BOOLEAN: ("-B", "64")}
"""Compile options by default: comparisons in rings on bits; in fields, daBits for the few bits that are opened."""


def _row(
    name: str,
    domain: Domain,
    adversary: Adversary,
    model: Model,
    parties: str,
    note: str,
    options: tuple[str, ...] | None = None,
) -> Protocol:
    """A row; ``parties`` is "2+" for two or more, or "3" for three."""
    any_number = parties.endswith("+")
    plain = _CHANNELS.get(name) is Channels.PLAIN or model is Model.HONEST_MAJORITY
    return Protocol(
        name=name,
        program=name,
        domain=domain,
        adversary=adversary,
        model=model,
        min_parties=int(parties.rstrip("+")),
        max_parties=None if any_number else int(parties),
        options=_MIXING[domain] if options is None else options,
        pairwise=any_number,
        encrypts=None if plain else "-e",
        channels=_CHANNELS.get(name, Channels.TLS),
        note=note,
    )


_CHANNELS = {
    "yao": Channels.PLAIN,
    "real-bmr": Channels.PLAIN,
    "hemi": Channels.PARTLY_TLS,
    "temi": Channels.PARTLY_TLS,
}
"""Protocols whose party programs do not put all that they send under TLS."""
_RING, _FIELD, _BOOLEAN = Domain
_SEMI, _MALICIOUS = Adversary
_BASE, _HONEST = Model

PROTOCOLS: dict[str, Protocol] = {
    row.name: row
    for row in (
        _row(
            "semi2k",
            _RING,
            _SEMI,
            _BASE,
            "2+",
            "additive shares; oblivious transfer",
            options=("-R", "64", "-Z", "{parties}"),
        ),
        _row("spdz2k", _RING, _MALICIOUS, _BASE, "2+", "authenticated additive shares; oblivious transfer"),
        _row("semi", _FIELD, _SEMI, _BASE, "2+", "additive shares; oblivious transfer"),
        _row("hemi", _FIELD, _SEMI, _BASE, "2+", "additive shares; linear homomorphic encryption"),
        _row("temi", _FIELD, _SEMI, _BASE, "2+", "additive shares; threshold homomorphic encryption"),
        _row("mascot", _FIELD, _MALICIOUS, _BASE, "2+", "authenticated additive shares; oblivious transfer"),
        _row("lowgear", _FIELD, _MALICIOUS, _BASE, "2+", "authenticated additive shares; homomorphic encryption"),
        _row("replicated-ring", _RING, _SEMI, _HONEST, "3", "replicated shares", options=("-R", "64", "-Z", "3")),
        _row("malicious-rep-ring", _RING, _MALICIOUS, _HONEST, "3", "replicated shares with checks"),
        _row(
            "rep4-ring",
            _RING,
            _MALICIOUS,
            _HONEST,
            "4",
            "replicated shares of four parties",
            options=("-R", "64", "-Z", "4"),
        ),
        _row("shamir", _FIELD, _SEMI, _HONEST, "3+", "Shamir's shares"),
        _row("malicious-shamir", _FIELD, _MALICIOUS, _HONEST, "3+", "Shamir's shares with checks"),
        _row("semi-bin", _BOOLEAN, _SEMI, _BASE, "2+", "XOR shares; oblivious transfer"),
        _row("tinier", _BOOLEAN, _MALICIOUS, _BASE, "2+", "authenticated XOR shares; oblivious transfer"),
        _row("replicated-bin", _BOOLEAN, _SEMI, _HONEST, "3", "replicated XOR shares"),
        _row("malicious-rep-bin", _BOOLEAN, _MALICIOUS, _HONEST, "3", "replicated XOR shares with checks"),
        _row("yao", _BOOLEAN, _SEMI, _BASE, "2", "half-gates garbling; party 0 garbles", options=("-B", "64", "-G")),
        _row(
            "real-bmr",
            _BOOLEAN,
            _MALICIOUS,
            _BASE,
            "2+",
            "garbling by all parties, from mascot",
            options=("-B", "64", "-G"),
        ),
    )
}


def protocol_named(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        InputError: there is no such protocol.
    """
    if name not in PROTOCOLS:
        raise InputError(f"protocol {name!r} is unknown: choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def model_named(name: str) -> Model:
    """The threat model of that name.

    Raises:
        InputError: there is no such model.
    """
    if name not in list(Model):
        raise InputError(f"model {name!r} is unknown: choose one of {', '.join(Model)}")
    return Model(name)


def check_model(protocol: Protocol, declared: Model) -> None:
    """Refuses a protocol that is weaker than what the configuration declares.

    Raises:
        InputError: the protocol assumes an honest majority and the configuration does not say so.
    """
    if protocol.model is Model.HONEST_MAJORITY and declared is not Model.HONEST_MAJORITY:
        raise InputError(
            f"protocol {protocol.name} assumes an honest majority: it does not withstand two colluding parties, as the "
            f"base model does. Declare the model honest_majority to accept that, or choose semi2k, semi-bin or yao"
        )


HEADINGS = ("protocol", "parties", "over", "adversary", "majority", "corrupted", "withstands", "TLS", "options", "how")
"""Of the table of protocols: `corrupted` is how many parties may be, `options` is what the compiler is told."""
_UNDER_TLS = {Channels.TLS: "yes", Channels.PARTLY_TLS: "not its keys", Channels.PLAIN: "no"}


def protocol_cells(row: Protocol) -> list[str]:
    """One line of the table of protocols, as text; options for the fewest parties."""
    parties = row.parties_for(2)
    base = row.model is Model.BASE
    corrupted = "all but one" if base else "fewer than half" if row.max_parties is None else "one"
    kept = [name.replace("_", " ") for name, holds in row.withstands(parties).items() if holds]
    return [
        row.name,
        f"{row.min_parties}" if row.max_parties is not None else f"{row.min_parties} or more",
        row.domain,
        row.adversary.replace("_", "-"),
        "dishonest" if base else "honest",
        corrupted,
        "all coalitions" if base else ", ".join(kept),
        _UNDER_TLS[row.channels],
        " ".join(option.format(parties=parties, mixing="-X or -Y") for option in row.options),
        row.note,
    ]
