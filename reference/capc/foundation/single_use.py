"""States that one step consumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn, Self, SupportsIndex

from capc.foundation.errors import InputError, StateReuseError


class SpentMark:
    """Whether a state was used. All copies of a state share its mark, and so does what `dataclasses.replace` makes.

    Marks are not stored: nothing of a connection survives a restart.
    """

    def __init__(self) -> None:
        # One entry, which one thread only can take: popping is atomic.
        self._left = [True]

    @property
    def spent(self) -> bool:
        """Whether it was taken."""
        return not self._left

    def take(self) -> bool:
        """Takes the one use; False if somebody else did."""
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


@dataclass(frozen=True, repr=False)
class SingleUse:
    """A state that one step consumes. Using it twice would reuse labels, masks or noise, and is refused.

    A step validates its message first and calls :meth:`spend` after, so that a bad message costs nothing.
    The default representation shows no field, since states hold secrets. A copy made in any way is the same state:
    using one uses all.
    """

    _mark: SpentMark = field(default_factory=SpentMark, kw_only=True, repr=False, compare=False)

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
        """Raises :class:`StateReuseError` when a step has used this state already."""
        if self._mark.spent:
            raise self._reuse()

    def spend(self) -> None:
        """Marks the state as used; the second call raises :class:`StateReuseError`, in whichever thread it comes."""
        if not self._mark.take():
            raise self._reuse()

    def renewed(self, **changes: object) -> Self:
        """The state that follows this one: another one, with some fields changed. For the steps themselves only."""
        return replace(self, _mark=SpentMark(), **changes)

    def _reuse(self) -> StateReuseError:
        return StateReuseError(f"{type(self).__name__} was used before: continue from the state that step returned")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
