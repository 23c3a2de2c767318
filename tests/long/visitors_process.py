"""Pages left open in a browser: they say hello, answer the relay's pings (GP-3), and do nothing else.

Thousands in one process, hence sockets without a library. Reads an order from standard input, one JSON object; prints a
report when all are welcome, and one for each further line; ends with its input.
"""

import json
import selectors
import socket
import sys
import time
from functools import partial

from tests.relay.harness.raw import HANDSHAKE, framed

AT_ONCE = 64  # visitors on their way at a time: far below the relay's backlog
PATIENCE = 300.0  # s until all are welcome
MOST_TOLD = 5  # complaints that are kept
PONG = framed({"type": "pong"})


class Visitor:
    """One socket; `rest` is what has come of an unfinished frame, or of the answer to the upgrade."""

    __slots__ = ("pings", "rest", "socket", "upgraded")

    def __init__(self, port: int, address: str, project: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(address, 0))
        self.socket.sendall(HANDSHAKE.format(project).encode())
        self.socket.setblocking(False)
        self.upgraded, self.rest, self.pings = False, b"", 0

    def hear(self) -> list[bytes]:
        """What came: the answer to the upgrade, then frames. Raises ConnectionError at the connection's end."""
        received = self.socket.recv(65_536)
        if not received:
            raise ConnectionError("end of file")
        heard = []
        self.rest += received
        if not self.upgraded and b"\r\n\r\n" in self.rest:
            answer, _, self.rest = self.rest.partition(b"\r\n\r\n")
            self.upgraded = True
            heard.append(answer.splitlines()[0])
        if self.upgraded:
            frames, self.rest = unframed(self.rest)
            heard += frames
        return heard


def unframed(data: bytes) -> tuple[list[bytes], bytes]:
    """The payloads of the frames in it, each below 64 KiB (RFC 6455, 5.2), and the rest that is no whole frame."""
    frames = []
    while len(data) >= 4:
        begin, length = (4, int.from_bytes(data[2:4], "big")) if data[1] == 126 else (2, data[1])
        if len(data) < begin + length:
            break
        frames.append(data[begin : begin + length])
        data = data[begin + length :]
    return frames, data


class Visitors:
    """All of this process. `sources`: how many come from each address."""

    def __init__(self, port: int, project: str, key: str, sources: dict[str, int]) -> None:
        self.port, self.project = port, project
        self.hello = framed({"type": "hello", "key": key, "sdk": "visitors/1.0.0"})
        self.addresses = [address for address, number in sources.items() for _ in range(number)]
        self.here: list[Visitor] = []
        self.welcome = self.lost = 0
        self.told: list[str] = []  # what nobody expects
        self.selector = selectors.DefaultSelector()
        self.selector.register(sys.stdin, selectors.EVENT_READ, self.asked)

    def enter(self) -> None:
        """All of them; gives up when one is told something else than welcome."""
        end = time.monotonic() + PATIENCE
        while self.welcome < len(self.addresses) and not self.told and time.monotonic() < end:
            for address in self.addresses[len(self.here) : self.welcome + AT_ONCE]:
                visitor = Visitor(self.port, address, self.project)
                self.here.append(visitor)
                self.selector.register(visitor.socket, selectors.EVENT_READ, partial(self.hear, visitor))
            self.turn()

    def turn(self) -> None:
        for key, _ in self.selector.select(1):
            key.data()

    def asked(self) -> None:
        """Report, or end with the input."""
        if not sys.stdin.readline():
            sys.exit()
        self.report()

    def report(self) -> None:
        pings = [visitor.pings for visitor in self.here]
        report = {"open": self.welcome - self.lost, "pings": sum(pings), "fewest": min(pings), "told": self.told}
        print(json.dumps(report), flush=True)

    def hear(self, visitor: Visitor) -> None:
        try:
            for heard in visitor.hear():
                self.heard(visitor, heard)
        except ConnectionError as error:
            self.selector.unregister(visitor.socket)
            self.lost += 1
            self.wonder(str(error))

    def heard(self, visitor: Visitor, what: bytes) -> None:
        if what == b'{"type":"ping"}':
            visitor.pings += 1
            visitor.socket.sendall(PONG)
        elif what.startswith(b"HTTP/1.1 101 "):
            visitor.socket.sendall(self.hello)
        elif what.startswith(b'{"type":"welcome"'):
            self.welcome += 1
        else:
            self.wonder(what.decode(errors="replace"))

    def wonder(self, what: str) -> None:
        if len(self.told) < MOST_TOLD:
            self.told.append(what)


if __name__ == "__main__":
    visitors = Visitors(**json.loads(sys.stdin.readline()))
    visitors.enter()
    visitors.report()
    while True:
        visitors.turn()
