"""What a socket may send before its welcome: few bytes, whatever its frames say of their size (GP-2).

picows keeps a frame until it is whole, up to the largest that an open connection may send. So until the welcome its
bytes pass through here and are counted; afterwards the event loop gives them to picows directly.
"""

import asyncio
from collections.abc import Callable
from typing import Any

MOST_DROPPED = 4_194_304  # bytes that are read and dropped so that a peer reads why it is closed; then it is cut


class Gate(asyncio.BufferedProtocol):
    """Stands before picows' protocol object of a link.

    `too_much` is asked when more than `most` bytes came: whether they are to be let through, and all further ones to
    be left unread until the welcome (True), or dropped (False).
    """

    def __init__(self, link: Any, protocol: Any, most: int, too_much: Callable[[], bool]) -> None:
        self.link, self.protocol, self.left, self.too_much = link, protocol, most, too_much
        self.drops = False

    def get_buffer(self, sizehint: int) -> Any:
        return self.protocol.get_buffer(sizehint)

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

    def eof_received(self) -> Any:
        return self.protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self.protocol.resume_writing()
