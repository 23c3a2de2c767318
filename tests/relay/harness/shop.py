"""One of the cast's projects, with its keys, and the peers that show them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

import httpx

from tests.relay.harness.office import Office
from tests.relay.harness.peer import Peer, open_socket
from tests.relay.harness.server import RelayServer


class Door(Protocol):
    """Where peers connect: a relay, or what stands in front of it."""

    http: str
    ws: str
    kind: str


AnyDoor = TypeVar("AnyDoor", bound=Door)


@dataclass
class ShopAt(Generic[AnyDoor]):
    """All cast members call their project so. `ip`: where their peers come from."""

    relay: AnyDoor
    office: Office
    id: str
    workspace: int
    public: str
    private: str
    password: str
    token: str = ""
    ip: str = "127.0.0.1"
    peers: list[Peer] = field(default_factory=list)

    @classmethod
    def open(cls, relay: AnyDoor, office: Office, owner: str) -> Self:
        """A new person's new project."""
        person = office.person(owner)
        return cls(relay, office, token=person["token"], **office.project(person["workspace"]))

    def second(self) -> Self:
        """Another project of the same workspace."""
        return type(self)(self.relay, self.office, token=self.token, **self.office.project(self.workspace))

    # --- peers -------------------------------------------------------------------------------------------------------

    async def socket(
        self, *, path: str | None = None, ip: str = "", origin: str | None = None, spoken: bool = True, **options: Any
    ) -> Peer:
        """A socket without a hello, at this project's path unless told otherwise."""
        url = f"{self.relay.ws}/{self.id if path is None else path}"
        socket = await open_socket(url, ip=ip or self.ip, origin=origin, spoken=spoken, **options)
        peer = Peer(socket, abrupt=self.relay.kind == "daphne")
        self.peers.append(peer)
        return peer

    async def frontend(self, *, ip: str = "", origin: str | None = None, **hello: Any) -> Peer:
        return await (await self.socket(ip=ip, origin=origin)).hello(**{"key": self.public, **hello})

    async def backend(self, *functions: str, ip: str = "", **hello: Any) -> Peer:
        """Registered with these functions."""
        peer = await (await self.socket(ip=ip)).hello(**{"key": self.private, **hello})
        return await peer.register(*functions) if functions else peer

    async def calculator(self, **hello: Any) -> Peer:
        """A back end that adds."""
        peer = await self.backend("calculator:add", **hello)
        peer.serve(add)
        return peer

    async def close(self) -> None:
        await asyncio.gather(*(peer.close() for peer in self.peers))

    # --- HTTP --------------------------------------------------------------------------------------------------------

    async def post(self, path: str, key: str | None = None, **request: Any) -> httpx.Response:
        """POST to the bus with the public key, or another one; `headers` may replace it."""
        headers = {"Authorization": f"Bearer {key or self.public}"} | request.pop("headers", {})
        async with http(self.ip) as client:
            return await client.post(self.relay.http + path, headers=headers, **request)

    async def servers(self) -> list[dict[str, Any]]:
        """The connected back ends, as REST shows them."""
        servers: list[dict[str, Any]] = (await self._rest("servers"))["results"]
        return servers

    async def calls(self) -> dict[str, int]:
        """What became of calls in the last hour, as REST shows it."""
        calls = await self._rest("calls")
        return {**calls["last_hour"], **calls["besides"]}

    async def refused(self) -> dict[tuple[str, str, str], int]:
        """What was refused in the last hour, as REST shows it: how often, by request, code and name."""
        rows = (await self._rest("calls"))["refused"]
        return {(row["request"], row["code"], row["name"]): row["number"] for row in rows}

    async def _rest(self, path: str) -> Any:
        async with http() as client:
            url = f"{self.relay.http}/api/v1/projects/{self.id}/{path}"
            answer = await client.get(url, headers={"Authorization": f"Bearer {self.token}"})
            return answer.raise_for_status().json()


def http(ip: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client from this address."""
    transport = httpx.AsyncHTTPTransport(local_address=ip, verify=False, trust_env=False)  # no TLS, nothing to load
    return httpx.AsyncClient(transport=transport, trust_env=False, timeout=20)


async def add(call: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"result": call["data"]["a"] + call["data"]["b"]}}


class Shop(ShopAt[RelayServer]):
    """At one relay."""
