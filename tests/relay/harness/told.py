"""What a peer is told when it does something wrong."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.relay.harness.peer import Peer

Told = Callable[[Peer], Awaitable[None]]


def error(code: str, id: str = "1", **fields: Any) -> Told:
    """The request's `error`; the connection goes on."""

    async def check(peer: Peer) -> None:
        told = await peer.assert_received("error", id=id, code=code, **fields)
        assert told["message"]
        await peer.assert_silent()

    return check


def notice(code: str, **fields: Any) -> Told:
    """A `notice`; the connection goes on."""

    async def check(peer: Peer) -> None:
        told = await peer.assert_received("notice", code=code, **fields)
        assert told["message"]
        await peer.assert_silent()

    return check


def nothing() -> Told:
    """Not a word; the connection goes on."""
    return Peer.assert_silent


def closed(number: int, /, **bye: Any) -> Told:
    """`bye` and a close."""

    async def check(peer: Peer) -> None:
        await peer.assert_closed(number, **bye)

    return check


def refused(number: int, /, **bye: Any) -> Told:
    """`bye` and a close, without a word before."""

    async def check(peer: Peer) -> None:
        assert await peer.assert_closed(number, **bye) == []

    return check


def sometimes(code: str) -> Told:
    """At least once `error` with this code, among other outcomes; the connection goes on."""

    async def check(peer: Peer) -> None:
        await peer.send("ping")
        codes = []
        while (frame := await peer.receive())["type"] != "pong":
            codes.append(frame["code"])
        assert code in codes

    return check
