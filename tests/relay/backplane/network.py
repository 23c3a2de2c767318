"""Several relays' pure cores, and a Redis between them that can go away, lose a batch, or see one of them stand still.

network = Network(2)
page, server = network.alice(0).frontend(), network.alice(1).backend("calculator:add")
network.settle()
"""

from __future__ import annotations

from collections import deque

from relay.backplane.mesh import Mesh
from relay.core.connection import Connection
from relay.core.limits import Limits
from tests.relay.core.cast import REGISTERED, TICK, CoreRelay, Peer, Project, is_open

ADD = "calculator:add"


ANY_BYTES = Limits(rate_bytes=10**9, ip_rate_bytes=10**9)  # a peer may send as much at once as a test wants


class OneOfMany(CoreRelay):
    """A relay that answers a `register` when the others know of it; `assert_quiet` sees that it has."""

    def registered(self, server: Peer) -> None:
        if REGISTERED in server.inbox:
            server.inbox.remove(REGISTERED)
        else:
            server.registering += 1


class Node:
    """One process."""

    def __init__(self, network: Network, name: str) -> None:
        self.relay = OneOfMany(ANY_BYTES, name=name)
        self.relay.now = network.now
        self.relay.hub.tick(self.relay.now, self.relay.wall)
        self.mesh = Mesh(self.relay.hub, name, network.now, lambda: None)
        self.relay.hub.others = self.mesh
        self.arrived: deque[bytes] = deque()
        self.frozen = False
        self.missing = 0  # so many of the next batches never arrive here
        self.came: deque[bytes] = deque(maxlen=10)  # the latest batches

    def servers(self) -> set[tuple[str, str, frozenset[str], bool]]:
        """Its own: project, id, functions, whether they take calls."""
        return {known(server) for t in self.relay.hub.tenants.values() for server in t.connections if is_server(server)}

    def known_servers(self) -> set[tuple[str, str, frozenset[str], bool]]:
        """Those of all others, as it knows them."""
        return {known(server) for t in self.relay.hub.tenants.values() for server in t.remote.values()}

    def assert_idle(self) -> None:
        """No call is left in any table, and nothing waits to be said or answered."""
        for tenant in self.relay.hub.tenants.values():
            assert not tenant.calls.running
            assert not tenant.calls.held.bytes
            assert not tenant.in_doubt
            for function in tenant.functions.by_name.values():
                assert not function.waiting
                assert not any(seat.in_flight for seat in function.seats.values())
            for peer in (*tenant.connections, *tenant.remote.values(), *tenant.callers.values()):
                assert not peer.calling
                assert not peer.serving
        assert not self.mesh.questions.questions
        assert not self.mesh.questions.searches
        assert not any(peer.serving for process in self.mesh.processes.values() for peer in process.unlisted.values())
        assert not any(process.outgoing.entries for process in self.mesh.processes.values())
        assert not any(peer.registering for peer in self.relay.peers if is_open(peer))
        assert not any(change.unanswered for change in self.mesh.roster.announcements.changes.values())


