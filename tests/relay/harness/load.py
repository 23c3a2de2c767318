"""Callers that keep a number of calls in flight, and write down what became of each."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed

from tests.relay.harness.peer import Frame, Peer


@dataclass
class Load:
    """One caller. `outcomes`: of each call its outcome's code ("result" if it has none) and when it came."""

    caller: Peer
    cmd: str = "calculator:add"
    in_flight: int = 20
    made: int = 0
    outcomes: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)  # when each was made, as time.monotonic does
    stopping: bool = False
    log: Callable[[str, str], object] = lambda id, code: None

    async def run(self, most: int = 1_000_000) -> "Load":
        """Call until `stop()`, `most` calls, or the end of the connection."""
        try:
            for _ in range(min(self.in_flight, most)):
                await self._call()
            while len(self.outcomes) < self.made:
                self._note(await self.caller.receive())
                if not self.stopping and self.made < most:
                    await self._call()
        except ConnectionClosed:
            pass
        return self

    def stop(self) -> None:
        self.stopping = True

    async def _call(self) -> None:
        self.made += 1
        self.began[str(self.made)] = time.monotonic()
        await self.caller.send("call", id=str(self.made), cmd=self.cmd, data={"a": self.made, "b": 0})

    def _note(self, frame: Frame) -> None:
        assert frame["type"] == "error" or frame["data"] == {"result": int(frame["id"])}
        code = frame.get("code", "result")
        self.outcomes.setdefault(frame["id"], []).append((code, time.monotonic()))
        self.log(frame["id"], code)

    def count(self, code: str = "result", before: float = float("inf")) -> int:
        """Calls that ended so, until then."""
        return sum(found == code and when < before for notes in self.outcomes.values() for found, when in notes)

    def when(self, number: int) -> float:
        """When the `number`th call ended, or the last whose end was heard: a relay may be killed before it tells."""
        ends = sorted(when for notes in self.outcomes.values() for _, when in notes)
        return ends[min(number, len(ends)) - 1]

    def longest(self, code: str = "result") -> float:
        """Seconds of the slowest call that ended so."""
        took = [notes[0][1] - self.began[id] for id, notes in self.outcomes.items() if notes[0][0] == code]
        return max(took, default=0.0)

    def assert_one_outcome_each(self) -> None:
        assert sorted(self.outcomes, key=int) == [str(number) for number in range(1, self.made + 1)]
        assert all(len(notes) == 1 for notes in self.outcomes.values())
