"""The one place that touches picows, whose way to take over a transport is not public: pinned, and checked by a test.

picows parses and unmasks; this file checks what it leaves to its user: reserved bits, fragments, UTF-8, the close.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from struct import pack
from typing import Any, Final

from mypy_extensions import mypyc_attr
from picows import WSListener, WSMsgType, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not exported, so its stub does not know it

from relay.edge.gate import Gate, Portions
from relay.edge.wire import Wire

READ_BUFFER = 2048  # bytes per idle connection; picows takes no less, and doubles it as needed
CLOSE_WITHIN = 10.0  # s for the peer to read what is buffered and to close (GP-5C)
TEXT: Final = WSMsgType.TEXT
BINARY: Final = WSMsgType.BINARY
CONTINUATION: Final = WSMsgType.CONTINUATION
PING, CLOSE = WSMsgType.PING, WSMsgType.CLOSE
for member in WSMsgType:
    # picows looks one up for each frame; before Python 3.12 that goes through a property, at 150 ns
    type.__setattr__(WSMsgType, member.name, member)
REQUEST = (  # all that picows asks for; the real one was read and judged before
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
)
NOBODY = asyncio.Protocol()  # uvloop keeps the last protocol that was not buffered: this one, not the upgrade's
ABNORMAL, NO_CODE = 1006, 1005
FOREIGN_CODES, MOST_CODE = (0, ABNORMAL), 4999  # of a close: what picows lets pass (RFC 6455, 7.4)
SMALL = 512  # bytes; a fragment below that costs like a ping, since nobody needs many of them
MOST_BEHIND = 1_000  # frames that are read and dropped behind our close; more than that is a flood, and cut


class Link:
    """A socket after its 101: whole messages in, frames out.

    Its five callables, none of which may raise, are its user's: `on_text` (valid UTF-8), `on_binary`, `on_control` (a
    ping, a pong or a fragment came: whether it is to be handled), `on_writable` (whether the socket takes more),
    `on_closed` (the peer's code and reason, once).
    """

    on_text: Callable[[bytes], None]
    on_binary: Callable[[bytes], None]
    on_control: Callable[[bool], bool]
    on_writable: Callable[[bool], None]
    on_closed: Callable[[int, str], None]

    def __init__(self, most: int) -> None:
        self.most = most  # bytes of a message
        self.parts: bytearray | None = None  # of a fragmented message
        self.parts_kind = TEXT
        self.closed_by: tuple[int, str] | None = None  # the peer's close
        self.closing = False  # our close was sent, or is about to be
        self.behind = 0  # frames that came behind it
        self.timer: asyncio.TimerHandle | None = None
        self.protocol: Any = None  # picows'
        self.waits = False  # nothing is read until `let_in`
        self.passage = False  # something of gate.py stands before picows

    # --- in ----------------------------------------------------------------------------------------------------------

    def connected(self, transport: Any) -> None:
        """picows has answered the upgrade."""
        self.transport = transport
        socket = transport.underlying_transport.transport
        self.write, self.waiting = socket.write, socket.get_write_buffer_size

    def frame(self, transport: Any, frame: Any) -> None:
        """One frame came."""
        kind = frame.msg_type
        if (
            kind is TEXT
            and frame.fin
            and not (self.closing or self.parts is not None or frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            self._text(frame.get_payload_as_bytes())  # nearly all frames
        else:
            self._unusual(kind, frame)

    def _unusual(self, kind: WSMsgType, frame: Any) -> None:
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.close(1002, "reserved bits")
            if kind == CLOSE:
                self.transport.disconnect()  # no answer will come
        elif kind == CLOSE:
            self._peer_closes(frame)
        elif self.closing:
            self._drop()
        elif kind in (TEXT, BINARY, CONTINUATION):
            payload = frame.get_payload_as_bytes()
            if (frame.fin and kind != CONTINUATION) or self.on_control(len(payload) >= SMALL):
                self._fragment(kind, bool(frame.fin), payload)
        elif self.on_control(False) and kind == PING:
            payload = frame.get_payload_as_bytes()
            self.write(bytes((0x8A, len(payload))) + payload)

    def _drop(self) -> None:
        """Drop a frame behind our close; cut a peer that floods instead of closing."""
        self.behind += 1
        if self.behind == MOST_BEHIND:
            self.abort()

    def _text(self, text: bytes) -> None:
        if not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError:
                self.close(1007, "not UTF-8")
                return
        self.on_text(text)

    def _fragment(self, kind: WSMsgType, last: bool, payload: bytes) -> None:
        parts = self.parts
        if (parts is not None) is not (kind == CONTINUATION):
            self.close(1002, "fragments out of order")
            return
        if parts is None:
            self.parts = parts = bytearray()
            self.parts_kind = kind
        parts += payload
        if len(parts) > self.most:
            self.close(1009, "message too big")
        elif last:
            self.parts = None
            if self.parts_kind == TEXT:
                self._text(bytes(parts))
            else:
                self.on_binary(bytes(parts))

    def _peer_closes(self, frame: Any) -> None:
        payload = frame.get_payload_as_bytes()
        self._closed_by(int.from_bytes(payload[:2]) if payload else NO_CODE, payload[2:].decode("utf-8", "replace"))

    def _closed_by(self, code: int, reason: str) -> None:
        self.closed_by = (code, reason)
        if not self.closing:
            self.closing = True
            self.on_writable(False)
            foreign = code in FOREIGN_CODES or code > MOST_CODE
            answer = b"" if code == NO_CODE else pack("!H", 1002 if foreign else code)
            self._write_close(answer)
        self.transport.disconnect()

    def refuse(self, code: int, reason: str) -> None:
        """picows has found a fault. It reads ahead: a close just before it was not told yet, and is what counts."""
        shaken = self.transport.close_handshake
        if shaken is None or shaken.recv is None:
            self.close(code, reason)
        elif self.closed_by is None:
            self._closed_by(int(shaken.recv.code) or NO_CODE, shaken.recv.reason or "")

    def disconnected(self) -> None:
        """The socket is gone. Lets go of all that would keep this object in a circle."""
        if self.timer is not None:
            self.timer.cancel()
        self.closing = True
        code, reason = self.closed_by or (ABNORMAL, "")
        on_closed = self.on_closed
        self.on_text = self.on_binary = self.write = ignore
        self.on_control = refuse_control
        self.protocol = None
        self.on_writable, self.on_closed = ignore, ignore_close
        on_closed(code, reason)

    # --- out ---------------------------------------------------------------------------------------------------------

    def close(self, code: int, reason: str) -> None:
        """Send the close behind what is buffered; the socket ends with the peer's answer, or is cut."""
        if self.closing:
            return
        self.closing = True
        self._write_close(pack("!H", code) + reason.encode()[:123])

    def _write_close(self, body: bytes) -> None:
        self._read_on()  # or the peer's close would never be read
        self.write(b"\x88" + bytes((len(body),)) + body)
        self.timer = asyncio.get_running_loop().call_later(CLOSE_WITHIN, self.abort)

    def abort(self) -> None:
        """Cut the socket, whatever is buffered."""
        self.transport.disconnect(graceful=False)

    def hold(self, most: int, too_much: Callable[[], bool]) -> None:
        """Read at most so many bytes until `let_in`; gate.py says what becomes of more."""
        if self.protocol is not None:
            self.passage = True
            gate = Gate(self, self.protocol, most, too_much)
            self.transport.underlying_transport.transport.set_protocol(gate)

    def read_in_portions(self) -> None:
        """Read at most gate.MOST_AT_ONCE at once from now on, since this peer sends too fast."""
        if not self.passage and self.protocol is not None:
            self.passage = True
            self.transport.underlying_transport.transport.set_protocol(Portions(self.protocol))

    def wait_for_welcome(self) -> None:
        """Read nothing until `let_in`."""
        self.waits = True
        self.pause_reading()

    def let_in(self) -> None:
        """Read from now on whatever picows takes."""
        if not self.closing:
            self.passage = False
            self.transport.underlying_transport.transport.set_protocol(self.protocol)
            self._read_on()

    def _read_on(self) -> None:
        if self.waits:
            self.waits = False
            self.resume_reading()

    def pause_reading(self) -> None:
        """Leave what the peer sends in the kernel; what was read already is still told."""
        self.transport.underlying_transport.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again, unless the welcome is waited for."""
        if not self.waits:
            self.transport.underlying_transport.transport.resume_reading()

    def tell_when_full(self, size: int) -> None:
        """Let `on_writable` be told as soon as more bytes than this wait to be written."""
        self.transport.underlying_transport.transport.set_write_buffer_limits(size)


def refuse_control(fragment: bool) -> bool:
    """Nobody is told any more."""
    return False


def ignore(what: object) -> None:
    """Nobody is told any more."""


def ignore_close(code: int, reason: str) -> None:
    """Nobody is told any more."""


@mypyc_attr(native_class=False)
class Listener(WSListener):
    """What picows calls."""

    __slots__ = ("link", "on_ws_frame")  # 250 bytes less than a dict

    def __init__(self, link: Link) -> None:
        self.link = link
        self.on_ws_frame = link.frame  # type: ignore[method-assign]  # picows finds it here, and calls it directly

    def on_ws_connected(self, transport: Any) -> None:
        transport.request.headers = transport.response.headers = None  # picows would keep them with the socket: 2 KiB
        self.link.connected(transport)

    def on_ws_disconnected(self, transport: Any) -> None:
        self.link.disconnected()

    def pause_writing(self) -> None:
        self.link.on_writable(False)

    def resume_writing(self) -> None:
        self.link.on_writable(True)

    def refuse(self, code: int, reason: str) -> None:
        self.link.refuse(code, reason)


def take_over(
    transport: asyncio.Transport, key: str, link: Link, headers: list[tuple[str, str]], early: bytes, most: int
) -> None:
    """Answer the upgrade with 101 and these headers, and read frames from now on, beginning with `early` bytes."""

    def upgrade(request: Any) -> Any:
        response = WSUpgradeResponse.create_101_response(extra_headers=headers)
        return WSUpgradeResponseWithListener(response, listener)

    listener = Listener(link)
    wire = Wire(transport, listener)
    link.protocol = protocol = make_protocol(upgrade, wire, most)
    protocol.connection_made(wire)
    transport.set_protocol(NOBODY)
    transport.set_protocol(protocol)
    feed(protocol, REQUEST % key.encode() + early)


def make_protocol(upgrade: Callable[[Any], Any], wire: Wire, most: int) -> Any:
    """picows' protocol object. Its constructor takes its arguments by position only; a new picows may move them."""
    return WSProtocol(
        None,  # no host
        None,  # no path
        False,  # we are not the client
        upgrade,
        wire,  # for a logger
        True,  # an exception ends the connection
        None,  # no time limit of a handshake: it is over
        False,  # no pings of picows' own
        20,  # when they would come
        20,  # when they would be missed
        1,  # how they would be made
        False,  # no pongs of its own: they would not keep the order
        most,
        None,  # no more headers
        READ_BUFFER,
    )


def feed(protocol: Any, data: bytes) -> None:
    """Give a buffered protocol bytes that were read before it was there."""
    view = memoryview(data)
    while view:
        buffer = protocol.get_buffer(len(view))
        size = min(len(buffer), len(view))
        buffer[:size] = view[:size]
        protocol.buffer_updated(size)
        view = view[size:]