class Network:
    """`nodes` processes, connected; `lose` says which of the next batches of a node never arrives."""

    def __init__(self, nodes: int) -> None:
        self.now = 1_000.0
        self.nodes: list[Node] = []
        self.away = False  # Redis
        self.separate = False  # each hears only itself
        self.losing: dict[tuple[str, str], int] = {}  # by source and destination ("" is all): so many batches
        self.losing_number = 0  # this one of all batches never arrives …
        self.losing_at: list[int] = []  # … at these nodes
        self.lost_for_somebody = 0  # batches, for each that should have had them
        self.published = 0
        self.told: list[tuple[str, bytes]] = []  # what was published since `settled`: destinations and batches
        self.started = 0  # processes, ever
        self.mute: set[Peer] = set()  # these answer no pings
        for _ in range(nodes):
            self.join()

    def join(self) -> Node:
        """One more process."""
        self.started += 1
        node = Node(self, f"relay-{self.started}-")
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

    def misses(self, number: int, batches: int = 1) -> None:
        """The next batches for a node, whoever sends them, never arrive there."""
        self.nodes[number].missing = batches

    def replays(self, number: int) -> None:
        """The latest batch of a node comes to it once more."""
        self.nodes[number].mesh.receive(self.nodes[number].came[-1], self.now)

    def settle(self) -> None:
        """Carry everything that is to be said, until nobody has anything to say."""
        while sum(self._carry(node) for node in self.nodes if not node.frozen):
            pass

    def tells(self) -> int:
        """Carry everything that is to be said now; how many bytes that were."""
        self.told.clear()
        self.settle()
        return sum(len(payload) for _, payload in self.told)

    def carries(self, number: int) -> None:
        """Only what this one has to say, and what came for it until now."""
        self._carry(self.nodes[number])

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
            node.came.append(node.arrived.popleft())
            node.mesh.receive(node.came[-1], node.relay.now)
        return moved

    def _publish(self, node: Node, destination: str, payload: bytes) -> None:
        self.published += 1
        self.told.append((destination, payload))
        if self.losing.get((node.mesh.id, destination), 0):
            self.losing[node.mesh.id, destination] -= 1
            return
        for at, other in enumerate(self.nodes):
            if destination not in ("", other.mesh.id) or (self.separate and other is not node):
                continue
            if self.published == self.losing_number and at in self.losing_at:
                self.lost_for_somebody += 1
            elif other.missing:
                other.missing -= 1
            else:
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

    def lives(self, seconds: float) -> None:
        """Let time pass, in which every peer answers its pings."""
        for _ in range(round(seconds / TICK)):
            self.advances(TICK)
            self.answer_pings()
            self.settle()

    def answer_pings(self) -> None:
        """Whoever is asked says that it lives; where the process stands still, nothing is heard."""
        for peer in (peer for node in self.nodes if not node.frozen for peer in node.relay.peers):
            if peer in self.mute:
                continue
            if pings := [frame for frame in peer.inbox if frame["type"] == "ping"]:
                peer.inbox = deque(frame for frame in peer.inbox if frame["type"] != "ping")
                for _ in pings if is_open(peer) else ():
                    peer.relay.now += 0.001  # what is heard is heard after it was asked for
                    peer.sends("pong")

    def assert_agreed(self) -> None:
        """Everybody knows exactly the servers that are there."""
        for node in self.nodes:
            others = [other for other in self.nodes if other is not node]
            assert node.known_servers() == {server for other in others for server in other.servers()}
            assert all(process.complete for process in node.mesh.processes.values())
            assert {*node.mesh.processes} == {other.mesh.id for other in others}

    def assert_quiet(self) -> None:
        """Everybody agrees, and nothing is under way."""
        self.assert_agreed()
        for node in self.nodes:
            node.assert_idle()

    def dies(self, number: int) -> Node:
        """Kill a process."""
        return self.nodes.pop(number)

    def freezes(self, number: int) -> None:
        self.nodes[number].frozen = True

    def goes_on(self, number: int) -> None:
        self.nodes[number].frozen = False

    def separates(self) -> None:
        """Each process reaches Redis, and hears only itself."""
        self.separate = True

    def joins(self) -> None:
        self.separate = False

    def redis_goes(self) -> None:
        self.away = True

    def redis_comes_back(self) -> None:
        self.away = False


def is_server(connection: Connection) -> bool:
    return connection.peer == "backend"


def known(server: Connection) -> tuple[str, str, frozenset[str], bool]:
    assert server.tenant is not None
    return server.tenant.project_id, server.id, frozenset(server.seats), server.takes_calls


def handed(network: Network, page: Peer, server: Peer, call_id: str = "c1", **call: object) -> str:
    """A call that the server has; its id there."""
    page.calls(ADD, call_id, **call)
    network.settle()
    return str(server.assert_received("call", cmd=ADD)["id"])


def served(network: Network, page: Peer, server: Peer, **call: object) -> None:
    """One call, answered."""
    page.calls(ADD, "again", **call)
    network.settle()
    server.answers({"result": 8})
    network.settle()
    page.assert_received("result", id="again", data={"result": 8})
