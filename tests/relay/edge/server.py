"""An ASGI application on the fast edge, served by uvicorn in a thread of its own on the loop of the product."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

from relay.core.limits import Limits
from relay.edge.address import TrustedProxies
from relay.edge.fast import fast_protocol
from relay.edge.uvicorn_http import http_protocol
from tests.embedded.installation import until

MOST = 200_000  # bytes of a message


class EdgeServer:
    """Serves from its making until `stop`. `options` are uvicorn's."""

    def __init__(self, application: Any, limits: Limits | None = None, **options: Any) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.listener.getsockname()[1]
        usual: dict[str, Any] = {"ws_max_size": MOST, "http": http_protocol(Limits(), TrustedProxies([]), 10_000)}
        config = uvicorn.Config(
            application,
            loop="uvloop",
            ws=fast_protocol(limits or Limits()),
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=2,
            **usual | options,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        self.thread.start()
        until(lambda: self.server.started or not self.thread.is_alive(), "the server")
        assert self.server.started

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        assert not self.thread.is_alive()


def in_loop(loop: asyncio.AbstractEventLoop, question: Callable[[], Any]) -> Any:
    """The answer of a function that runs on the server's loop."""

    async def answer() -> Any:
        return question()

    return asyncio.run_coroutine_threadsafe(answer(), loop).result(10)
