"""A project of the cast, whose peers may come through nginx or straight to one relay."""

import asyncio
import dataclasses
from typing import Any, Self

from tests.cluster.harness.nginx import Nginx
from tests.cluster.harness.relay import Relay
from tests.relay.harness.peer import Peer
from tests.relay.harness.shop import Door, ShopAt


class ClusterShop(ShopAt[Door]):
    """Peers come through nginx; those of `at(relay)` go to that relay."""

    def at(self, relay: Relay) -> Self:
        """The same project and list of peers, at this door."""
        door: Any = relay
        return dataclasses.replace(self, relay=door)

    async def socket(self, **options: Any) -> Peer:
        if isinstance(self.relay, Nginx):
            options["ssl"] = self.relay.tls
        return await super().socket(**options)

    async def sees(self, number: int, seconds: float = 5.0) -> None:
        """Wait until its door shows so many servers."""
        async with asyncio.timeout(seconds):
            while len(await self.servers()) != number:
                pass

    async def sees_functions(self, *names: str, seconds: float = 5.0) -> None:
        """Wait until its door shows these functions, by name."""
        async with asyncio.timeout(seconds):
            while tuple(function["name"] for function in (await self._rest("functions"))["results"]) != names:
                pass
