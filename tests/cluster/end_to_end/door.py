"""What the suite runs against: one relay process, or two with Redis and Postgres behind nginx."""

import asyncio
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx

from tests.cluster.end_to_end.program import BackEnd, FrontEnd, Program
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.shop import ClusterShop
from tests.embedded.installation import until
from tests.observability.scraped import Scraped
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop, ShopAt

asked = itertools.count()


@dataclass
class Project:
    """One of the cast's. Its front ends come by `front_door`, so to the relay `front`; its back ends go to `back`."""

    front_door: ShopAt[Any]
    back_door: ShopAt[Any]
    front: RelayServer
    back: RelayServer
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    programs: list[Program] = field(default_factory=list)

    async def front_end(self, **said: Any) -> FrontEnd:
        """Connected, at the relay where front ends belong."""
        page = FrontEnd(*self._place(self.front_door, self.front_door.public))
        await self._started(page, self.front, said)
        return page

    async def back_end(self, *, by_the_front_door: bool = False, **said: Any) -> BackEnd:
        """Connected at the back ends' relay, or else where the front ends are, and known to these."""
        door, relay = (self.front_door, self.front) if by_the_front_door else (self.back_door, self.back)
        server = BackEnd(*self._place(door, door.private))
        known = len(await self.front_door.servers())
        await self._started(server, relay, said)
        await self.sees(known + 1)
        return server

    def _place(self, door: ShopAt[Any], key: str) -> tuple[str, str, Path, dict[str, str]]:
        log = self.folder / f"{self.front_door.id}-{len(self.programs)}.log"
        return door.relay.ws.removesuffix("/v1/ws"), key, log, self.environment

    async def _started(self, program: Program, relay: RelayServer, said: dict[str, Any]) -> None:
        before = opened(relay)
        self.programs.append(program)
        await program.start(**said)
        assert opened(relay) > before, "connected, but to another relay"

    async def sees(self, number: int) -> None:
        """Wait until the front ends' relay knows so many servers."""
        async with asyncio.timeout(5):
            while len(await self.front_door.servers()) != number:
                pass

    async def kill_the_front_ends_relay(self) -> None:
        """Kill -9. A process manager starts it again at once where no other one is left to serve."""
        self.front.kill()
        if self.front is self.back:
            await asyncio.to_thread(self.front.start)

    async def close(self) -> None:
        await asyncio.gather(*(program.close() for program in self.programs))


def opened(relay: RelayServer) -> float:
    """How many WebSockets it has ever had."""
    return Scraped(relay).value("gluer_connections_opened_total", transport="ws")


class Door(Protocol):
    """Makes projects of which nobody has heard before."""

    async def project(self, owner: str, folder: Path) -> Project: ...

    def mend(self) -> None:
        """As it was before a test harmed it."""


class OneProcess:
    """As `make run` serves it, over SQLite."""

    def __init__(self, relay: RelayServer, office: Office) -> None:
        self.relay, self.office = relay, office

    async def project(self, owner: str, folder: Path) -> Project:
        shop = Shop.open(self.relay, self.office, owner)
        return Project(shop, shop, self.relay, self.relay, folder)

    def mend(self) -> None:
        """It runs already."""


class BehindNginx:
    """Front ends come through nginx; back ends go straight to the relay to which nginx does not send them."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    async def project(self, owner: str, folder: Path) -> Project:
        shop = self.cluster.shop(owner)
        front = await self.home(shop)
        back = next(relay for relay in self.cluster.relays if relay is not front)
        trust = {"NODE_EXTRA_CA_CERTS": str(self.cluster.nginx.certificate.chain)}
        return Project(shop, shop.at(back), front, back, folder, trust)

    async def home(self, shop: ClusterShop) -> RelayServer:
        """The relay that nginx gives this project."""
        name = f"end-to-end-{next(asked)}"
        await shop.post("/v1/call/nobody:here", json=None, headers={"X-Request-ID": name, "Gluer-Timeout": "1"})
        return self.cluster.relays[self._served(name)]

    def mend(self) -> None:
        harmed = [number for number, relay in enumerate(self.cluster.relays) if not relay.runs]
        self.cluster.mend()
        for number in harmed:  # nginx leaves it alone for a while
            until(lambda number=number: self._page() == number, "nginx to use it again", 10)  # type: ignore[misc]

    def _page(self) -> int:
        """By which relay a page was served: any."""
        name = f"end-to-end-{next(asked)}"
        nginx = self.cluster.nginx
        httpx.get(f"{nginx.http}/healthz", headers={"X-Request-ID": name}, verify=nginx.tls, trust_env=False)
        return self._served(name)

    def _served(self, request_id: str) -> int:
        """Which relay the request went to last."""
        lines = self.cluster.nginx.served
        until(lambda: any(line["request_id"] == request_id for line in lines()), "the log", 5)
        line = next(line for line in lines() if line["request_id"] == request_id)
        port = int(line["relay"].split(", ")[-1].split(":")[1])
        return [relay.port for relay in self.cluster.relays].index(port)
