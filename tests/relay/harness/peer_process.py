"""A callee or a caller that is a process of its own, so that it can be killed."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.relay.harness.load import Load
from tests.relay.harness.peer import Frame, Peer, open_socket


async def callee(peer: Peer, milliseconds: float) -> None:
    """Adds; each call takes a while, and none holds up another."""
    at_work: set[asyncio.Task[None]] = set()

    async def work(call: Frame) -> None:
        await asyncio.sleep(milliseconds / 1000)
        await peer.send("result", id=call["id"], data={"result": call["data"]["a"] + call["data"]["b"]})

    await peer.register("calculator:add")
    print("ready", flush=True)
    while True:
        task = asyncio.create_task(work(await peer.assert_received("call")))
        at_work.add(task)
        task.add_done_callback(at_work.discard)


async def caller(peer: Peer, **load: Any) -> None:
    """Calls until it is killed; each outcome is a line in its log."""
    print("ready", flush=True)
    await Load(peer, **load, log=lambda id, code: print(id, code, flush=True)).run()


ROLES: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"callee": callee, "caller": caller}


async def main(role: str, url: str, key: str, **arguments: Any) -> None:
    with contextlib.suppress(ConnectionClosed):
        await ROLES[role](await Peer(await open_socket(url)).hello(key=key), **arguments)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.stdin.readline())))
