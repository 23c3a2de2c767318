"""Who serves where: each process tells all about its servers, and knows everybody's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from relay.backplane.announcements import PART, Announcements, Change
from relay.backplane.messages import AskOne, Away, Changed, Gone, Quota, Server, Servers
from relay.backplane.process import Process, RemoteCallers, RemoteServer
from relay.core import frames
from relay.core.connection import BACKEND, FRONTEND, OPEN, Connection
from relay.core.functions import Function
from relay.core.hub import Admission
from relay.core.tenant import Tenant

if TYPE_CHECKING:
    from relay.backplane.mesh import Mesh

MOST_FUNCTIONS = 100  # of one server, told at a time


class Roster:
    """Ours, told to all as they change, and theirs, as they were told."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh, self.hub = mesh, mesh.hub
        self.announcements = Announcements()
        self.version = 0  # of what was told
        self.unknown: deque[tuple[int, Change]] = deque()  # told at these versions, and waited for until all know it

    # --- ours --------------------------------------------------------------------------------------------------------

    def gone(self, server: Connection) -> None:
        """Tell all that it went."""
        if self.announcements.gone(server):
            assert server.tenant is not None
            self.version += 1
            self.mesh.put(self.mesh.everyone, Gone(self.version, server.tenant.project_id, server.id))

    def tell_changes(self, now: float) -> None:
        """Tell all of some of what changed."""
        waiting = self.mesh.everyone.waiting
        while self.mesh.everyone.waiting - waiting < PART:
            change = self.announcements.take(MOST_FUNCTIONS, now)
            if change is None:
                return
            server, what, names = change
            if what.is_stale:
                assert server.tenant is not None
                self.version += 1
                self.mesh.everyone.put(Gone(self.version, server.tenant.project_id, server.id))
            is_new = what.is_new or what.is_stale
            self.version += 1
            self.mesh.everyone.put(self._told(server, names) if is_new else self._changed(server, names))
            self.announcements.told(what)
            if not what.names and what.was_told(self.version):
                while self.unknown and not self.unknown[0][1].told:
                    self.unknown.popleft()  # answered since: one of an old version never says what it knows
                self.unknown.append((self.version, what))

    def registered(self, server: Connection, request_id: str, now: float) -> bool:
        """Answer this `register` when all others know of it; see Others.registered."""
        if not self.mesh.connected or not self.mesh.processes:
            return False
        return self.announcements.changes[server].ask(request_id, now)

    def knows(self) -> None:
        """Another process knows more, or is waited for no longer: answer what all know."""
        version = min((process.knows for process in self.mesh.processes.values()), default=self.version)
        while self.unknown and self.unknown[0][0] <= version:
            self.unknown.popleft()[1].known(version)

    def cut_off(self) -> None:
        """Nobody can be told: wait for nobody."""
        self.unknown.clear()
        for change in self.announcements.changes.values():
            if change.unanswered:
                change.answer_all()

    def asked(self, process: Process, asked: int) -> None:
        """It asks for all our servers; they are told part by part, and then the functions that have none any more."""
        tenants = self.hub.tenants.values()
        process.to_tell = deque(c for tenant in tenants for c in tenant.connections if c.peer == BACKEND)
        process.to_tell.extend(tenant for tenant in tenants if tenant.functions.lost)
        process.answers = asked
        self.mesh.wake()

    def asked_one(self, process: Process, entry: AskOne) -> None:
        """It asks for one of them. That it went was told to all."""
        tenant = self.hub.tenants.get(entry.project)
        server = None if tenant is None else tenant.by_id.get(entry.id)
        if server is not None and server.peer == BACKEND:
            process.to_tell_of[server] = None
            self.mesh.wake()

    def answer(self, process: Process, now: float) -> None:
        """Tell it some of what it asked for. Whatever was told to all before must have left."""
        outgoing = process.outgoing
        most = outgoing.waiting + PART
        while process.to_tell_of and outgoing.waiting < most:
            self._tell_one(process, process.to_tell_of.popitem()[0])
        if process.to_tell is None:
            return
        while process.to_tell and outgoing.waiting < most:
            one = process.to_tell.popleft()
            if isinstance(one, Connection):
                self._tell_one(process, one)
            else:
                self._tell_away(process, one, now)
        if not process.to_tell:
            process.to_tell = None
            tenants = self.hub.tenants.values()
            ids = [c.id for tenant in tenants for c in tenant.connections if c.peer == BACKEND]
            outgoing.put(Servers(self.version, ids, process.answers))

    def _tell_one(self, process: Process, server: Connection) -> None:
        if server.state is OPEN:
            self.announcements.told_to_one(server)
            process.outgoing.put(self._told(server, server.seats))

    def _tell_away(self, process: Process, tenant: Tenant, now: float) -> None:
        lost = [(name, now - at) for name, at in tenant.functions.lost_names(now)]
        for first in range(0, len(lost), MOST_FUNCTIONS):
            some = lost[first : first + MOST_FUNCTIONS]
            project, workspace = tenant.project_id, tenant.quota.workspace_id
            process.outgoing.put(Away(project, workspace, told_quota(tenant), tenant.hold, some))

    def _changed(self, server: Connection, names: Iterable[str]) -> Changed:
        assert server.tenant is not None
        removed = [name for name in names if name not in server.seats]
        return Changed(
            self.version,
            server.tenant.project_id,
            server.id,
            server.takes_calls,
            server.draining,
            specs(server, names),
            removed,
        )

    def _told(self, server: Connection, names: Iterable[str]) -> Server:
        tenant = server.tenant
        assert tenant is not None
        return Server(
            self.version,
            tenant.project_id,
            tenant.quota.workspace_id,
            told_quota(tenant),
            tenant.hold,
            server.id,
            server.name,
            server.sdk,
            server.connected_at,
            server.takes_calls,
            server.draining,
            specs(server, names),
        )

    # --- theirs ------------------------------------------------------------------------------------------------------

    def server(self, process: Process, entry: Server, is_answer: bool, now: float) -> None:
        """It came; or an answer says how it is."""
        if not self._is_news(process, entry.version, is_answer):
            return
        process.is_answering |= is_answer
        tenant = self._tenant(entry)
        server = tenant.remote.get(entry.id)
        if server is None:
            remote = RemoteServer(self.mesh, process, tenant.project_id, entry.id)
            server = tenant.remote[entry.id] = self.peer(tenant, process, remote, now)
            server.id, server.peer = entry.id, BACKEND
            server.name, server.sdk, server.connected_at = entry.name, entry.sdk, entry.connected_at
            process.servers[entry.id] = server
        names = {spec.name for spec in entry.functions} if is_answer else set(server.seats)
        removed = [name for name in server.seats if name not in names]
        self._update(process, server, entry, removed, now)

    def _tenant(self, entry: Server | Away) -> Tenant:
        """The project it is about."""
        return self.hub.tenant(
            Admission(
                key_id=0,
                peer=BACKEND,
                project_id=entry.project,
                workspace_id=entry.workspace,
                quota=(entry.quota.limit, entry.quota.used, entry.quota.resets_at),
                connection_id="",
                session="",
                password_digest=None,
                hold=entry.hold,
            )
        )

    def away(self, process: Process, entry: Away, now: float) -> None:
        """These had servers until not long ago; whoever joined since then has to hold their calls, too."""
        process.is_answering = True
        functions = self._tenant(entry).functions
        for name, age in entry.functions:
            functions.was_lost(name, now - age)

    def changed(self, process: Process, entry: Changed, now: float) -> None:
        """It is otherwise now."""
        if not self._is_news(process, entry.version, False):
            return
        server = process.servers.get(entry.id)
        if server is None:
            process.complete = False
        else:
            self._update(process, server, entry, entry.removed, now)

    def _is_news(self, process: Process, version: int, is_answer: bool) -> bool:
        """Whether nothing newer was told before; an answer tells of many servers at one version."""
        if version < process.version + (not is_answer):
            return False
        if version > process.version + 1:
            process.complete = False
        process.version = version
        return True

    def _update(
        self, process: Process, server: Connection, entry: Server | Changed, removed: list[str], now: float
    ) -> None:
        assert server.tenant is not None
        self._register(server.tenant, server, entry.functions, removed, now)
        process.taking[entry.id] = entry.takes_calls
        self._take_calls(process, server, entry.takes_calls, entry.draining, now)

    def _register(
        self, tenant: Tenant, server: Connection, specs: list[frames.FunctionSpec], removed: list[str], now: float
    ) -> None:
        for name in removed:
            function = tenant.functions.unregister(server, name)
            if function is not None:
                tenant.calls.unregistered(function, now)
        for function in tenant.functions.register(server, specs):
            tenant.calls.settle(function, now)

    def went(self, process: Process, entry: Gone, now: float) -> None:
        """It is there no more."""
        if entry.version > process.version + 1:
            process.complete = False
        process.version = max(process.version, entry.version)
        if entry.id in process.servers:
            self._remove(process, entry.id, now)

    def servers(self, process: Process, entry: Servers, now: float) -> None:
        """These are all that it has."""
        if entry.version < process.version:
            return
        process.version = entry.version
        known = set(entry.ids)
        for id in [id for id in process.servers if id not in known]:
            self._remove(process, id, now)
        if entry.asked == process.asked and not process.is_torn:
            process.complete = True

    def _remove(self, process: Process, id: str, now: float) -> None:
        """It takes no new calls. How the others ended, its process says behind this."""
        server = process.servers[id]
        assert server.tenant is not None
        for function in self.leave(process, server, now):
            server.tenant.calls.settle(function, now)

    def leave(self, process: Process, server: Connection, now: float) -> list[Function]:
        """Out of the rotation; the functions that it had."""
        del process.servers[server.id], process.taking[server.id]
        if server.serving:
            process.unlisted[server.id] = server
        assert server.tenant is not None
        return server.tenant.leave_remote(server, now)

    def unlisted(self, tenant: Tenant, process: Process, id: str, now: float) -> Connection:
        """A front end there; it is forgotten when it has no calls."""
        peer = process.unlisted.get(id)
        if peer is None:
            peer = self.peer(tenant, process, RemoteServer(self.mesh, process, tenant.project_id, id), now)
            peer.id, peer.peer = id, FRONTEND
            process.unlisted[id] = peer
        return peer

    def peer(self, tenant: Tenant, process: Process, remote: RemoteServer | RemoteCallers, now: float) -> Connection:
        """A connection whose frames go there."""
        connection = Connection(
            self.hub,
            remote.send,
            remote.close,
            address=self.hub.address(""),
            ip="",
            project_id=tenant.project_id,
            origin=None,
            transport="ws",
            connected_at="",
            limits=self.hub.limits,
            now=now,
        )
        connection.state, connection.tenant, connection.process = OPEN, tenant, process.id
        return connection

    # --- whether they take calls -------------------------------------------------------------------------------------

    def _take_calls(self, process: Process, server: Connection, takes: bool, draining: bool, now: float) -> None:
        assert server.tenant is not None
        before = server.takes_calls
        server.draining = draining
        server.cut = server.tenant.project_id in process.congested or not self.mesh.connected
        server.takes_calls = takes and not server.cut and process.reads_us
        if before and not takes and not draining:
            server.tenant.calls.suspected(server, now)
        elif before is not server.takes_calls:
            self.settle(server, now)

    def settle(self, server: Connection, now: float) -> None:
        """Something changed for its functions."""
        assert server.tenant is not None
        for seat in tuple(server.seats.values()):
            server.tenant.calls.settle(seat.function, now)

    def spare(self, process: Process, project: str = "") -> None:
        """Its servers (of this project) get no calls: too much waits for it, or it cannot be reached."""
        for server in process.servers.values():
            if not project or server.project_id == project:
                server.cut, server.takes_calls = True, False

    def reach(self, process: Process, now: float, project: str = "") -> None:
        """It can be sent calls again (of this project)."""
        for id, server in tuple(process.servers.items()):
            if project and server.project_id != project:
                continue
            self._take_calls(process, server, process.taking[id], server.draining, now)


def told_quota(tenant: Tenant) -> Quota:
    """Its workspace's, for a process that may know nothing of it."""
    return Quota(tenant.quota.limit, tenant.quota.used, tenant.quota.resets_at)


def specs(server: Connection, names: Iterable[str]) -> list[frames.FunctionSpec]:
    """Those of its functions that it has, as it registered them."""
    return [
        frames.FunctionSpec(
            name=name,
            idempotent=seat.function.idempotent,
            policy=seat.function.policy,  # type: ignore[arg-type]  # one of the four
            concurrency=seat.concurrency,
        )
        for name in names
        if (seat := server.seats.get(name)) is not None
    ]
