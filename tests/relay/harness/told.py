"""What a peer is told when it does something wrong."""

import asyncio
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


def sometimes(code: str, among: int) -> Told:
    """Of so many outcomes one or more are `error` with this code; the connection goes on, once the rate lets it."""

    async def check(peer: Peer) -> None:
        outcomes = [await peer.receive() for _ in range(among)]
        refused = [outcome for outcome in outcomes if outcome["code"] == code]
        await asyncio.sleep(refused[-1]["retry_after"] / 1_000)
        await peer.assert_silent()

    return check
