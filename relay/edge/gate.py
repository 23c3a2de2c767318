"""What a socket may send before its welcome: few bytes, whatever its frames say of their size (GP-2).

picows keeps a frame until it is whole, up to the largest that an open connection may send. So until the welcome its
bytes pass through here and are counted; afterwards the event loop gives them to picows directly.
"""

import asyncio
from collections.abc import Callable
from typing import Any

MOST_DROPPED = 4_194_304  # bytes that are read and dropped so that a peer reads why it is closed; then it is cut


class Gate(asyncio.BufferedProtocol):
    """Stands before picows' protocol object. `too_much` is told once, when more than `most` bytes came."""

    def __init__(self, protocol: Any, most: int, too_much: Callable[[], None], cut: Callable[[], None]) -> None:
        self.protocol, self.left, self.too_much, self.cut = protocol, most, too_much, cut
        self.is_shut = False

    def get_buffer(self, sizehint: int) -> Any:
        return self.protocol.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        """Let bytes through as long as there are few."""
        self.left -= nbytes
        if self.left >= 0:
            self.protocol.buffer_updated(nbytes)
        elif not self.is_shut:
            self.is_shut = True
            self.too_much()
        elif self.left < -MOST_DROPPED:
            self.cut()

    def eof_received(self) -> Any:
        return self.protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self.protocol.resume_writing()
