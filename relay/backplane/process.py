"""Another process of the relay, and the ways to its servers and its callers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from relay.backplane.messages import Counted, ForPeer, FromPeer
from relay.backplane.streams import Incoming, Outgoing
from relay.core import frames
from relay.core.calls import error_frame
from relay.core.connection import Connection
from relay.core.tenant import Tenant

if TYPE_CHECKING:
    from relay.backplane.mesh import Mesh

NO_ROOM = "The function has ended, and there was no room to carry its answer between two relay processes."
SMALL = 1_024  # bytes of an answer that is carried to a process even when much waits for it
_answered: msgspec.json.Decoder[frames.Envelope] = msgspec.json.Decoder(frames.Envelope)


class Process:
    """Another process of the relay."""

    def __init__(self, id: str, outgoing: Outgoing, now: float) -> None:
        self.id, self.outgoing, self.heard = id, outgoing, now
        self.to_all, self.to_us = Incoming(), Incoming()
        self.reads_us = True  # else our stream to it is new: it gets no calls before its beat says that it reads it
        self.closed = 0  # its stream to us that is read no further, since it was given up
        self.congested: set[str] = set()  # projects of which so much waits for it that it gets none of their calls
        self.servers: dict[str, Connection] = {}
        self.taking: dict[str, bool] = {}  # which of them take calls, while it can be reached
        # peers at which calls run that are none of its servers: front ends, and servers that went
        self.unlisted: dict[str, Connection] = {}
        self.missed = False  # batches of it to us, since its last beat
        self.version = 0  # of what it has told of its servers
        self.complete = False  # it has told all
        self.knows = 0  # the version up to which it knows of our servers
        self.asked = 0  # how often it was asked for all
        self.is_torn = False  # something was lost since it was asked: its answer does not count
        self.is_answering = False  # part of its answer came since its last beat
        self.doubted: dict[str, str] = {}  # servers that may be otherwise than it told, by id; their projects
        # what it has asked for: servers, and projects whose lost functions it is told; None: nothing
        self.to_tell: deque[Connection | Tenant] | None = None
        self.answers = 0  # which of its questions that answers
        self.to_tell_of: dict[Connection, None] = {}  # servers it has asked for by name


class RemoteServer:
    """Sends to a server of another process."""

    def __init__(self, mesh: Mesh, process: Process, project: str, connection: str) -> None:
        self.mesh, self.process, self.project, self.connection = mesh, process, project, connection

    def send(self, frame: bytes) -> None:
        self._put(ForPeer(self.project, self.connection, frame))

    def send_counted(self, frame: bytes) -> None:
        """Send a frame that counts as a request when the other process has read it."""
        self._put(Counted(self.project, self.connection, frame))

    def _put(self, entry: ForPeer) -> None:
        self.mesh.put(self.process.outgoing, entry)
        if self.process.outgoing.is_full(self.project) and self.project not in self.process.congested:
            self.process.congested.add(self.project)
            self.mesh.roster.spare(self.process, self.project)

    def close(self, code: int, reason: str) -> None:
        """Its own process closes it."""


class RemoteCallers:
    """Sends to all callers of a project in another process."""

    def __init__(self, mesh: Mesh, process: Process, project: str) -> None:
        self.mesh, self.process, self.project = mesh, process, project

    def send(self, frame: bytes) -> None:
        if len(frame) > SMALL and self.process.outgoing.is_full(self.project):
            self.mesh.dropped += 1
            answered = _answered.decode(frame)
            if answered.type == "progress":
                return
            frame = ended(str(answered.id), "relay_unavailable", NO_ROOM)
        self.mesh.put(self.process.outgoing, FromPeer(self.project, frame))

    def close(self, code: int, reason: str) -> None:
        """Nobody closes it."""


def ended(request_id: str, code: str, message: str = "") -> bytes:
    """The frame that ends this request so; `message` instead of the outcome's own sentence."""
    return frames.encode(error_frame(request_id, code, message))
