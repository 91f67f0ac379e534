"""What the emulator refuses, and why."""

from __future__ import annotations

from capc.foundation.errors import InputError


class EmulatorError(InputError):
    """A program that the emulator does not run. The message names the construct, the file and the line."""


class UnknownConstructError(EmulatorError):
    """The program uses a name, method, operand or module of the dialect that the emulator does not know."""


class ProgramError(EmulatorError):
    """The program fails by itself: an index out of range, missing inputs, a refusal of its own."""
