"""One socket as the hub sees it."""

import time
from typing import Final

from relay.core.connection import KNOWN, Connection
from relay.core.errors import Closing
from relay.core.hub import Hub

monotonic: Final = time.monotonic


class Peer:
    """What a socket tells the hub (extension.Receiver)."""

    __slots__ = ("connection", "hub")

    def __init__(self, hub: Hub, connection: Connection) -> None:
        self.hub, self.connection = hub, connection

    def on_text(self, text: bytes) -> None:
        self.hub.receive(self.connection, text, monotonic())

    def on_binary(self, data: bytes) -> None:
        self.hub.close(self.connection, Closing(4400, "Frames are text, not binary."), monotonic())

    def on_control(self, fragment: bool) -> bool:
        return self.hub.control(self.connection, fragment, monotonic())

    def on_too_early(self) -> bool:
        if self.connection.state is KNOWN:
            return True  # its hello is looked up: what comes behind it waits in the network
        self.hub.close(self.connection, Closing(4413), monotonic())
        return False

    def on_slow(self) -> None:
        self.hub.close(self.connection, Closing(4430), monotonic())

    def on_gone(self) -> None:
        self.hub.disconnect(self.connection, monotonic())
