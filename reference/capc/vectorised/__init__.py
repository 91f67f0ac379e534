"""The fast two-party scheme: the same messages as the readable one, made for many instances at once (NumPy, AES-NI)."""

from capc.vectorised.transfers import TransferStash
from capc.vectorised.two_party import VectorisedTwoParty

__all__ = ["TransferStash", "VectorisedTwoParty"]
