"""Who serves where: each process tells all about its servers, and knows everybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.backplane.messages import Gone, Quota, Server, Servers
from relay.backplane.process import Process, RemoteCallers, RemoteServer
from relay.core import frames
from relay.core.connection import BACKEND, FRONTEND, OPEN, Connection
from relay.core.functions import Function
from relay.core.hub import Admission
from relay.core.tenant import Tenant

if TYPE_CHECKING:
    from relay.backplane.mesh import Mesh


class Roster:
    """Ours, told to all as they change, and theirs, as they were told."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh, self.hub = mesh, mesh.hub
        self.changes: dict[Connection, None] = {}  # servers to tell of
        self.version = 0  # of what was told

    # --- ours --------------------------------------------------------------------------------------------------------

    def gone(self, server: Connection) -> None:
        """Tell all that it went."""
        self.changes.pop(server, None)
        assert server.tenant is not None
        self.version += 1
        self.mesh.put(self.mesh.everyone, Gone(self.version, server.tenant.project_id, server.id))

    def tell_changes(self) -> None:
        """Tell all of those that changed."""
        changes, self.changes = self.changes, {}
        for server in changes:
            if server.state is OPEN:
                self.version += 1
                self.mesh.everyone.put(self._told(server))

    def tell(self, process: Process) -> None:
        """Tell it all our servers."""
        ids = []
        for tenant in self.hub.tenants.values():
            for server in tenant.connections:
                if server.peer == BACKEND:
                    ids.append(server.id)
                    process.outgoing.put(self._told(server))
        self.mesh.put(process.outgoing, Servers(self.version, ids))

    def _told(self, server: Connection) -> Server:
        tenant = server.tenant
        assert tenant is not None
        quota = tenant.quota
        functions = [
            frames.FunctionSpec(
                name=name,
                idempotent=seat.function.idempotent,
                policy=seat.function.policy,  # type: ignore[arg-type]  # one of the four
                concurrency=seat.concurrency,
            )
            for name, seat in server.seats.items()
        ]
        return Server(
            self.version,
            tenant.project_id,
            quota.workspace_id,
            Quota(quota.limit, quota.used, quota.resets_at),
            tenant.hold,
            server.id,
            server.name,
            server.sdk,
            server.connected_at,
            server.takes_calls,
            server.draining,
            functions,
        )

    # --- theirs ------------------------------------------------------------------------------------------------------

    def server(self, process: Process, entry: Server, now: float) -> None:
        """This is how it is now."""
        if entry.version < process.version:
            return  # it has told something newer since
        if entry.version > process.version + 1:
            process.complete = False
        process.version = entry.version
        tenant = self.hub.tenant(
            Admission(
                key_id=0,
                peer=BACKEND,
                project_id=entry.project,
                workspace_id=entry.workspace,
                quota=(entry.quota.limit, entry.quota.used, entry.quota.resets_at),
                connection_id=entry.id,
                session="",
                password_digest=None,
                hold=entry.hold,
            )
        )
        server = tenant.remote.get(entry.id)
        if server is None:
            remote = RemoteServer(self.mesh, process, tenant.project_id, entry.id)
            server = tenant.remote[entry.id] = self.peer(tenant, process, remote, now)
            server.id, server.peer = entry.id, BACKEND
            server.name, server.sdk, server.connected_at = entry.name, entry.sdk, entry.connected_at
            process.servers[entry.id] = server
        self._register(tenant, server, entry.functions, now)
        process.taking[entry.id] = entry.takes_calls
        self._take_calls(process, server, entry.takes_calls, entry.draining, now)

    def _register(self, tenant: Tenant, server: Connection, specs: list[frames.FunctionSpec], now: float) -> None:
        names = {spec.name for spec in specs}
        for name in [name for name in server.seats if name not in names]:
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
        if entry.version >= process.version:
            process.version, process.complete = entry.version, True
            known = set(entry.ids)
            for id in [id for id in process.servers if id not in known]:
                self._remove(process, id, now)

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
        server.cut = process.is_congested or not self.mesh.connected
        server.takes_calls = takes and not server.cut
        if before and not takes and not draining:
            server.tenant.calls.suspected(server, now)
        elif before is not server.takes_calls:
            self.settle(server, now)

    def settle(self, server: Connection, now: float) -> None:
        """Something changed for its functions."""
        assert server.tenant is not None
        for seat in tuple(server.seats.values()):
            server.tenant.calls.settle(seat.function, now)

    def spare(self, process: Process) -> None:
        """Its servers get no calls: too much waits for it, or it cannot be reached."""
        for server in process.servers.values():
            server.cut, server.takes_calls = True, False

    def reach(self, process: Process, now: float) -> None:
        """It can be sent calls again."""
        for id, server in tuple(process.servers.items()):
            self._take_calls(process, server, process.taking[id], server.draining, now)
