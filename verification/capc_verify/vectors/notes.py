"""What the flags of the vectors mean."""

from __future__ import annotations

from dataclasses import dataclass

from capc_verify.vectors.values import Json


@dataclass(frozen=True)
class Note:
    """The meaning of a flag.

    Attributes:
        bug_type: DEFINED (latitude that the specification takes away), FUNCTIONALITY, VALIDATION (bytes of a peer),
            MISUSE (a caller's mistake) or EDGE_CASE.
        description: what an implementation with this bug does.
        links: sections of the specification.
    """

    bug_type: str
    description: str
    links: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """As a file holds it."""
        return {"bugType": self.bug_type, "description": self.description, "links": list(self.links)}


_HEADER = ("spec/04-messages.md#the-header",)
_TRANSFERS = ("spec/05-two-party.md#oblivious-transfer",)
_ERRORS = ("spec/04-messages.md#errors",)
_PARAMETERS = ("spec/03-parameters.md",)
_STATES = ("spec/02-roles.md#steps-and-states",)
_NOISE = ("spec/07-noise-and-accounting.md",)
_LEDGER = ("spec/09-ledger.md",)
_CIRCUITS = ("spec/05-two-party.md#circuits",)
_ROUNDS = ("spec/05-two-party.md#the-vote-in-rounds",)
_LAYERS = ("spec/06-protocol.md#step-1a-private-inference-layer-by-layer",)
_RANGES = ("spec/03-parameters.md#ranges",)
_RELEASE = ("spec/06-protocol.md#step-3-release",)

NOTES = {
    "NoHeader": Note("VALIDATION", "The message is too short to hold a header.", _HEADER),
    "Short": Note("VALIDATION", "The payload lacks its last byte.", _HEADER),
    "Long": Note("VALIDATION", "A byte follows the payload.", _HEADER),
    "WrongType": Note("VALIDATION", "The message type in the header is another one.", _HEADER),
    "ForeignSession": Note("VALIDATION", "The session tag in the header is another one.", _HEADER),
    "WrongQuery": Note("VALIDATION", "The query number in the header is another one.", _HEADER),
    "WrongLayer": Note("VALIDATION", "The layer in the header is another one.", _HEADER),
    "WrongSender": Note("VALIDATION", "Role or index of the sender in the header are not the channel's.", _HEADER),
    "WrongReceiver": Note("VALIDATION", "Role or index of the receiver in the header are not this party's.", _HEADER),
    "OutOfRange": Note("VALIDATION", "A field holds a number that its ring or table does not have.", _ERRORS),
    "Padding": Note("VALIDATION", "A padding bit is set: another encoding of the same value.", _ERRORS),
    "InvalidPoint": Note(
        "VALIDATION",
        "A point that is not canonical, not on the curve, neutral, of small order or of mixed order.",
        _ERRORS,
    ),
    "Inconsistent": Note(
        "VALIDATION",
        "Trees or rows of oblivious transfer that are no one party's: the check destroys key and session.",
        _TRANSFERS,
    ),
    "Missing": Note("VALIDATION", "The step is not given a message of one participant.", _ERRORS),
    "ParameterMismatch": Note("VALIDATION", "The peer is in a session with another document.", _ERRORS),
    "NotJson": Note("VALIDATION", "The hello is no JSON text.", _ERRORS),
    "OtherEncoding": Note("VALIDATION", "The hello is the receiver's document in another encoding.", _ERRORS),
    "OtherTransfers": Note("VALIDATION", "A release names transfers that the guardian does not hold.", _ERRORS),
    "ForgedLabel": Note("VALIDATION", "The returned label is neither of the wire's two.", _ERRORS),
    "ForeignReceipt": Note("MISUSE", "The receipt is for another session, query or set of shares.", _RELEASE),
    "StateReuse": Note("MISUSE", "A state that a step has consumed is given to it again.", _STATES),
    "Recovery": Note("FUNCTIONALITY", "After a refused message the honest one is accepted.", _STATES),
    "CallerMistake": Note("MISUSE", "An argument that cannot be used; whoever calls the operation is told.", _ERRORS),
    "BadParameter": Note("MISUSE", "A parameter or participant set that breaks a rule.", _PARAMETERS),
    "HalfToEven": Note("DEFINED", "Values exactly between two integers go to the even one.", _PARAMETERS),
    "Wrap": Note("EDGE_CASE", "A sum or difference leaves the ring's range and wraps.", _PARAMETERS),
    "DroppedBit": Note(
        "FUNCTIONALITY",
        "A sum of words is odd; a circuit that does not drop its lowest bit is wrong, or loses a tie.",
        _CIRCUITS,
    ),
    "OutsideOfRoom": Note(
        "EDGE_CASE", "An error that the guard bits have no room for gives the next value.", _CIRCUITS
    ),
    "Extreme": Note("EDGE_CASE", "Values at the end of the admitted range.", _PARAMETERS),
    "Rejection": Note("EDGE_CASE", "Several draws in a row are rejected.", _NOISE),
    "OffsetOfChoice": Note(
        "EDGE_CASE",
        "Delta' is even or zero, as nobody can tell: bits d are masked by the transfers' bits, not by labels.",
        _ROUNDS,
    ),
    "Exhausted": Note("FUNCTIONALITY", "The stream ends before the draw is complete: an error, no fallback.", _NOISE),
    "EdgeWindow": Note(
        "EDGE_CASE",
        "A window reaches into the padding: places there are 0 in a sum, and do not count for the largest.",
        _LAYERS,
    ),
    "BadArchitecture": Note("MISUSE", "Stages of which one cannot be computed from the values before it.", _LAYERS),
    "CouldWrap": Note("MISUSE", "Some features in [-1, 1] could drive a sum to the end of its range.", _RANGES),
    "Tie": Note("DEFINED", "Equal largest values: the lowest class index wins.", _CIRCUITS),
    "NoConsensus": Note("DEFINED", "The threshold is not reached: answered bit and label bits are 0.", _RELEASE),
    "AtThreshold": Note("DEFINED", "The largest count equals the threshold: the query is answered.", _RELEASE),
    "Instances": Note("FUNCTIONALITY", "Several instances share a stage: rows and tweaks go on over them.", _CIRCUITS),
    "BudgetExhausted": Note("FUNCTIONALITY", "A charge that does not fit the budget changes nothing.", _NOISE),
    "ExactBudget": Note("EDGE_CASE", "A charge that fills the budget exactly is admitted.", _NOISE),
    "BrokenLog": Note("VALIDATION", "A log that was edited, or that breaks a rule of the account.", _LEDGER),
    "BrokenHead": Note("VALIDATION", "A head that a party must not accept: it refuses to take part.", _LEDGER),
    "DoubleCharge": Note("MISUSE", "A query is charged or settled a second time.", _NOISE),
}
"""By flag."""
