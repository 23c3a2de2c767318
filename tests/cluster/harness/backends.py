"""Back ends of one project that are processes of their own, each with a log of what it ran."""

import asyncio
from pathlib import Path
from typing import Any

from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.relay.contract.conftest import log_of
from tests.relay.harness.killable import KillablePeer

ONCE, TWICE = "once:add", "twice:add"
BOTH: dict[str, Any] = {ONCE: {}, TWICE: {"idempotent": True}}


class BackEnds:
    """Start them with `at()`; `close()` kills them."""

    def __init__(self, shop: ClusterShop, folder: Path) -> None:
        self.shop, self.folder = shop, folder
        self.all: list[KillablePeer] = []

    async def at(
        self, *relays: Relay, functions: dict[str, Any] | None = None, takes: float = 20
    ) -> list[KillablePeer]:
        """One at each of these relays, connected. `takes`: ms of each call."""
        made = [
            KillablePeer(
                self.shop.at(relay),
                self.folder / f"server-{len(self.all) + number}",
                "server",
                functions=BOTH if functions is None else functions,
                milliseconds=takes,
            )
            for number, relay in enumerate(relays)
        ]
        self.all += made
        for server in made:
            await asyncio.to_thread(server.ready)
        return made

    def began(self, server: KillablePeer, cmd: str) -> set[str]:
        """The numbers of the calls that this one began."""
        return set(log_of([server], "began", cmd))

    def finished(self, cmd: str) -> set[str]:
        """The numbers of the calls that any of them finished."""
        return set(log_of(self.all, "finished", cmd))

    def assert_once(self, cmd: str) -> None:
        """None of its calls was run twice (GP-11)."""
        assert not {number: times for number, times in log_of(self.all, "began", cmd).items() if times > 1}

    def close(self) -> None:
        for server in self.all:
            server.kill()
