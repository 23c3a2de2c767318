"""Several relays' pure cores, and a Redis between them that can go away, lose a batch, or see one of them stand still.

network = Network(2)
page, server = network.alice(0).frontend(), network.alice(1).backend("calculator:add")
network.settle()
"""

from __future__ import annotations

from collections import deque

from relay.backplane.mesh import Mesh
from tests.relay.core.cast import TICK, CoreRelay, Peer, Project


class Node:
    """One process."""

    def __init__(self, network: Network, name: str) -> None:
        self.relay = CoreRelay(name=name)
        self.relay.now = network.now
        self.relay.hub.tick(self.relay.now, self.relay.wall)
        self.mesh = Mesh(self.relay.hub, name, network.now, lambda: None)
        self.relay.hub.others = self.mesh
        self.arrived: deque[bytes] = deque()
        self.frozen = False


class Network:
    """`nodes` processes, connected; `lose` says which of the next batches of a node never arrives."""

    def __init__(self, nodes: int) -> None:
        self.now = 1_000.0
        self.nodes: list[Node] = []
        self.away = False  # Redis
        self.losing: dict[tuple[str, str], int] = {}  # by source and destination ("" is all): so many batches
        self.published = 0
        for _ in range(nodes):
            self.join()

    def join(self) -> Node:
        """One more process."""
        node = Node(self, f"relay-{len(self.nodes)}-")
        self.nodes.append(node)
        self.advances(1.0)
        return node

    def alice(self, number: int) -> Project:
        return self.nodes[number].relay.alice

    def charlie(self, number: int) -> Project:
        return self.nodes[number].relay.charlie

    def loses(self, source: int, destination: int | None, batches: int = 1) -> None:
        """The next batches of a node to another one, or (None) to all, never arrive anywhere."""
        name = "" if destination is None else self.nodes[destination].mesh.id
        self.losing[self.nodes[source].mesh.id, name] = batches

    def settle(self) -> None:
        """Carry everything that is to be said, until nobody has anything to say."""
        while sum(self._carry(node) for node in self.nodes if not node.frozen):
            pass

    def _carry(self, node: Node) -> int:
        """Its batches to Redis, and what came for it; how many there were."""
        moved = 0
        while (batch := node.mesh.take()) is not None:
            moved += 1
            if self.away:
                node.mesh.cut_off(node.relay.now)
            else:
                self._publish(node, *batch)
        while node.arrived:
            moved += 1
            node.mesh.receive(node.arrived.popleft(), node.relay.now)
        return moved

    def _publish(self, node: Node, destination: str, payload: bytes) -> None:
        self.published += 1
        if self.losing.get((node.mesh.id, destination), 0):
            self.losing[node.mesh.id, destination] -= 1
            return
        for other in self.nodes:
            if destination in ("", other.mesh.id):
                other.arrived.append(payload)

    def advances(self, seconds: float) -> None:
        """Let time pass everywhere but where it stands still."""
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            for node in self.nodes:
                if not node.frozen:
                    node.relay.leaps(self.now - node.relay.now)
                    node.mesh.tick(node.relay.now)
            self.settle()

    def dies(self, number: int) -> Node:
        """Kill a process."""
        return self.nodes.pop(number)

    def freezes(self, number: int) -> None:
        self.nodes[number].frozen = True

    def goes_on(self, number: int) -> None:
        self.nodes[number].frozen = False

    def redis_goes(self) -> None:
        self.away = True

    def redis_comes_back(self) -> None:
        self.away = False


def served(network: Network, page: Peer, server: Peer, **call: object) -> None:
    """One call, answered."""
    page.calls("calculator:add", "again", **call)
    network.settle()
    server.answers({"result": 8})
    network.settle()
    page.assert_received("result", id="again", data={"result": 8})
