"""What stands between a socket and picows while it has not said who it is, or sends too fast (GP-2, GP-5E).

picows keeps a frame until it is whole, up to the largest that an open connection may send. So until the welcome its
bytes pass through a Gate and are counted. It also doubles its buffer whenever one read fills it, up to all that the
kernel holds for a socket (32 MiB and more). So who was left unread once is read through Portions. The bytes of all
others go to picows directly.
"""

import asyncio
from collections.abc import Callable
from typing import Any

MOST_DROPPED = 4_194_304  # bytes that are read and dropped so that a peer reads why it is closed; then it is cut
MOST_AT_ONCE = 262_144  # bytes of one read of a socket that sends too fast


class Passage(asyncio.BufferedProtocol):
    """Stands before picows' protocol object of a link, and passes everything on."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_buffer(self, sizehint: int) -> Any:
        return self.protocol.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self.protocol.buffer_updated(nbytes)

    def eof_received(self) -> Any:
        return self.protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self.protocol.resume_writing()


class Gate(Passage):
    """Counts what comes before the welcome.

    `too_much` is asked when more than `most` bytes came: whether they are to be let through, and all further ones to
    be left unread until the welcome (True), or dropped (False).
    """

    def __init__(self, link: Any, protocol: Any, most: int, too_much: Callable[[], bool]) -> None:
        super().__init__(protocol)
        self.link, self.left, self.too_much = link, most, too_much
        self.drops = False

    def buffer_updated(self, nbytes: int) -> None:
        """Let bytes through as long as there are few."""
        self.left -= nbytes
        if not self.drops and self.left < 0:
            self.drops = not self.too_much()
            if not self.drops:
                self.link.wait_for_welcome()
        if not self.drops:
            self.protocol.buffer_updated(nbytes)
        elif self.left < -MOST_DROPPED:
            self.link.abort()


class Portions(Passage):
    """Reads at most MOST_AT_ONCE bytes at once, so that picows' buffer grows no further for small frames."""

    def get_buffer(self, sizehint: int) -> Any:
        return self.protocol.get_buffer(sizehint)[:MOST_AT_ONCE]
