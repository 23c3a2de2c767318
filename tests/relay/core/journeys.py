"""Sees every change of a call's state, wherever it is made."""

from types import TracebackType
from typing import Any

from relay.core.calls import Call, State


class Journeys:
    """While it is entered, `arrows` collects (from, to)."""

    def __init__(self) -> None:
        self.arrows: set[tuple[State, State]] = set()
        self.slot: Any = Call.__dict__["state"]

    def __enter__(self) -> "Journeys":
        setattr(Call, "state", property(self.slot.__get__, self._set))  # noqa: B010 (mypy knows it as a slot)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        setattr(Call, "state", self.slot)  # noqa: B010

    def _set(self, call: Call, state: State) -> None:
        try:
            before = self.slot.__get__(call)
        except AttributeError:
            assert state is State.NEW
        else:
            self.arrows.add((before, state))
        self.slot.__set__(call, state)
