"""A callee or a caller that is a process of its own, so that it can be killed."""

import asyncio
import contextlib
import itertools
import json
import signal
import sys
import time
from collections import deque
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


class Server:
    """A callee whose log tells every call it began, finished and was told to stop, by `data.a`. SIGTERM drains it."""

    def __init__(self, peer: Peer, milliseconds: float) -> None:
        self.peer, self.seconds = peer, milliseconds / 1000
        self.at_work: dict[str, asyncio.Task[None]] = {}
        self.drained = asyncio.Event()

    async def run(self, functions: dict[str, Frame]) -> None:
        specs = [{"name": name, **options} for name, options in functions.items()]
        await self.peer.send("register", id="register", functions=specs)
        early: deque[Frame] = deque()  # calls may come before the answer
        while (frame := await self.peer.receive_some_time()).get("id") != "register":
            early.append(frame)
        assert frame["type"] == "result"
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: asyncio.create_task(self.drain()))
        print("ready", flush=True)
        while True:
            frame = early.popleft() if early else await self.peer.receive_some_time()
            if frame["type"] == "call":
                self.at_work[frame["id"]] = asyncio.create_task(self.work(frame))
            elif frame["type"] == "cancel":
                if task := self.at_work.pop(frame["id"], None):
                    task.cancel()
            elif frame.get("id") == "drain":
                self.drained.set()

    async def work(self, call: Frame) -> None:
        number = call["data"]["a"]
        print("began", call["cmd"], number, flush=True)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            print("stopped", call["cmd"], number, flush=True)
            return
        print("finished", call["cmd"], number, flush=True)
        await self.peer.send("result", id=call["id"], data={"result": number})
        del self.at_work[call["id"]]

    async def drain(self) -> None:
        await self.peer.send("drain", id="drain")
        await self.drained.wait()
        await asyncio.gather(*self.at_work.values())
        await self.peer.socket.close()


async def server(peer: Peer, functions: dict[str, Frame], milliseconds: float = 5) -> None:
    await Server(peer, milliseconds).run(functions)


async def registrar(peer: Peer, functions: int, per_second: int) -> None:
    """Registers one of its many functions again and again; its log tells how often it was let."""
    names = [f"crowd:function-{number}" for number in range(functions)]
    await peer.register(*names)
    print("ready", flush=True)

    async def count() -> None:
        let = 0
        while True:
            let += (await peer.receive_some_time())["type"] == "result"
            print(let, flush=True)

    counting, began = asyncio.create_task(count()), time.monotonic()
    for number in itertools.count(1):
        await peer.send("register", id="register", functions=[{"name": names[number % functions]}])
        await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
        if counting.done():
            return


ROLES: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "callee": callee,
    "server": server,
    "caller": caller,
    "registrar": registrar,
}


async def main(role: str, url: str, key: str, **arguments: Any) -> None:
    with contextlib.suppress(ConnectionClosed):
        await ROLES[role](await Peer(await open_socket(url)).hello(key=key), **arguments)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.stdin.readline())))
