"""The fast two-party scheme: the same messages as the readable one, made for many instances at once (NumPy, AES-NI)."""

from capc.two_party.vectorised.transfers import TransferStash
from capc.two_party.vectorised.vectorised import VectorisedTwoParty

__all__ = ["TransferStash", "VectorisedTwoParty"]
