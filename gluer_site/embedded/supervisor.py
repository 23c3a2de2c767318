"""Starts the processes of an embedded Gluer, keeps them running, and stops them.

Rule 1  Order: broker, then database and demo account, then worker and web, then (when the site answers) the demo.
Rule 2  Broker, worker and demo are started again when they end, after a pause that doubles. Web is not: its end is
        the end of everything, since its sockets are gone.
Rule 3  Asked to stop (Ctrl-C, SIGTERM, SIGHUP), it stops the broker last: the others still speak to it while they end.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from gluer_site.embedded.banner import banner
from gluer_site.embedded.broker import broker_ready, private_broker
from gluer_site.embedded.child import Child
from gluer_site.embedded.demo import demo_server, require_demo
from gluer_site.embedded.options import Options, StartError
from gluer_site.embedded.place import ADDRESS

READY = 60.0  # s to wait for the broker, and for the first page
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # s before a child is started again
STEADY = 60.0  # s; a child that ran for so long starts again with the first pause
LAST_LINES = 1.0  # s for what the children printed while they ended
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Answer = TypeVar("Answer")


class Supervisor:
    """All processes of one installation; `listener` is the web server's socket."""

    def __init__(self, options: Options, listener: socket.socket) -> None:
        self.options = options
        self.listener = listener
        self.stopping = asyncio.Event()
        self.broker: Child | None = None
        self.others: list[Child] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> int:
        """Serve until asked to stop, then return 0. Raises StartError when something failed for good."""
        for number in STOPPING:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                asyncio.get_running_loop().add_signal_handler(number, self.stopping.set)
        serving = asyncio.create_task(self.serve())
        asked = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        failed = serving.done()
        serving.cancel()
        await self.stop()
        if failed:
            await serving  # raises
        return 0

    async def serve(self) -> None:
        if self.options.demo:
            require_demo(self.options)
        await self.start_broker()
        await self.prepare()
        self.keep(Child("worker", module("worker"), {"GLUER_LOG_LEVEL": os.environ.get("GLUER_LOG_LEVEL", "WARNING")}))
        descriptor = self.listener.fileno()
        web = self.start(Child("web", module("web", str(descriptor)), inherits=[descriptor]))
        await self.web_ready(web)
        if self.options.demo:
            self.keep(demo_server(self.options))
        print(banner(self.options), flush=True)
        raise StartError(f"the web server ended ({how(await asyncio.shield(web))}); its last lines stand above.")

    async def start_broker(self) -> None:
        url = self.options.redis_url
        if not url:
            self.broker, url = private_broker(self.options.broker_password, self.options.home)
            self.track(self.keep_running(self.broker))
        await broker_ready(url, READY)
        os.environ["REDIS_URL"] = url  # for every child from here on

    async def prepare(self) -> None:
        arguments = ["demo"] if self.options.demo else []
        setup = Child("setup", module("prepare", *arguments), quiet=True)
        code = await asyncio.shield(self.start(setup))
        if code != 0:
            setup.print_kept()
            raise StartError(f"the database could not be set up ({how(code)}); the reason stands above.")

    async def web_ready(self, web: asyncio.Task[int]) -> None:
        """Return when the first page came; raise StartError if it failed, came too late, or `web` ended before."""
        page = asyncio.create_task(first_page(self.options.port))
        await asyncio.wait({page, web}, timeout=READY, return_when=asyncio.FIRST_COMPLETED)
        if web.done():
            raise StartError(f"the web server did not start ({how(web.result())}); the reason stands above.")
        if not page.done():
            raise StartError(f"the site did not answer within {READY:.0f} s.")
        if page.result() >= 500:
            raise StartError(f"the site's first page failed (HTTP {page.result()}); the reason stands above.")

    def start(self, child: Child) -> asyncio.Task[int]:
        self.others.append(child)
        return self.track(child.run())

    def keep(self, child: Child) -> None:
        self.others.append(child)
        self.track(self.keep_running(child))

    def track(self, work: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def keep_running(self, child: Child) -> None:
        """Run `child` again and again, with a pause that doubles while it does not last."""
        clock, pause = asyncio.get_running_loop().time, FIRST_PAUSE
        while not self.stopping.is_set():
            began = clock()
            code = await child.run()
            pause = FIRST_PAUSE if clock() - began > STEADY else pause
            if not self.stopping.is_set():
                child.print_kept()
                print(f"gluer: {child.name} ended ({how(code)}) and starts again in {pause:.0f} s.", flush=True)
                await self.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def sleep(self, seconds: float) -> None:
        """Sleep, but not longer than until the stop."""
        await asyncio.wait([asyncio.ensure_future(self.stopping.wait())], timeout=seconds)

    async def stop(self) -> None:
        """End all children, the broker last."""
        self.stopping.set()
        print("gluer: stopping …", flush=True)
        await asyncio.gather(*(child.stop() for child in self.others))
        if self.broker:
            await self.broker.stop()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=LAST_LINES)


def module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"gluer_site.embedded.{name}", *arguments]


def how(code: int) -> str:
    """How a process ended, in words."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def first_page(port: int) -> int:
    """The HTTP status of the front page. The socket listens already, so this waits until the web server accepts."""
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
