"""An echo on the fast edge: as any ASGI application at /plain, and on the direct path at /direct."""

from typing import Any

from relay.core.limits import Limits
from relay.edge.direct import DirectSocket
from relay.edge.extension import EXTENSION
from tests.relay.edge.client import BINARY, frame

PATHS = ("/plain", "/direct")
ROOMY = Limits(unsent=100_000_000, unsent_kept=100_000_000)  # bytes: no echo is a slow reader's


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The application."""
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/direct":
        scope["extensions"][EXTENSION](DirectEcho)
        return
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", **{name: message.get(name) for name in ("text", "bytes")}})


class DirectEcho:
    """The receiver of a direct path."""

    def __init__(self, socket: DirectSocket) -> None:
        self.socket = socket

    def on_text(self, text: bytes) -> None:
        self.socket.send(text)

    def on_control(self, fragment: bool) -> bool:
        return True

    def on_binary(self, data: bytes) -> None:
        """The relay sends text only, so the path has no way for binary: behind what was sent, to the link."""
        self.socket.flush()
        self.socket.link.write(frame(BINARY, data, masked=False))

    def on_slow(self) -> None:
        raise AssertionError("No limit is reached.")

    def on_gone(self) -> None: ...
