"""This process among the others: who they are, their servers, calls and messages between them. Pure, as the core is.

Rule 1  A server of another process is a Connection in `tenant.remote`; its frames leave through that process's stream.
Rule 2  Whoever is silent for DEAD_AFTER is given up, but only while our own beats come back: else we are cut off, and
        nobody is judged. Given up: its servers leave, calls to it end, calls from it are cancelled (GP-11, GP-14), and
        what it says before it knows is not read. So its calls that were not read have not run, and go on elsewhere.
Rule 3  A lost batch is noticed by its number, or by the next beat, and what was in it is answered, never repeated out
        of order: calls are re-routed or end with `relay_unavailable`; results are sent again, since they end calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from hashlib import blake2b

import msgspec

from relay.backplane.messages import (
    UNREADABLE,
    AnyEntry,
    Ask,
    AskOne,
    Away,
    Batch,
    Beat,
    Changed,
    Find,
    ForPeer,
    Found,
    FromPeer,
    Gone,
    Known,
    Leaving,
    Lost,
    Mark,
    Published,
    Receivers,
    Server,
    Servers,
    unpack,
)
from relay.backplane.process import Process, RemoteCallers, RemoteServer, ended
from relay.backplane.questions import Questions
from relay.backplane.roster import Roster
from relay.backplane.streams import Incoming, Outgoing
from relay.core import frames
from relay.core.calls import NOT_TAKEN, give_back
from relay.core.channels import check_name
from relay.core.connection import FRONTEND, OPEN, Connection
from relay.core.errors import Refused, Unreadable
from relay.core.hub import Hub
from relay.core.others import Others
from relay.core.tenant import Tenant, answer

BEAT_EVERY = 0.5  # s
CUT_AFTER = 1.0  # s without an echo of our own beats
DEAD_AFTER = 2.0  # s of silence
SLEPT = 0.5  # s between two ticks, after which nobody is blamed for silence
MOST_GIVEN_UP = 1_000  # processes remembered as given up
MOST_CATCHING_UP = 100_000  # requests that wait until a batch of ours has come back …
MOST_OF_ONE = 4  # … and of them those of one connection, which needs one; others are answered at once
EPOCH = 6  # bytes of a digest
CallOut = frames.CallOut
CancelOut = frames.CancelOut
ResultFrom = frames.ResultFrom
ForPeerFrame = frames.CallOut | frames.CancelOut | frames.SendOut | frames.Notice
_decoder: msgspec.json.Decoder[ForPeerFrame] = msgspec.json.Decoder(ForPeerFrame)
FromPeerFrame = frames.ResultFrom | frames.Error | frames.ProgressFrom
_answers: msgspec.json.Decoder[FromPeerFrame] = msgspec.json.Decoder(FromPeerFrame)


class Mesh(Others):
    """The backplane's meaning. `wake` is called when there is something to `take`."""

    def __init__(self, hub: Hub, id: str, now: float, wake: Callable[[], None]) -> None:
        self.hub, self.id, self.wake = hub, id, wake
        self.streams = int(now * 1000) + 1  # numbers them; two of one process never have the same
        self.everyone = Outgoing(id, "", self.streams)
        self.processes: dict[str, Process] = {}
        self.given_up: dict[str, tuple[Incoming, Incoming]] = {}  # how far they were read
        self.own = Incoming()  # our stream to all, as it comes back
        self.stale = -1  # calls that come before the echo of a later batch of ours may have ended while we stood still
        self.roster, self.questions = Roster(self), Questions(self)
        # whom to answer which request when our batch of this number to all has come back, or we are cut off
        self.catching_up: deque[tuple[int, Connection, str]] = deque()
        self.of_one: dict[Connection, int] = {}  # how many of them each connection has
        self.connected = False
        self.is_leaving = self.has_left = False
        self.told_all = False  # the last batch went to all
        self.echoed = now
        self.beaten = 0.0
        self.ticked = now
        self.lost = 0  # batches that never came
        self.dropped = 0  # entries that could not be sent, or were in lost batches of ours
        self.unread = 0  # batches and entries of unknown shapes, of a newer version, or not for us
        self.lag = 0.0  # s from our last beat to its echo

    # --- what the core tells -----------------------------------------------------------------------------------------

    def changed(self, server: Connection, functions: Iterable[str] = ()) -> None:
        if self.roster.announcements.changed(server, functions, self.ticked):
            self.wake()

    def registered(self, server: Connection, request_id: str) -> bool:
        return self.roster.registered(server, request_id, self.ticked)

    def gone(self, server: Connection) -> None:
        self.roster.gone(server)

    def send_counted(self, target: Connection, frame: bytes) -> None:
        process = self.processes.get(target.process)
        if process is not None and target.tenant is not None:
            RemoteServer(self, process, target.tenant.project_id, target.id).send_counted(frame)

    @property
    def are_known(self) -> bool:
        return self.connected and all(process.complete for process in self.processes.values())

    def publish(self, tenant: Tenant, publisher: Connection, frame: frames.Publish, now: float) -> bool:
        check_name(frame.channel)
        project = tenant.project_id
        if not self.connected or self.everyone.is_full(project) or self.questions.is_full(project):
            raise Refused("relay_unavailable")
        asked = 0 if isinstance(frame.id, msgspec.UnsetType) else self.questions.ask(publisher, frame.id, now)
        channels = tenant.channels
        if not channels.epoch:
            channels.epoch = blake2b(f"{self.id} {project} {now}".encode(), digest_size=EPOCH).hexdigest()
        channels.offset += 1
        position = (channels.epoch, channels.offset)
        out = frames.encode(frames.Message(channel=frame.channel, data=frame.data, position=position))
        excluded = publisher.id if frame.exclude_me else ""
        self.put(self.everyone, Published(project, frame.channel, out, excluded, asked))
        return True

    def catch_up(self, subscriber: Connection, request_id: str) -> bool:
        own = self.of_one.get(subscriber, 0)
        if not self.connected or own >= MOST_OF_ONE or len(self.catching_up) >= MOST_CATCHING_UP:
            return False
        self.of_one[subscriber] = own + 1
        self.catching_up.append((self.everyone.number + 1, subscriber, request_id))
        return True

    def find(
        self,
        tenant: Tenant,
        to: frames.Target,
        size: int,
        found: Callable[[list[Connection], str, float], None],
        now: float,
    ) -> bool:
        return self.questions.find(tenant, to, size, found, now)

    def can_send(self, process: Process, project: str) -> bool:
        """Whether a call of this project can go to a peer there now."""
        return self.connected and process.reads_us and project not in process.congested

    # --- out ---------------------------------------------------------------------------------------------------------

    def put(self, outgoing: Outgoing, entry: AnyEntry) -> None:
        """Let it go with the next batch."""
        outgoing.put(entry)
        self.wake()

    def take(self) -> tuple[str, bytes] | None:
        """The next batch and its destination; what all are told goes first, and our leave last.

        What changed of our servers is told in turn with what goes to one process.
        """
        if self.has_left:
            return None
        if not self.told_all:
            if not self.everyone.entries:
                self.roster.tell_changes(self.ticked)
            if self.everyone.entries:
                self.told_all = True  # then it is the turn of a process, or who publishes much would stop all calls
                return "", self.everyone.take()
        told_all, self.told_all = self.told_all, False
        for process in self.processes.values() if self.connected else ():
            self.roster.answer(process, self.ticked)
            if process.outgoing.entries:
                # the next time it is another's turn
                self.processes[process.id] = self.processes.pop(process.id)
                return process.id, process.outgoing.take()
        if told_all:
            return self.take()
        if self.is_leaving:
            self.has_left = True
            self.everyone.put(self._beat_now())  # what was read since the last one
            self.everyone.put(Leaving())
            return "", self.everyone.take()
        return None

    # --- in ----------------------------------------------------------------------------------------------------------

    def receive(self, payload: bytes, now: float) -> None:
        """One batch came. What is of no known shape is counted and passed over."""
        try:
            batch, unknown = unpack(payload)
        except UNREADABLE:
            self.unread += 1
            return
        self.unread += unknown
        if batch.destination not in ("", self.id):
            self.unread += 1
            return
        if batch.source == self.id:
            self._echo(batch, now)
            return
        if self.has_left:
            return  # the others have been told how far we read
        process = self._process(batch.source, now)
        process.heard = now
        ours = bool(batch.destination)
        incoming = process.to_us if ours else process.to_all
        if ours:
            if batch.stream <= process.closed:
                return
            if batch.stream > process.to_us.stream:
                asks = [entry for entry in batch.entries if isinstance(entry, Ask)]
                self._renewed(process, batch.stream, asks[0].read if asks else (0, 0), now)
        begun = incoming.number > 0 or ours
        gap = incoming.follows(batch.stream, batch.number)
        if gap is None:
            return
        if begun and gap[0] <= gap[1]:
            self._missed(process, gap[0], gap[1], ours)
        self._handle_all(process, batch, now)

    def _handle_all(self, process: Process, batch: Batch, now: float) -> None:
        """One that fails does not hold up those behind it."""
        failed: Exception | None = None
        knew = process.version if process.complete else -1
        is_answer = bool(batch.destination)
        for entry in batch.entries:
            try:
                self._handle(process, entry, is_answer, now)
            except (msgspec.DecodeError, Refused, Unreadable):
                self.unread += 1
            except Exception as error:
                failed = error
        if process.complete and process.version != knew:
            self.put(process.outgoing, Known(process.version))
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
                tenant = self.hub.tenants.get(entry.project)
                if tenant is not None and (not entry.asked or entry.asked in self.questions.questions):
                    tenant.published()  # else it was refused
                self.questions.count(self.id, entry.asked, self._deliver(entry, now))
            elif isinstance(entry, Beat):
                self.lag = now - self.beaten
        self._caught_up(batch.number)
        if not self.connected:
            self._reconnected(now)

    def _caught_up(self, number: int) -> None:
        """Our own batches to all up to this one have come back: what was published before they left has come, too."""
        while self.catching_up and self.catching_up[0][0] <= number:
            _, subscriber, request_id = self.catching_up.popleft()
            left = self.of_one.pop(subscriber) - 1
            if left:
                self.of_one[subscriber] = left
            if subscriber.state is OPEN:
                answer(subscriber, request_id)

    def _process(self, id: str, now: float) -> Process:
        process = self.processes.get(id)
        if process is None:
            process = self.processes[id] = Process(id, self._new_stream(id), now)
            if id in self.given_up:
                process.to_all, process.to_us = self.given_up.pop(id)
                process.reads_us, process.closed = False, process.to_us.stream
            self._ask(process)
        return process

    def _new_stream(self, id: str) -> Outgoing:
        self.streams += 1
        return Outgoing(self.id, id, self.streams)

    def _renewed(self, process: Process, stream: int, read: tuple[int, int], now: float) -> None:
        """A new stream to us says that it had given us up: it has ended our calls, and its own to us.

        An entry that says so could be lost, and come again behind calls of the new stream, which it would end unheard.
        `read`: our stream, and the last batch of it that it took; calls in later ones have not run.
        """
        if not 0 < process.to_us.stream < stream:
            return
        unread: list[AnyEntry] = []
        if process.reads_us:  # else we have begun anew already
            self._count_sends(process.outgoing.read(*read))
            unread = process.outgoing.lost(read[0], read[1] + 1, process.outgoing.number) + process.outgoing.drop()
            process.outgoing, process.reads_us = self._new_stream(process.id), False
            process.to_tell = None
            process.to_tell_of.clear()
            self._ask(process)
        self._forget(process, unread, now)
        process.complete = False

    def _missed(self, process: Process, first: int, last: int, ours: bool) -> None:
        """Batches of it never came: what was told to us, it has to know; of its servers, we have to ask again."""
        self.lost += last - first + 1
        process.complete, process.is_torn = False, True
        if ours:
            process.missed = True
            self.put(process.outgoing, Lost(process.to_us.stream, first, last))

    def _ask(self, process: Process) -> None:
        """Ask for all its servers."""
        process.asked += 1
        process.is_torn = False
        self.put(process.outgoing, Ask(process.asked, (process.to_us.stream, process.to_us.number)))

    def _handle(self, process: Process, entry: AnyEntry, is_answer: bool, now: float) -> None:
        if isinstance(entry, ForPeer):
            self._for_peer(process, entry, now)
        elif isinstance(entry, FromPeer):
            self._from_peer(process, entry, now)
        elif isinstance(entry, Published):
            receivers = self._deliver(entry, now)
            if entry.asked:
                self.put(process.outgoing, Receivers(entry.asked, receivers))
        elif isinstance(entry, Receivers):
            self.questions.count(process.id, entry.asked, entry.number)
        elif isinstance(entry, Find):
            tenant = self.hub.tenants.get(entry.project)
            to = frames.Target(session=entry.session, connection=entry.connection)
            peers = [] if tenant is None else [(peer.connected_at, peer.id) for peer in tenant.targets(to)]
            self.put(process.outgoing, Found(entry.asked, peers))
        elif isinstance(entry, Found):
            self.questions.found(process.id, entry.asked, entry.peers, now)
        elif isinstance(entry, Server):
            self.roster.server(process, entry, is_answer, now)
        elif isinstance(entry, Changed):
            self.roster.changed(process, entry, now)
        elif isinstance(entry, Gone):
            self.roster.went(process, entry, now)
        elif isinstance(entry, Servers):
            self.roster.servers(process, entry, now)
        elif isinstance(entry, Away):
            self.roster.away(process, entry, now)
        elif isinstance(entry, Beat):
            self._beat(process, entry, now)
        elif isinstance(entry, Ask):
            self.roster.asked(process, entry.asked)
        elif isinstance(entry, AskOne):
            self.roster.asked_one(process, entry)
        elif isinstance(entry, Mark):
            pass  # its sender waits for it
        elif isinstance(entry, Known):
            process.knows = max(process.knows, entry.version)
            self.roster.knows()
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
            is_stale = self.own.number <= self.stale
            if is_stale and callee is not None and callee.peer == FRONTEND:
                self.put(process.outgoing, FromPeer(entry.project, ended(frame.id, "relay_unavailable")))  # it is here
            elif tenant is None or is_stale:
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
            caller = tenant.callers[process.id] = self.roster.peer(tenant, process, remote, now)
            caller.peer = FRONTEND
        return caller

    def _from_peer(self, process: Process, entry: FromPeer, now: float) -> None:
        tenant = self.hub.tenants.get(entry.project)
        frame = _answers.decode(entry.frame)
        if tenant is None:
            return
        call = tenant.calls.running.get(frame.id)
        if call is None or call.callee is None or call.callee.process != process.id:
            return  # it has ended, or went on elsewhere
        if isinstance(frame, ResultFrom):
            tenant.calls.result(call.callee, frame, now, frame.number)
        elif isinstance(frame, frames.ProgressFrom):
            tenant.calls.progress(call.callee, frame, now, frame.number)
        else:
            if (
                frame.code == NOT_TAKEN and call.callee.id in process.servers
            ):  # it will say so itself, or has; until then it is not asked again
                process.taking[call.callee.id] = call.callee.takes_calls = False
                process.doubted[call.callee.id] = entry.project
            tenant.calls.relayed_error(call.callee, frame, now)

    def _deliver(self, entry: Published, now: float) -> int:
        """To the subscribers of this process; how many there are."""
        tenant = self.hub.tenants.get(entry.project)
        if tenant is None:
            return 0
        excluded = tenant.by_id.get(entry.excluded) if entry.excluded else None
        receivers = tenant.channels.deliver(entry.channel, entry.frame, excluded)
        self.hub.totals.delivered += receivers
        tenant.delivered(receivers, len(entry.frame), now)
        return receivers

    def _undelivered(self, outgoing: Outgoing, entries: list[AnyEntry], now: float) -> None:
        """These did not reach their process: what ends a call goes again, calls go elsewhere."""
        for entry in entries:
            if isinstance(entry, ForPeer):
                self._unsent(outgoing, entry, now)
            elif isinstance(entry, Lost | Receivers | Found | AskOne | Known) or (
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
            if call is not None and call.function is None:
                tenant.calls.fail(call, "relay_unavailable", now)  # its front end may still be there
            elif call is not None and call.callee is not None:
                tenant.calls.undelivered(call.callee, frame.id, frame.data, now)

    # --- who lives ---------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Beat, and judge."""
        slept = now - self.ticked > SLEPT
        if now - self.ticked > DEAD_AFTER:
            self.stale = self.everyone.number
        self.ticked = now
        if now - self.beaten >= BEAT_EVERY and not self.is_leaving:
            self.beaten = now
            self.put(self.everyone, self._beat_now())
        if slept:
            self._blame_nobody(now)
        elif self.connected:
            if now - self.echoed > CUT_AFTER:
                self.cut_off(now)
            else:
                self._judge(now)
        for process in tuple(self.processes.values()):
            for project in [project for project in process.congested if not process.outgoing.is_full(project)]:
                process.congested.discard(project)
                self.roster.reach(process, now, project)
        if self.roster.announcements.tick(now):
            self.wake()
        if self.catching_up and not self.everyone.entries:
            self.put(self.everyone, Mark())  # a batch that comes back
        self.questions.tick(now)

    def _beat_now(self) -> Beat:
        others = self.processes.values()
        sent = {process.id: (process.outgoing.stream, process.outgoing.number) for process in others}
        read = {process.id: (process.to_us.stream, process.to_us.number) for process in others}
        return Beat(self.roster.version, sent, read)

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
        read = entry.read.get(self.id, (0, 0))
        self._renewed(process, stream, read, now)
        if not process.reads_us and read[0] == process.outgoing.stream:
            process.reads_us, process.closed = True, 0
            self.roster.reach(process, now)
        if stream > process.closed:
            first = process.to_us.reaches(stream, number)
            if first <= number:
                self._missed(process, first, number, True)
        if not process.missed:  # else it may have said that it has lost what it has "read"
            self._count_sends(process.outgoing.read(*read))
        process.missed = False
        process.unlisted = {id: server for id, server in process.unlisted.items() if server.serving}
        if process.version != entry.version:
            process.complete, process.is_torn = False, True
        if not process.complete and (process.is_torn or not process.is_answering):
            self._ask(process)
        process.is_answering = False
        doubted, process.doubted = process.doubted, {}
        for id, project in doubted.items():
            self.put(process.outgoing, AskOne(project, id))

    def _count_sends(self, projects: list[str]) -> None:
        """Count a send of each of these projects: it is known that another process has them (GP-40)."""
        for project in projects:
            tenant = self.hub.tenants.get(project)
            if tenant is not None:
                tenant.count()

    def _give_up(self, process: Process, now: float) -> None:
        del self.processes[process.id]
        if len(self.given_up) >= MOST_GIVEN_UP:
            del self.given_up[next(iter(self.given_up))]
        self.given_up[process.id] = process.to_all, process.to_us
        self._forget(process, [], now)
        self.questions.given_up(process.id, now)
        self.roster.knows()

    def _forget(self, process: Process, unread: list[AnyEntry], now: float) -> None:
        """Its servers leave, all before any call goes on; and its callers. Of what it has not read, no call ran."""
        servers = (*process.servers.values(), *process.unlisted.values())
        functions = [(server, self.roster.leave(process, server, now)) for server in tuple(process.servers.values())]
        process.unlisted.clear()
        for entry in unread:
            if isinstance(entry, ForPeer):
                self._unsent(process.outgoing, entry, now)
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
            self.roster.spare(process)
        for process in tuple(self.processes.values()):
            process.complete = False
            for server in tuple(process.servers.values()):
                self.roster.settle(server, now)
            process.to_tell = None
            process.to_tell_of.clear()
            self._undelivered(process.outgoing, process.outgoing.drop(), now)
        self.dropped += len(self.everyone.drop())
        self.questions.cut_off(now)
        self._caught_up(self.everyone.number + 1)
        self.roster.cut_off()

    def _reconnected(self, now: float) -> None:
        self.connected = True
        self._blame_nobody(now)
        for process in tuple(self.processes.values()):
            self.roster.reach(process, now)
            self._ask(process)
