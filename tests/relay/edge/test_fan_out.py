"""A large fan-out is spread over turns of the event loop: other work runs in between, and no frame is lost or moved."""

import asyncio
from itertools import pairwise

from relay.core.limits import Limits
from relay.edge.direct import DirectSocket
from relay.edge.framing import framed
from relay.edge.gather import MOST_WRITES, Gather
from relay.edge.picows_link import Link, ignore_close

TURNS = 4  # that the fan-out takes
SUBSCRIBERS = TURNS * MOST_WRITES
FIRST, SECOND = b"first", b"second"


class Crowd:
    """The relay's sockets of one event loop, whose links write into memory: real ones would need as many files."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        gather, limits = Gather(self.loop), Limits()
        self.written = [b""] * SUBSCRIBERS
        self.sockets = [DirectSocket(self.link(number), gather, limits, set()) for number in range(SUBSCRIBERS)]

    def link(self, number: int) -> Link:
        def write(data: bytes) -> None:
            self.written[number] += data

        link = Link(1_000)
        link.write, link.on_closed = write, ignore_close
        return link

    def publish(self, text: bytes) -> None:
        for socket in self.sockets:
            socket.send(text)

    def reached(self, text: bytes) -> int:
        """How many it was written to."""
        return sum(framed(text) in written for written in self.written)

    async def reaches(self, text: bytes) -> list[int]:
        """How many it was written to: now, and after each of the next turns, in which something else ran."""
        reached = [self.reached(text)]
        for _ in range(TURNS + 1):
            await asyncio.sleep(0)
            reached.append(self.reached(text))
        return reached


async def test_other_work_runs_between_the_turns_of_a_large_fan_out() -> None:
    crowd = Crowd()
    crowd.publish(FIRST)
    reached = await crowd.reaches(FIRST)
    assert max(after - before for before, after in pairwise(reached)) == MOST_WRITES
    assert crowd.written == [framed(FIRST)] * SUBSCRIBERS


async def test_a_message_behind_a_large_fan_out_comes_second_everywhere() -> None:
    crowd = Crowd()
    crowd.publish(FIRST)
    await asyncio.sleep(0)
    assert 0 < crowd.reached(FIRST) < SUBSCRIBERS
    crowd.publish(SECOND)
    reached = await crowd.reaches(SECOND)
    assert max(after - before for before, after in pairwise(reached)) <= MOST_WRITES
    assert crowd.written == [framed(FIRST) + framed(SECOND)] * SUBSCRIBERS


async def test_a_socket_that_closes_during_a_fan_out_has_its_message_before_the_close() -> None:
    crowd = Crowd()
    crowd.publish(FIRST)
    await asyncio.sleep(0)
    closing, gone = crowd.sockets[-1], crowd.sockets[-2]
    closing.close(1000, "")
    gone.gone(1006, "")
    assert (await crowd.reaches(FIRST))[-1] == SUBSCRIBERS - 1
    assert crowd.written[-1] == framed(FIRST) + b"\x88\x02\x03\xe8"
    assert crowd.written[-2] == b""
    assert crowd.written[:-2] == [framed(FIRST)] * (SUBSCRIBERS - 2)
    closing.link.disconnected()  # nothing waits for the peer's close any more
