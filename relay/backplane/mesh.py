"""This process among the others: who they are, their servers, calls and messages between them. Pure, as the core is.

Rule 1  A server of another process is a Connection in `tenant.remote`; its frames leave through that process's stream.
Rule 2  Whoever is silent for DEAD_AFTER is given up, but only while our own beats come back: else we are cut off, and
        nobody is judged. Given up: its servers leave, calls to it end, calls from it are cancelled (GP-11, GP-14).
Rule 3  A lost batch is noticed by its number, or by the next beat, and what was in it is answered, never repeated out
        of order: calls are re-routed or end with `relay_unavailable`; results are sent again, since they end calls.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from relay.backplane.messages import (
    AnyEntry,
    Ask,
    Beat,
    ForPeer,
    FromPeer,
    GivenUp,
    Gone,
    Leaving,
    Lost,
    Published,
    Quota,
    Receivers,
    Server,
    Servers,
    unpack,
)
from relay.backplane.streams import Incoming, Outgoing
from relay.core import frames
from relay.core.channels import check_name
from relay.core.connection import BACKEND, FRONTEND, OPEN, Connection
from relay.core.errors import OUTCOMES, Refused
from relay.core.hub import Admission, Hub
from relay.core.others import Others
from relay.core.reading import decode
from relay.core.tenant import Tenant, answer

BEAT_EVERY = 0.5  # s
CUT_AFTER = 1.0  # s without an echo of our own beats
DEAD_AFTER = 2.0  # s of silence
SLEPT = 0.5  # s between two ticks, after which nobody is blamed for silence
ANSWER_WITHIN = 1.0  # s for the other processes to say how many subscribers they have
MOST_QUESTIONS = 100_000  # publishes that wait for these answers
MOST_GIVEN_UP = 1_000  # processes remembered as given up
_decoder: msgspec.json.Decoder[frames.CallOut | frames.CancelOut | frames.SendOut] = msgspec.json.Decoder(
    frames.CallOut | frames.CancelOut | frames.SendOut
)


class Process:
    """Another process of the relay."""

    def __init__(self, id: str, outgoing: Outgoing, now: float) -> None:
        self.id, self.outgoing, self.heard = id, outgoing, now
        self.to_all, self.to_us = Incoming(), Incoming()
        self.servers: dict[str, Connection] = {}
        self.taking: dict[str, bool] = {}  # which of them take calls, while it can be reached
        self.version = 0  # of what it has told of its servers
        self.complete = False  # it has told all


class RemotePeer:
    """Sends to a server of another process, or to all callers there (`connection` is empty then)."""

    def __init__(self, mesh: Mesh, process: Process, project: str, connection: str) -> None:
        self.mesh, self.process, self.project, self.connection = mesh, process, project, connection

    def send(self, frame: bytes) -> None:
        if self.connection:
            self.mesh.put(self.process.outgoing, ForPeer(self.project, self.connection, frame))
        else:
            self.mesh.put(self.process.outgoing, FromPeer(self.project, frame))

    def close(self, code: int, reason: str) -> None:
        """Its own process closes it."""


class Question:
    """How many subscribers got a message: asked of all processes."""

    def __init__(self, publisher: Connection, request_id: str, asked: set[str], until: float) -> None:
        self.publisher, self.request_id, self.asked, self.until = publisher, request_id, asked, until
        self.receivers = 0


class Mesh(Others):
    """The backplane's meaning. `wake` is called when there is something to `take`."""

    def __init__(self, hub: Hub, id: str, now: float, wake: Callable[[], None]) -> None:
        self.hub, self.id, self.wake = hub, id, wake
        self.started = now
        self.streams = int(now * 1000) + 1  # numbers them; two of one process never have the same
        self.everyone = Outgoing(id, "", self.streams)
        self.processes: dict[str, Process] = {}
        self.given_up: dict[str, None] = {}
        self.changes: dict[Connection, None] = {}  # servers to tell of
        self.version = 0
        self.connected = False
        self.echoed = now
        self.beaten = 0.0
        self.ticked = now
        self.questions: dict[int, Question] = {}
        self.asked = 0
        self.lost = 0  # batches that never came
        self.dropped = 0  # entries that could not be sent, or were in lost batches of ours
        self.lag = 0.0  # s from our last beat to its echo

    # --- what the core tells -----------------------------------------------------------------------------------------

    def changed(self, server: Connection) -> None:
        self.changes[server] = None
        self.wake()

    def gone(self, server: Connection) -> None:
        self.changes.pop(server, None)
        assert server.tenant is not None
        self.version += 1
        self.put(self.everyone, Gone(self.version, server.tenant.project_id, server.id))

    def publish(self, tenant: Tenant, publisher: Connection, frame: frames.Publish, now: float) -> bool:
        check_name(frame.channel)
        full = self.everyone.is_full or len(self.questions) >= MOST_QUESTIONS
        if not self.connected or full:
            raise Refused("relay_unavailable")
        asked = 0
        if not isinstance(frame.id, msgspec.UnsetType):
            self.asked += 1
            asked = self.asked
            everybody = {self.id, *self.processes}
            self.questions[asked] = Question(publisher, frame.id, everybody, now + ANSWER_WITHIN)
        out = frames.encode(frames.Message(channel=frame.channel, data=frame.data))
        excluded = publisher.id if frame.exclude_me else ""
        self.put(self.everyone, Published(tenant.project_id, frame.channel, out, excluded, asked))
        return True

    # --- out ---------------------------------------------------------------------------------------------------------

    def put(self, outgoing: Outgoing, entry: AnyEntry) -> None:
        """Let it go with the next batch."""
        if self.connected or not isinstance(entry, ForPeer):
            outgoing.put(entry)
            self.wake()
        else:
            self.dropped += 1  # a cancel: no call is routed to a server that is cut

    def take(self) -> tuple[str, bytes] | None:
        """The next batch and its destination; what all are told goes first."""
        if self.changes:
            changes, self.changes = self.changes, {}
            for server in changes:
                if server.state is OPEN:
                    self.version += 1
                    self.everyone.put(self._told(server))
        if self.everyone.entries:
            return "", self.everyone.take()
        for process in self.processes.values() if self.connected else ():
            if process.outgoing.entries:
                # the next time it is another's turn
                self.processes[process.id] = self.processes.pop(process.id)
                return process.id, process.outgoing.take()
        return None

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

    # --- in ----------------------------------------------------------------------------------------------------------

    def receive(self, payload: bytes, now: float) -> None:
        """One batch came. Raises msgspec.DecodeError if it is none."""
        batch = unpack(payload)
        if batch.source == self.id:
            self._echo(batch.entries, now)
            return
        process = self._process(batch.source, now)
        process.heard = now
        incoming = process.to_us if batch.destination else process.to_all
        begun = incoming.number > 0 or bool(batch.destination)
        gap = incoming.follows(batch.stream, batch.number)
        if gap is None:
            return
        first, last = gap
        if begun and first <= last:
            self._missed(process, first, last, bool(batch.destination))
        for entry in batch.entries:
            self._handle(process, entry, now)

    def _echo(self, entries: list[AnyEntry], now: float) -> None:
        """Our own batch to all has come back: we are connected, and messages are delivered in the order all see."""
        for entry in entries:
            if isinstance(entry, Published):
                self._deliver(self.id, entry, now)
            elif isinstance(entry, Beat):
                self.lag = now - self.beaten
        self.echoed = now
        if not self.connected:
            self._reconnected(now)

    def _process(self, id: str, now: float) -> Process:
        process = self.processes.get(id)
        if process is None:
            self.streams += 1
            process = self.processes[id] = Process(id, Outgoing(self.id, id, self.streams), now)
            if id in self.given_up:
                del self.given_up[id]
                self.put(process.outgoing, GivenUp())
            self.put(process.outgoing, Ask())
        return process

    def _missed(self, process: Process, first: int, last: int, ours: bool) -> None:
        """Batches of it never came: to us, which it has to know, or to all, so that we have to ask."""
        self.lost += last - first + 1
        if ours:
            self.put(process.outgoing, Lost(first, last))
        else:
            process.complete = False

    def _handle(self, process: Process, entry: AnyEntry, now: float) -> None:
        if isinstance(entry, ForPeer):
            self._for_peer(process, entry, now)
        elif isinstance(entry, FromPeer):
            self._from_peer(process, entry, now)
        elif isinstance(entry, Published):
            self._deliver(process.id, entry, now)
        elif isinstance(entry, Receivers):
            self._count(process.id, entry.asked, entry.number)
        elif isinstance(entry, Server):
            self._server(process, entry, now)
        elif isinstance(entry, Gone):
            self._gone(process, entry, now)
        elif isinstance(entry, Servers):
            self._servers(process, entry, now)
        elif isinstance(entry, Beat):
            self._beat(process, entry)
        elif isinstance(entry, Ask):
            self._tell(process)
        elif isinstance(entry, Lost):
            self._undelivered(process.outgoing, process.outgoing.lost(entry.first, entry.last), now)
        elif isinstance(entry, GivenUp):
            self._forget(process, now)
            process.complete = False
        else:
            self._give_up(process, now, comes_back=False)

    # --- calls and messages ------------------------------------------------------------------------------------------

    def _for_peer(self, process: Process, entry: ForPeer, now: float) -> None:
        frame = _decoder.decode(entry.frame)
        tenant = self.hub.tenants.get(entry.project)
        callee = None if tenant is None else tenant.by_id.get(entry.connection)
        if isinstance(frame, frames.SendOut):
            if callee is not None:
                callee.send(entry.frame)
        elif tenant is None:
            if isinstance(frame, frames.CallOut):
                self.put(process.outgoing, FromPeer(entry.project, _ended(frame.id, "callee_lost")))
        elif isinstance(frame, frames.CallOut):
            tenant.calls.forwarded(self._caller(tenant, process, now), callee, frame, now)
        else:
            tenant.calls.cancel(self._caller(tenant, process, now), frame, now)

    def _caller(self, tenant: Tenant, process: Process, now: float) -> Connection:
        """Who stands for all callers of that process in this project."""
        caller = tenant.callers.get(process.id)
        if caller is None:
            caller = tenant.callers[process.id] = self._peer(tenant, process, "", FRONTEND, now)
        return caller

    def _from_peer(self, process: Process, entry: FromPeer, now: float) -> None:
        tenant = self.hub.tenants.get(entry.project)
        frame = decode(entry.frame)
        if tenant is None or not isinstance(frame, frames.Result | frames.Error | frames.Progress):
            return
        call = tenant.calls.running.get(frame.id)
        if call is None or call.callee is None or call.callee.process != process.id:
            return  # it has ended, or went on elsewhere
        if isinstance(frame, frames.Result):
            tenant.calls.result(call.callee, frame, now)
        elif isinstance(frame, frames.Progress):
            tenant.calls.progress(call.callee, frame, now)
        else:
            tenant.calls.relayed_error(call.callee, frame, now)

    def _deliver(self, source: str, entry: Published, now: float) -> None:
        tenant = self.hub.tenants.get(entry.project)
        receivers = 0
        if tenant is not None:
            excluded = tenant.by_id.get(entry.excluded) if entry.excluded else None
            receivers = tenant.channels.deliver(entry.channel, entry.frame, excluded)
        if entry.asked and source == self.id:
            self._count(source, entry.asked, receivers)
        elif entry.asked:
            self.put(self.processes[source].outgoing, Receivers(entry.asked, receivers))

    def _count(self, source: str, asked: int, receivers: int) -> None:
        question = self.questions.get(asked)
        if question is not None and source in question.asked:
            question.asked.discard(source)
            question.receivers += receivers
            if not question.asked:
                self._answer(asked)

    def _answer(self, asked: int) -> None:
        question = self.questions.pop(asked)
        if question.publisher.state is OPEN:
            data = msgspec.Raw(b'{"receivers":%d}' % question.receivers)
            answer(question.publisher, question.request_id, data)

    def _undelivered(self, outgoing: Outgoing, entries: list[AnyEntry], now: float) -> None:
        """These never reached their process, and will not."""
        for entry in entries:
            if isinstance(entry, FromPeer):
                if not entry.frame.startswith(b'{"type":"progress"'):
                    outgoing.put(entry)
                    self.wake()
                    continue
            elif isinstance(entry, ForPeer):
                self._unsent(entry, now)
            self.dropped += 1

    def _unsent(self, entry: ForPeer, now: float) -> None:
        tenant = self.hub.tenants.get(entry.project)
        server = None if tenant is None else tenant.remote.get(entry.connection)
        frame = _decoder.decode(entry.frame)
        if tenant is not None and server is not None and isinstance(frame, frames.CallOut):
            tenant.calls.undelivered(server, frame.id, now)

    # --- their servers -----------------------------------------------------------------------------------------------

    def _tell(self, process: Process) -> None:
        """Tell it all our servers."""
        ids = []
        for tenant in self.hub.tenants.values():
            for server in tenant.connections:
                if server.peer == BACKEND:
                    ids.append(server.id)
                    process.outgoing.put(self._told(server))
        self.put(process.outgoing, Servers(self.version, ids))

    def _server(self, process: Process, entry: Server, now: float) -> None:
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
            server = tenant.remote[entry.id] = self._peer(tenant, process, entry.id, BACKEND, now)
            server.name, server.sdk, server.connected_at = entry.name, entry.sdk, entry.connected_at
            process.servers[entry.id] = server
        self._register(tenant, server, entry.functions, now)
        process.taking[entry.id] = entry.takes_calls
        self._take_calls(tenant, server, entry.takes_calls, entry.draining, now)

    def _register(self, tenant: Tenant, server: Connection, specs: list[frames.FunctionSpec], now: float) -> None:
        names = {spec.name for spec in specs}
        for name in [name for name in server.seats if name not in names]:
            function = tenant.functions.unregister(server, name)
            if function is not None:
                tenant.calls.unregistered(function, now)
        for function in tenant.functions.register(server, specs):
            tenant.calls.settle(function, now)

    def _take_calls(self, tenant: Tenant, server: Connection, takes: bool, draining: bool, now: float) -> None:
        before = server.takes_calls
        server.draining = draining
        server.cut = not self.connected
        server.takes_calls = takes and self.connected
        if before and not takes and not draining:
            tenant.calls.suspected(server, now)
        elif before is not server.takes_calls:
            for seat in server.seats.values():
                tenant.calls.settle(seat.function, now)

    def _gone(self, process: Process, entry: Gone, now: float) -> None:
        if entry.version > process.version + 1:
            process.complete = False
        process.version = max(process.version, entry.version)
        if entry.id in process.servers:
            self._remove(process, entry.id, now)

    def _remove(self, process: Process, id: str, now: float) -> None:
        server = process.servers.pop(id)
        del process.taking[id]
        assert server.tenant is not None
        server.tenant.leave_remote(server, now)

    def _servers(self, process: Process, entry: Servers, now: float) -> None:
        if entry.version >= process.version:
            process.version, process.complete = entry.version, True
            known = set(entry.ids)
            for id in [id for id in process.servers if id not in known]:
                self._remove(process, id, now)

    def _peer(self, tenant: Tenant, process: Process, id: str, peer: str, now: float) -> Connection:
        remote = RemotePeer(self, process, tenant.project_id, id)
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
        connection.state, connection.tenant = OPEN, tenant
        connection.id, connection.peer, connection.process = id, peer, process.id
        return connection

    # --- who lives ---------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Beat, and judge."""
        slept = now - self.ticked > SLEPT
        self.ticked = now
        if now - self.beaten >= BEAT_EVERY:
            self.beaten = now
            sent = {process.id: process.outgoing.number for process in self.processes.values()}
            read = {process.id: process.to_us.number for process in self.processes.values()}
            self.put(self.everyone, Beat(self.version, sent, read))
        if slept:
            self._blame_nobody(now)
        elif self.connected:
            if now - self.echoed > CUT_AFTER:
                self.cut_off(now)
            else:
                self._judge(now)
        for asked in [asked for asked, question in self.questions.items() if question.until <= now]:
            self._answer(asked)

    def leave(self) -> None:
        """This process ends: the others need not wait to find out."""
        self.put(self.everyone, Leaving())

    def _blame_nobody(self, now: float) -> None:
        self.echoed = now
        for process in self.processes.values():
            process.heard = now

    def _judge(self, now: float) -> None:
        for process in tuple(self.processes.values()):
            if now - process.heard > DEAD_AFTER:
                self._give_up(process, now, comes_back=True)

    def _beat(self, process: Process, entry: Beat) -> None:
        process.outgoing.read(entry.read.get(self.id, 0))
        sent = entry.sent.get(self.id, 0)
        if sent > process.to_us.number:
            first, process.to_us.number = process.to_us.number + 1, sent
            self._missed(process, first, sent, True)
        if not process.complete or process.version != entry.version:
            process.complete = False
            self.put(process.outgoing, Ask())

    def _give_up(self, process: Process, now: float, comes_back: bool) -> None:
        del self.processes[process.id]
        if comes_back:
            if len(self.given_up) >= MOST_GIVEN_UP:
                del self.given_up[next(iter(self.given_up))]
            self.given_up[process.id] = None
        self._forget(process, now)
        for asked in [asked for asked, question in self.questions.items() if process.id in question.asked]:
            self._count(process.id, asked, 0)

    def _forget(self, process: Process, now: float) -> None:
        """Its servers leave, and its callers."""
        for id in tuple(process.servers):
            self._remove(process, id, now)
        for tenant in tuple(self.hub.tenants.values()):
            caller = tenant.callers.pop(process.id, None)
            if caller is not None:
                tenant.calls.lost(caller, now)

    def cut_off(self, now: float) -> None:
        """Redis is away: nothing goes to the others, and nobody is judged."""
        if not self.connected:
            return
        self.connected = False
        for process in tuple(self.processes.values()):
            for server in process.servers.values():
                server.cut, server.takes_calls = True, False
            self._undelivered(process.outgoing, process.outgoing.drop(), now)
        self.dropped += len(self.everyone.drop())
        for process in self.processes.values():
            process.complete = False
        for asked in tuple(self.questions):
            question = self.questions.pop(asked)
            if question.publisher.state is OPEN:
                question.publisher.send(_ended(question.request_id, "relay_unavailable"))

    def _reconnected(self, now: float) -> None:
        self.connected = True
        self._blame_nobody(now)
        for process in tuple(self.processes.values()):
            for id, server in tuple(process.servers.items()):
                assert server.tenant is not None
                self._take_calls(server.tenant, server, process.taking[id], server.draining, now)
            self.put(process.outgoing, Ask())
        for tenant in self.hub.tenants.values():
            for connection in tenant.connections:
                if connection.peer == BACKEND:
                    self.changes[connection] = None
        self.wake()


def _ended(request_id: str, code: str) -> bytes:
    outcome = OUTCOMES[code]
    return frames.encode(
        frames.ErrorOut(id=request_id, code=code, message=outcome.sentence, retryable=outcome.retryable)
    )
