"""A caller that keeps accounts: what it asked, what it was told, and when."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import Self

from websockets.exceptions import ConnectionClosed

from tests.relay.harness.peer import Frame, Peer

LATENESS = 0.25  # s (GP-10)


class Account:
    """Calls `cmd` with the numbers from `first` on, one `every` s, whatever becomes of the others, while it is entered.

    `timeout`: ms of each call. `began`, `ended`: when, by number; `ended` also with which code ("result" if none).
    """

    def __init__(self, caller: Peer, cmd: str, *, timeout: int = 5_000, every: float = 0.02, first: int = 1) -> None:
        self.caller, self.cmd, self.timeout, self.every, self.next = caller, cmd, timeout, every, first
        self.began: dict[str, float] = {}
        self.ended: dict[str, list[tuple[str, float]]] = {}
        self.closed_at: float | None = None  # when the connection ended
        self.stopping = False

    async def __aenter__(self) -> Self:
        self.calling = asyncio.create_task(self._call())
        self.hearing = asyncio.create_task(self._hear())
        return self

    async def __aexit__(self, *error: object) -> None:
        """Call no more, and wait until every call has ended or is long overdue."""
        self.stopping = True
        await self.calling
        await asyncio.wait([self.hearing], timeout=0 if error[0] else self.timeout / 1000 + 10)
        self.hearing.cancel()
        with suppress(asyncio.CancelledError):
            await self.hearing

    async def _call(self) -> None:
        while not self.stopping and self.closed_at is None:
            number = self.next
            self.next += 1
            self.began[str(number)] = time.monotonic()
            await self.caller.send(
                "call", id=str(number), cmd=self.cmd, data={"a": number, "b": 0}, timeout=self.timeout
            )
            await asyncio.sleep(self.every)
        await self.caller.send("ping")  # its pong ends the hearing, if nothing else comes

    async def _hear(self) -> None:
        try:
            while not (self.calling.done() and self.ended.keys() == self.began.keys()):
                self._note(await self.caller.receive_some_time())
        except ConnectionClosed:
            self.closed_at = time.monotonic()

    def _note(self, frame: Frame) -> None:
        if frame["type"] == "pong":
            return
        assert frame["type"] == "error" or frame["data"] == {"result": int(frame["id"])}
        self.ended.setdefault(frame["id"], []).append((frame.get("code", "result"), time.monotonic()))

    # --- the accounts ------------------------------------------------------------------------------------------------

    @property
    def codes(self) -> "Counter[str]":
        """How many calls ended how."""
        return Counter(code for notes in self.ended.values() for code, _ in notes)

    def numbers(self, code: str) -> set[str]:
        """Of the calls that ended so."""
        return {number for number, notes in self.ended.items() if notes[0][0] == code}

    def made(self, since: float, until: float = float("inf")) -> set[str]:
        """Of the calls made in this time."""
        return {number for number, when in self.began.items() if since <= when < until}

    def codes_of(self, numbers: set[str]) -> set[str]:
        """How these calls ended."""
        return {code for number in numbers for code, _ in self.ended[number]}

    def took(self, number: str) -> float:
        """Seconds from a call to its end."""
        return self.ended[number][0][1] - self.began[number]

    def longest(self, numbers: set[str] | None = None) -> float:
        """Of these calls, or all."""
        return max(map(self.took, self.ended if numbers is None else numbers), default=0.0)

    def last_trouble(self) -> float:
        """When the last call was made that had no result."""
        return max((self.began[number] for number, notes in self.ended.items() if notes[0][0] != "result"), default=0.0)

    async def assert_each_ended_once(self) -> None:
        """Exactly one outcome each, within its deadline (GP-10)."""
        await self.caller.assert_silent()
        assert self.ended.keys() == self.began.keys(), f"no outcome: {self.began.keys() - self.ended.keys()}"
        assert {number for number, notes in self.ended.items() if len(notes) > 1} == set()
        assert self.longest() <= self.timeout / 1000 + LATENESS

    def assert_ended_at_most_once(self) -> None:
        """Its relay was gone for a while, or for good: the caller's SDK keeps the promise there."""
        assert {number for number, notes in self.ended.items() if len(notes) > 1} == set()
