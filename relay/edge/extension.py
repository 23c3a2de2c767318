"""The direct path: a consumer that has accepted takes its socket, and frames no longer pass through ASGI messages.

A server offers it as scope["extensions"]["gluer.direct"]: called with a function that makes a Receiver out of a
DirectSocket, it gives the socket to that receiver, beginning with what has come meanwhile.
"""

from typing import Protocol

EXTENSION = "gluer.direct"


class Receiver(Protocol):
    """Who takes the socket. None of it raises."""

    def on_text(self, text: bytes) -> None:
        """A whole text message, valid UTF-8."""

    def on_binary(self, data: bytes) -> None:
        """A whole binary message."""

    def on_control(self, fragment: bool) -> bool:
        """A ping or a pong came, or a part of a message; return whether it is to be handled."""

    def on_slow(self) -> None:
        """Too much waits to be read by the peer (GP-5C)."""

    def on_gone(self) -> None:
        """The socket has ended."""
