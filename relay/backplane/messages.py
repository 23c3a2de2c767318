"""What processes of the relay tell each other: batches of entries, in MessagePack.

Rule 1  A process has two kinds of streams: one to all (destination "", its own copy included), one to each other
        process. Each numbers its batches; a receiver that misses a number knows what was lost, and says so. A new
        stream to a process says that its sender had taken it for dead, ended its calls and those to it, and reads its
        old stream no further; it begins a new one as well.
Rule 2  All processes run the same version of these shapes but for a rolling upgrade: fields are only ever appended.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from relay.core.frames import FunctionSpec


class Entry(Struct, tag=True, array_like=True, gc=False):
    """One of the shapes below."""


class ForPeer(Entry, tag="to"):
    """A frame for a peer of the receiver: a call, a cancel, a send."""

    project: str
    connection: str
    frame: bytes


class Counted(ForPeer, tag="to"):
    """A send that counts as a request when the receiver has read it; to the receiver it is a `ForPeer`."""


class FromPeer(Entry, tag="from"):
    """A frame that answers a call of the receiver: a result, an error, progress."""

    project: str
    frame: bytes


class Published(Entry, tag="publish"):
    """To all: a message for a channel's subscribers. `asked`: the publisher's question how many there are, or 0."""

    project: str
    channel: str
    frame: bytes
    excluded: str
    asked: int


class Receivers(Entry, tag="receivers"):
    """The answer of one process."""

    asked: int
    number: int


class Find(Entry, tag="find"):
    """To all: which front ends have this session or connection?"""

    asked: int
    project: str
    session: str | None
    connection: str | None


class Found(Entry, tag="found"):
    """The answer of one process: when they connected (ISO 8601, UTC), and their ids."""

    asked: int
    peers: list[tuple[str, str]]


class Quota(Struct, array_like=True, gc=False):
    """Of a workspace: requests of the month, and when it ends (epoch s)."""

    limit: int
    used: int
    resets_at: float


class Server(Entry, tag="server"):
    """A back end of the sender. `hold`: s (GP-16). `version`: of all that the sender has told.

    To all: it came. To one that asked: it is like this, and has these functions and no others.
    """

    version: int
    project: str
    workspace: int
    quota: Quota
    hold: float
    id: str
    name: str
    sdk: str
    connected_at: str
    takes_calls: bool
    draining: bool
    functions: list[FunctionSpec]


class Changed(Entry, tag="changed"):
    """To all: a back end of the sender takes calls or not, has these functions now, and those no more."""

    version: int
    project: str
    id: str
    takes_calls: bool
    draining: bool
    functions: list[FunctionSpec]
    removed: list[str]


class Gone(Entry, tag="gone"):
    """To all: a back end of the sender went."""

    version: int
    project: str
    id: str


class Servers(Entry, tag="servers"):
    """To one that asked: who is here at this version; their `Server` entries came before. `asked`: by which `Ask`."""

    version: int
    ids: list[str]
    asked: int


class Away(Entry, tag="away"):
    """To one that asked: functions of a project whose last server was lost, and how many s ago (GP-16)."""

    project: str
    workspace: int
    quota: Quota
    hold: float
    functions: list[tuple[str, float]]


class Ask(Entry, tag="ask"):
    """Who are your servers? `asked`: a number for the answer. It comes first in a stream.

    `read`: the receiver's stream to the sender, and its last batch that was read.
    """

    asked: int
    read: tuple[int, int] = (0, 0)


class AskOne(Entry, tag="ask one"):
    """How is this server of yours?"""

    project: str
    id: str


class Known(Entry, tag="known"):
    """All that the receiver told of its servers up to this version is known to the sender."""

    version: int


class Lost(Entry, tag="lost"):
    """Batches of the receiver's stream to the sender that never came, the first and the last."""

    stream: int
    first: int
    last: int


class Beat(Entry, tag="beat"):
    """To all, each half second: how far the sender's servers and streams are, and what it has read of others'.

    `sent` and `read`: the stream and its last batch, by the other process.
    """

    version: int
    sent: dict[str, tuple[int, int]]
    read: dict[str, tuple[int, int]]


class Mark(Entry, tag="mark"):
    """To all: nothing; what matters is when it comes back to the sender."""


class Leaving(Entry, tag="leaving"):
    """To all: the sender ends now."""


AnyEntry = (
    ForPeer
    | FromPeer
    | Published
    | Receivers
    | Find
    | Found
    | Server
    | Changed
    | Gone
    | Servers
    | Away
    | Ask
    | AskOne
    | Known
    | Lost
    | Beat
    | Mark
    | Leaving
)


class Batch(Struct, array_like=True, gc=False):
    """Of the process `source`; `number` counts the batches of this stream to `destination`, from 1."""

    source: str
    destination: str
    stream: int
    number: int
    entries: list[AnyEntry]


class _AnyBatch(Struct, array_like=True, gc=False):
    """A batch with entries of any shape."""

    source: str
    destination: str
    stream: int
    number: int
    entries: list[msgspec.Raw]


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)  # the second of text that is not UTF-8
pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Batch).decode
_unpack_any = msgspec.msgpack.Decoder(_AnyBatch).decode
_unpack_entry: Callable[[msgspec.Raw], AnyEntry] = msgspec.msgpack.Decoder(AnyEntry).decode


def unpack(payload: bytes) -> tuple[Batch, int]:
    """A batch, and how many of its entries are left out: a newer version of the relay has shapes unknown here.

    Raises one of UNREADABLE if it is no batch.
    """
    try:
        return _unpack(payload), 0
    except msgspec.ValidationError:
        batch = _unpack_any(payload)
    entries = [entry for raw in batch.entries if (entry := _known(raw)) is not None]
    known = Batch(batch.source, batch.destination, batch.stream, batch.number, entries)
    return known, len(batch.entries) - len(entries)


def _known(raw: msgspec.Raw) -> AnyEntry | None:
    try:
        return _unpack_entry(raw)
    except UNREADABLE:
        return None
