"""States that one step consumes.

Spec: CAPC-ERR-003, CAPC-ROLE-021.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Self, SupportsIndex

from capc.foundation.errors import InputError, StateReuseError


class SpentMark:
    """Whether a state was used. All copies of a state share its mark, and so does what `dataclasses.replace` makes.

    Marks are not stored: nothing of a connection survives a restart. A process that was forked has a copy that cannot
    know what becomes of the other; so a mark can be taken in the process that made it only, and is spent elsewhere.
    """

    def __init__(self) -> None:
        # One entry, which one thread only can take: popping is atomic.
        self._left = [True]
        self._process = os.getpid()

    @property
    def spent(self) -> bool:
        """Whether it was taken."""
        return not self._left or self._process != os.getpid()

    def take(self) -> bool:
        """Takes the one use; False if somebody else did."""
        if self._process != os.getpid():
            return False
        try:
            return self._left.pop()
        except IndexError:
            return False

    def __copy__(self) -> SpentMark:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> SpentMark:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise InputError("a state is not stored: a new connection makes a new set-up")


def require_alive(destroyed: SpentMark) -> None:
    """Refuses what belongs to a session that a failed check of transfers has ended, or to another process.

    Raises:
        StateReuseError: the mark is taken.
    """
    if destroyed.spent:
        raise StateReuseError(
            "a check of these oblivious transfers failed, or this is another process: the key is destroyed, and its "
            "session: begin a new one with a new set-up"
        )


@dataclass(frozen=True, repr=False)
class SingleUse:
    """A state that one step consumes. Using it twice would reuse labels, masks or noise, and is refused.

    A step validates its message first and calls :meth:`spend` after, so that a bad message costs nothing.
    The default representation shows no field, since states hold secrets. A copy made in any way is the same state:
    using one uses all.

    A state is refused, too, when its session was destroyed: it asks for its own mark, and the states that it holds.

    Attributes:
        destroyed: taken by a failed check of the transfers on which the state rests.
    """

    _mark: SpentMark = field(default_factory=SpentMark, kw_only=True, repr=False, compare=False)
    destroyed: SpentMark = field(default_factory=SpentMark, kw_only=True, repr=False, compare=False)

    @classmethod
    def require(cls, state: object) -> None:
        """What every step asks first.

        Raises:
            InputError: another step's state.
            StateReuseError: a step has used this state already.
        """
        if not isinstance(state, cls):
            raise InputError(
                f"this step continues from {cls.__name__}, not from {type(state).__name__}: call the step that "
                "takes what you have"
            )
        state.require_unspent()

    @classmethod
    def require_all(cls, states: Sequence[object]) -> None:
        """The same of states that one step takes together.

        Raises:
            InputError: as :meth:`require`, or there is none.
        """
        if not states:
            raise InputError("no state is given: a batch has one for each answering party")
        for state in states:
            cls.require(state)

    def require_unspent(self) -> None:
        """Raises :class:`StateReuseError` when a step has used this state already, or its session was destroyed."""
        self.require_alive()
        if self._mark.spent:
            raise self._reuse()

    def require_alive(self) -> None:
        """Raises :class:`StateReuseError` when the session of this state, or of one that it holds, was destroyed."""
        require_alive(self.destroyed)
        for held in vars(self).values():
            if isinstance(held, SingleUse):
                held.require_alive()

    def spend(self) -> None:
        """Marks the state as used; the second call raises :class:`StateReuseError`, in whichever thread it comes."""
        self.require_alive()
        if not self._mark.take():
            raise self._reuse()

    def renewed(self, **changes: object) -> Self:
        """The state that follows this one: another one, with some fields changed. For the steps themselves only."""
        fields_of_next: dict[str, Any] = {**changes, "_mark": SpentMark()}
        return replace(self, **fields_of_next)

    def _reuse(self) -> StateReuseError:
        return StateReuseError(f"{type(self).__name__} was used before: continue from the state that step returned")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
