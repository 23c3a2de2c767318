"""This process among the others: who they are, their servers, calls and messages between them. Pure, as the core is.

Rule 1  A server of another process is a Connection in `tenant.remote`; its frames leave through that process's stream.
Rule 2  Whoever is silent for DEAD_AFTER is given up, but only while our own beats come back: else we are cut off, and
        nobody is judged. Given up: its servers leave, calls to it end, calls from it are cancelled (GP-11, GP-14).
Rule 3  A lost batch is noticed by its number, or by the next beat, and what was in it is answered, never repeated out
        of order: calls are re-routed or end with `relay_unavailable`; results are sent again, since they end calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from relay.backplane.messages import (
    AnyEntry,
    Ask,
    Batch,
    Beat,
    Find,
    ForPeer,
    Found,
    FromPeer,
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
from relay.backplane.streams import MOST_WAITING, Incoming, Outgoing
from relay.core import frames
from relay.core.calls import NOT_TAKEN, give_back
from relay.core.channels import check_name
from relay.core.connection import BACKEND, FRONTEND, OPEN, Connection
from relay.core.errors import OUTCOMES, Refused, Unreadable
from relay.core.functions import Function
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
SMALL = 1_024  # bytes of an answer that is carried to a process even when much waits for it
CallOut = frames.CallOut
CancelOut = frames.CancelOut
Result = frames.Result
ANSWERS: Final = (frames.Result, frames.Error, frames.Progress)
ForPeerFrame = frames.CallOut | frames.CancelOut | frames.SendOut | frames.Notice
_decoder: msgspec.json.Decoder[ForPeerFrame] = msgspec.json.Decoder(ForPeerFrame)
_answered: msgspec.json.Decoder[frames.Envelope] = msgspec.json.Decoder(frames.Envelope)


class Process:
    """Another process of the relay."""

    def __init__(self, id: str, outgoing: Outgoing, now: float) -> None:
        self.id, self.outgoing, self.heard = id, outgoing, now
        self.to_all, self.to_us = Incoming(), Incoming()
        self.is_congested = False  # so much waits for it that it gets no calls
        self.servers: dict[str, Connection] = {}
        self.taking: dict[str, bool] = {}  # which of them take calls, while it can be reached
        # peers at which calls run that are none of its servers: front ends, and servers that went
        self.unlisted: dict[str, Connection] = {}
        self.missed = False  # batches of it to us, since its last beat
        self.version = 0  # of what it has told of its servers
        self.complete = False  # it has told all


class RemoteServer:
    """Sends to a server of another process."""

    def __init__(self, mesh: Mesh, process: Process, project: str, connection: str) -> None:
        self.mesh, self.process, self.project, self.connection = mesh, process, project, connection

    def send(self, frame: bytes) -> None:
        self.mesh.put(self.process.outgoing, ForPeer(self.project, self.connection, frame))
        if self.process.outgoing.is_full and not self.process.is_congested:
            self.process.is_congested = True
            self.mesh.spare(self.process)

    def close(self, code: int, reason: str) -> None:
        """Its own process closes it."""


class RemoteCallers:
    """Sends to all callers of a project in another process."""

    def __init__(self, mesh: Mesh, process: Process, project: str) -> None:
        self.mesh, self.process, self.project = mesh, process, project

    def send(self, frame: bytes) -> None:
        if self.process.outgoing.is_full and len(frame) > SMALL:
            self.mesh.dropped += 1
            answered = _answered.decode(frame)
            if answered.type == "progress":
                return
            frame = _ended(str(answered.id), "relay_unavailable")
        self.mesh.put(self.process.outgoing, FromPeer(self.project, frame))

    def close(self, code: int, reason: str) -> None:
        """Nobody closes it."""


class Question:
    """How many subscribers got a message: asked of all processes."""

    def __init__(self, publisher: Connection, request_id: str, asked: set[str], until: float) -> None:
        self.publisher, self.request_id, self.asked, self.until = publisher, request_id, asked, until
        self.receivers = 0


class Search:
    """Where the front ends are that `to` names: asked of all other processes."""

    def __init__(
        self,
        tenant: Tenant,
        to: frames.Target,
        size: int,
        found: Callable[[list[Connection], str, float], None],
        asked: set[str],
        until: float,
    ) -> None:
        self.tenant, self.to, self.size, self.found, self.asked, self.until = tenant, to, size, found, asked, until
        self.peers: list[tuple[str, str, str]] = []  # when it connected, its process, its id
        self.is_complete = True  # all have answered


class Mesh(Others):
    """The backplane's meaning. `wake` is called when there is something to `take`."""

    def __init__(self, hub: Hub, id: str, now: float, wake: Callable[[], None]) -> None:
        self.hub, self.id, self.wake = hub, id, wake
        self.started = now
        self.streams = int(now * 1000) + 1  # numbers them; two of one process never have the same
        self.everyone = Outgoing(id, "", self.streams)
        self.processes: dict[str, Process] = {}
        self.given_up: dict[str, tuple[Incoming, Incoming]] = {}  # how far they were read
        self.own = Incoming()  # our stream to all, as it comes back
        self.changes: dict[Connection, None] = {}  # servers to tell of
        self.version = 0
        self.connected = False
        self.is_leaving = self.has_left = False
        self.echoed = now
        self.beaten = 0.0
        self.ticked = now
        self.questions: dict[int, Question] = {}
        self.searches: dict[int, Search] = {}
        self.searching = 0  # bytes that wait for them
        self.asked = 0
        self.lost = 0  # batches that never came
        self.dropped = 0  # entries that could not be sent, or were in lost batches of ours
        self.unread = 0  # batches and entries of unknown shapes: of a newer version
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

    def find(
        self,
        tenant: Tenant,
        to: frames.Target,
        size: int,
        found: Callable[[list[Connection], str, float], None],
        now: float,
    ) -> bool:
        here = tenant.targets(to)
        if not self.processes or (here and (to.connection or not self.connected)):
            return False
        full = self.everyone.is_full or len(self.searches) >= MOST_QUESTIONS or self.searching + size > MOST_WAITING
        if not self.connected or full:
            raise Refused("relay_unavailable")
        self.asked += 1
        self.searching += size
        self.searches[self.asked] = Search(tenant, to, size, found, {*self.processes}, now + ANSWER_WITHIN)
        self.put(self.everyone, Find(self.asked, tenant.project_id, to.session, to.connection))
        return True

    # --- out ---------------------------------------------------------------------------------------------------------

    def put(self, outgoing: Outgoing, entry: AnyEntry) -> None:
        """Let it go with the next batch."""
        outgoing.put(entry)
        self.wake()

    def spare(self, process: Process) -> None:
        """Too much waits for it: its servers get no calls until that has left."""
        for server in process.servers.values():
            server.cut, server.takes_calls = True, False

    def take(self) -> tuple[str, bytes] | None:
        """The next batch and its destination; what all are told goes first, and our leave last."""
        if self.has_left:
            return None
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
        if self.is_leaving:
            self.has_left = True
            self.everyone.put(Leaving())
            return "", self.everyone.take()
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
        """One batch came. What is of no known shape is counted and passed over."""
        try:
            batch, unknown = unpack(payload)
        except msgspec.DecodeError:
            self.unread += 1
            return
        self.unread += unknown
        if batch.source == self.id:
            self._echo(batch, now)
            return
        process = self._process(batch.source, now)
        process.heard = now
        ours = bool(batch.destination)
        incoming = process.to_us if ours else process.to_all
        if ours:
            self._renewed(process, batch.stream, now)
        begun = incoming.number > 0 or ours
        gap = incoming.follows(batch.stream, batch.number)
        if gap is None:
            return
        if begun and gap[0] <= gap[1]:
            self._missed(process, gap[0], gap[1], ours)
        self._handle_all(process, batch.entries, now)

    def _handle_all(self, process: Process, entries: list[AnyEntry], now: float) -> None:
        """One that fails does not hold up those behind it."""
        failed: Exception | None = None
        for entry in entries:
            try:
                self._handle(process, entry, now)
            except (msgspec.DecodeError, Refused, Unreadable):
                self.unread += 1
            except Exception as error:
                failed = error
        if failed is not None:
            raise failed

    def _echo(self, batch: Batch, now: float) -> None:
        """Our own batch to all has come back: we are connected, and messages are delivered in the order all see."""
        gap = self.own.follows(batch.stream, batch.number)
        if gap is None:
            return
        self.lost += gap[1] - gap[0] + 1
        self.echoed = now
        for entry in batch.entries:
            if isinstance(entry, Published):
                self._count(self.id, entry.asked, self._deliver(entry))
            elif isinstance(entry, Beat):
                self.lag = now - self.beaten
        if not self.connected:
            self._reconnected(now)

    def _process(self, id: str, now: float) -> Process:
        process = self.processes.get(id)
        if process is None:
            self.streams += 1
            process = self.processes[id] = Process(id, Outgoing(self.id, id, self.streams), now)
            if id in self.given_up:
                process.to_all, process.to_us = self.given_up.pop(id)
            self.put(process.outgoing, Ask())
        return process

    def _renewed(self, process: Process, stream: int, now: float) -> None:
        """A new stream to us says that it had given us up: it has ended our calls, and its own to us.

        An entry that says so could be lost, and come again behind calls of the new stream, which it would end unheard.
        """
        if 0 < process.to_us.stream < stream:
            self._forget(process, now)
            process.complete = False

    def _missed(self, process: Process, first: int, last: int, ours: bool) -> None:
        """Batches of it never came: to us, which it has to know, or to all, so that we have to ask."""
        self.lost += last - first + 1
        if ours:
            process.missed = True
            self.put(process.outgoing, Lost(process.to_us.stream, first, last))
        else:
            process.complete = False

    def _handle(self, process: Process, entry: AnyEntry, now: float) -> None:
        if isinstance(entry, ForPeer):
            self._for_peer(process, entry, now)
        elif isinstance(entry, FromPeer):
            self._from_peer(process, entry, now)
        elif isinstance(entry, Published):
            receivers = self._deliver(entry)
            if entry.asked:
                self.put(process.outgoing, Receivers(entry.asked, receivers))
        elif isinstance(entry, Receivers):
            self._count(process.id, entry.asked, entry.number)
        elif isinstance(entry, Find):
            tenant = self.hub.tenants.get(entry.project)
            to = frames.Target(session=entry.session, connection=entry.connection)
            peers = [] if tenant is None else [(peer.connected_at, peer.id) for peer in tenant.targets(to)]
            self.put(process.outgoing, Found(entry.asked, peers))
        elif isinstance(entry, Found):
            self._found(process.id, entry.asked, entry.peers, now)
        elif isinstance(entry, Server):
            self._server(process, entry, now)
        elif isinstance(entry, Gone):
            self._gone(process, entry, now)
        elif isinstance(entry, Servers):
            self._servers(process, entry, now)
        elif isinstance(entry, Beat):
            self._beat(process, entry, now)
        elif isinstance(entry, Ask):
            self._tell(process)
        elif isinstance(entry, Lost):
            lost = process.outgoing.lost(entry.stream, entry.first, entry.last)
            self._undelivered(process.outgoing, lost, now)
        else:
            self._give_up(process, now)

    # --- calls and messages ------------------------------------------------------------------------------------------

    def _for_peer(self, process: Process, entry: ForPeer, now: float) -> None:
        frame = _decoder.decode(entry.frame)
        tenant = self.hub.tenants.get(entry.project)
        callee = None if tenant is None else tenant.by_id.get(entry.connection)
        if isinstance(frame, CallOut):
            if tenant is None:
                self.put(process.outgoing, FromPeer(entry.project, frames.encode(give_back(frame.id, frame.data))))
            else:
                tenant.calls.forwarded(self._caller(tenant, process, now), callee, frame, now)
        elif isinstance(frame, CancelOut):
            if tenant is not None:
                tenant.calls.cancel(self._caller(tenant, process, now), frame, now)
        elif callee is not None:
            callee.send(entry.frame)

    def _caller(self, tenant: Tenant, process: Process, now: float) -> Connection:
        """Who stands for all callers of that process in this project."""
        caller = tenant.callers.get(process.id)
        if caller is None:
            remote = RemoteCallers(self, process, tenant.project_id)
            caller = tenant.callers[process.id] = self._peer(tenant, process, remote, now)
            caller.peer = FRONTEND
        return caller

    def _from_peer(self, process: Process, entry: FromPeer, now: float) -> None:
        tenant = self.hub.tenants.get(entry.project)
        frame = decode(entry.frame)
        if tenant is None or not isinstance(frame, ANSWERS):
            return
        call = tenant.calls.running.get(frame.id)
        if call is None or call.callee is None or call.callee.process != process.id:
            return  # it has ended, or went on elsewhere
        if isinstance(frame, Result):
            tenant.calls.result(call.callee, frame, now)
        elif isinstance(frame, frames.Progress):
            tenant.calls.progress(call.callee, frame, now)
        else:
            if (
                frame.code == NOT_TAKEN and call.callee.id in process.servers
            ):  # it will say so itself, or has; until then it is not asked again
                process.taking[call.callee.id] = call.callee.takes_calls = process.complete = False
            tenant.calls.relayed_error(call.callee, frame, now)

    def _deliver(self, entry: Published) -> int:
        """To the subscribers of this process; how many there are."""
        tenant = self.hub.tenants.get(entry.project)
        if tenant is None:
            return 0
        excluded = tenant.by_id.get(entry.excluded) if entry.excluded else None
        receivers = tenant.channels.deliver(entry.channel, entry.frame, excluded)
        self.hub.totals.delivered += receivers
        return receivers

    def _count(self, source: str, asked: int, receivers: int) -> None:
        question = self.questions.get(asked)
        if question is not None and source in question.asked:
            question.asked.discard(source)
            question.receivers += receivers
            if not question.asked:
                self._answer(asked)

    def _answer(self, asked: int) -> None:
        question = self.questions.pop(asked)
        if self.id in question.asked:  # it has not even come back to us
            self._refuse(question)
        elif question.publisher.state is OPEN:
            data = msgspec.Raw(b'{"receivers":%d}' % question.receivers)
            answer(question.publisher, question.request_id, data)

    def _found(self, source: str, asked: int, peers: list[tuple[str, str]], now: float) -> None:
        search = self.searches.get(asked)
        if search is not None and source in search.asked:
            search.asked.discard(source)
            search.peers += [(since, source, id) for since, id in peers]
            if not search.asked or (search.to.connection and peers):
                self._end_search(asked, now)

    def _end_search(self, asked: int, now: float) -> None:
        """The youngest goes last. Whoever did not answer, or cannot be reached, may have them."""
        search = self.searches.pop(asked)
        self.searching -= search.size
        found = [(peer.connected_at, peer) for peer in search.tenant.targets(search.to)]
        for since, id, peer in search.peers:
            process = self.processes.get(id)
            if process is None or process.is_congested or not self.connected:
                search.is_complete = False
            else:
                found.append((since, self._unlisted(search.tenant, process, peer, now)))
        found.sort(key=lambda one: one[0])
        refusal = "no_such_peer" if search.is_complete and not search.asked else "relay_unavailable"
        search.found([peer for _, peer in found], refusal, now)

    def _unlisted(self, tenant: Tenant, process: Process, id: str, now: float) -> Connection:
        """A front end there; it is forgotten when it has no calls."""
        peer = process.unlisted.get(id)
        if peer is None:
            peer = self._peer(tenant, process, RemoteServer(self, process, tenant.project_id, id), now)
            peer.id, peer.peer = id, FRONTEND
            process.unlisted[id] = peer
        return peer

    def _refuse(self, question: Question) -> None:
        if question.publisher.state is OPEN:
            question.publisher.send(_ended(question.request_id, "relay_unavailable"))

    def _undelivered(self, outgoing: Outgoing, entries: list[AnyEntry], now: float) -> None:
        """These did not reach their process: what ends a call goes again, calls go elsewhere."""
        for entry in entries:
            if isinstance(entry, ForPeer):
                self._unsent(outgoing, entry, now)
            elif isinstance(entry, Lost | Receivers | Found) or (
                isinstance(entry, FromPeer) and not entry.frame.startswith(b'{"type":"progress"')
            ):
                self.put(outgoing, entry)
            else:
                self.dropped += 1  # progress; or what is asked again while it is not complete

    def _unsent(self, outgoing: Outgoing, entry: ForPeer, now: float) -> None:
        frame = _decoder.decode(entry.frame)
        if isinstance(frame, CancelOut):
            self.put(outgoing, entry)
            return
        self.dropped += 1
        tenant = self.hub.tenants.get(entry.project)
        if tenant is not None and isinstance(frame, CallOut):
            call = tenant.calls.running.get(frame.id)
            if call is not None and call.callee is not None:
                tenant.calls.undelivered(call.callee, frame.id, frame.data, now)

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
            remote = RemoteServer(self, process, tenant.project_id, entry.id)
            server = tenant.remote[entry.id] = self._peer(tenant, process, remote, now)
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

    def _take_calls(self, process: Process, server: Connection, takes: bool, draining: bool, now: float) -> None:
        assert server.tenant is not None
        before = server.takes_calls
        server.draining = draining
        server.cut = process.is_congested or not self.connected
        server.takes_calls = takes and not server.cut
        if before and not takes and not draining:
            server.tenant.calls.suspected(server, now)
        elif before is not server.takes_calls:
            self._settle(server, now)

    def _settle(self, server: Connection, now: float) -> None:
        assert server.tenant is not None
        for seat in tuple(server.seats.values()):
            server.tenant.calls.settle(seat.function, now)

    def _gone(self, process: Process, entry: Gone, now: float) -> None:
        if entry.version > process.version + 1:
            process.complete = False
        process.version = max(process.version, entry.version)
        if entry.id in process.servers:
            self._remove(process, entry.id, now)

    def _remove(self, process: Process, id: str, now: float) -> None:
        """It takes no new calls. How the others ended, its process says behind this."""
        server = process.servers[id]
        assert server.tenant is not None
        for function in self._leave(process, server, now):
            server.tenant.calls.settle(function, now)

    def _leave(self, process: Process, server: Connection, now: float) -> list[Function]:
        del process.servers[server.id], process.taking[server.id]
        if server.serving:
            process.unlisted[server.id] = server
        assert server.tenant is not None
        return server.tenant.leave_remote(server, now)

    def _servers(self, process: Process, entry: Servers, now: float) -> None:
        if entry.version >= process.version:
            process.version, process.complete = entry.version, True
            known = set(entry.ids)
            for id in [id for id in process.servers if id not in known]:
                self._remove(process, id, now)

    def _peer(self, tenant: Tenant, process: Process, remote: RemoteServer | RemoteCallers, now: float) -> Connection:
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

    # --- who lives ---------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Beat, and judge."""
        slept = now - self.ticked > SLEPT
        self.ticked = now
        if now - self.beaten >= BEAT_EVERY and not self.is_leaving:
            self.beaten = now
            others = self.processes.values()
            sent = {process.id: (process.outgoing.stream, process.outgoing.number) for process in others}
            read = {process.id: (process.to_us.stream, process.to_us.number) for process in others}
            self.put(self.everyone, Beat(self.version, sent, read))
        if slept:
            self._blame_nobody(now)
        elif self.connected:
            if now - self.echoed > CUT_AFTER:
                self.cut_off(now)
            else:
                self._judge(now)
        for process in tuple(self.processes.values()):
            if process.is_congested and not process.outgoing.is_full:
                process.is_congested = False
                self._reach(process, now)
        for asked in [asked for asked, question in self.questions.items() if question.until <= now]:
            self._answer(asked)
        for asked in [asked for asked, search in self.searches.items() if search.until <= now]:
            self._end_search(asked, now)

    def leave(self) -> None:
        """This process ends: the others need not wait to find out. Nothing is said after it."""
        self.is_leaving = True
        self.wake()

    def _blame_nobody(self, now: float) -> None:
        self.echoed = now
        for process in self.processes.values():
            process.heard = now

    def _judge(self, now: float) -> None:
        for process in tuple(self.processes.values()):
            if now - process.heard > DEAD_AFTER:
                self._give_up(process, now)

    def _beat(self, process: Process, entry: Beat, now: float) -> None:
        stream, number = entry.sent.get(self.id, (0, 0))
        self._renewed(process, stream, now)
        first = process.to_us.reaches(stream, number)
        if first <= number:
            self._missed(process, first, number, True)
        if not process.missed:  # else it may have said that it has lost what it has "read"
            process.outgoing.read(*entry.read.get(self.id, (0, 0)))
        process.missed = False
        process.unlisted = {id: server for id, server in process.unlisted.items() if server.serving}
        if not process.complete or process.version != entry.version:
            process.complete = False
            self.put(process.outgoing, Ask())

    def _give_up(self, process: Process, now: float) -> None:
        del self.processes[process.id]
        if len(self.given_up) >= MOST_GIVEN_UP:
            del self.given_up[next(iter(self.given_up))]
        self.given_up[process.id] = process.to_all, process.to_us
        self._forget(process, now)
        for asked in [asked for asked, question in self.questions.items() if process.id in question.asked]:
            self._count(process.id, asked, 0)
        for asked in [asked for asked, search in self.searches.items() if process.id in search.asked]:
            self.searches[asked].is_complete = False
            self._found(process.id, asked, [], now)

    def _forget(self, process: Process, now: float) -> None:
        """Its servers leave, all before any call goes on; and its callers."""
        servers = (*process.servers.values(), *process.unlisted.values())
        functions = [(server, self._leave(process, server, now)) for server in tuple(process.servers.values())]
        process.unlisted.clear()
        for server in servers:
            assert server.tenant is not None
            server.tenant.calls.lost(server, now)
        for server, lost in functions:
            assert server.tenant is not None
            for function in lost:
                server.tenant.calls.settle(function, now)
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
            self.spare(process)
        for process in tuple(self.processes.values()):
            process.complete = False
            for server in tuple(process.servers.values()):
                self._settle(server, now)
            self._undelivered(process.outgoing, process.outgoing.drop(), now)
        self.dropped += len(self.everyone.drop())
        questions, self.questions = self.questions, {}
        for question in questions.values():
            self._refuse(question)
        for asked in tuple(self.searches):
            self._end_search(asked, now)

    def _reconnected(self, now: float) -> None:
        self.connected = True
        self._blame_nobody(now)
        for process in tuple(self.processes.values()):
            self._reach(process, now)
            self.put(process.outgoing, Ask())

    def _reach(self, process: Process, now: float) -> None:
        """It can be sent calls again."""
        for id, server in tuple(process.servers.items()):
            self._take_calls(process, server, process.taking[id], server.draining, now)


def _ended(request_id: str, code: str) -> bytes:
    outcome = OUTCOMES[code]
    return frames.encode(
        frames.ErrorOut(id=request_id, code=code, message=outcome.sentence, retryable=outcome.retryable)
    )
