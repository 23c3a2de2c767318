"""A WebSocket client that can say what is wrong (RFC 6455), on a blocking socket."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of that key: RFC 6455, 1.3
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = b"\x37\xfa\x21\x3d"
PATIENCE = 15.0  # s


def frame(
    kind: int,
    payload: bytes = b"",
    *,
    last: bool = True,
    reserved: int = 0,
    masked: bool = True,
    said: int | None = None,
) -> bytes:
    """`reserved`: the three bits as a number. `said`: the length its header states, if not the true one."""
    size = len(payload) if said is None else said
    first, mask_bit = last << 7 | reserved << 4 | kind, masked << 7
    if size < 126:
        head = bytes((first, mask_bit | size))
    elif size < 65536:
        head = bytes((first, mask_bit | 126)) + size.to_bytes(2)
    else:
        head = bytes((first, mask_bit | 127)) + size.to_bytes(8)
    return head + MASK + mask(payload) if masked else head + payload


def mask(payload: bytes) -> bytes:
    size = len(payload)
    key = (MASK * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2) + reason)


def request(path: str, **headers: str) -> bytes:
    """An upgrade request; a header given empty is left out."""
    usual = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    named = usual | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in named.items() if value]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


class Client:
    """One TCP connection."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.unread = bytearray()

    def say(self, *pieces: bytes) -> None:
        self.socket.sendall(b"".join(pieces))

    def upgrade(self, path: str = "/echo", behind: bytes = b"", **headers: str) -> dict[str, str]:
        """Ask for it with bytes right behind; returns the headers of the 101, names in small letters."""
        self.say(request(path, **headers), behind)
        status, answered, _ = self.answer(body=False)
        assert status == 101
        assert answered["sec-websocket-accept"] == ACCEPT
        return answered

    def answer(self, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """An HTTP answer: its status, headers, and body."""
        while b"\r\n\r\n" not in self.unread:
            self._more()
        head, _, rest = bytes(self.unread).partition(b"\r\n\r\n")
        self.unread = bytearray(rest)
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return int(status.split()[1]), headers, self.take(int(headers["content-length"])) if body else b""

    def take(self, size: int) -> bytes:
        """So many bytes."""
        while len(self.unread) < size:
            self._more()
        taken = bytes(self.unread[:size])
        del self.unread[:size]
        return taken

    def _more(self) -> None:
        data = self.socket.recv(262_144)
        if not data:
            raise EOFError(f"The server ended the connection behind {bytes(self.unread)!r}.")
        self.unread += data

    def hear(self) -> tuple[int, bytes]:
        """The next frame's kind and payload. A server's frames are whole, unmasked, and of the shortest header."""
        first, size = self.take(2)
        assert first & 0xF0 == 0x80
        assert size < 128
        if size >= 126:
            least = 126 if size == 126 else 65536
            size = int.from_bytes(self.take(2 if size == 126 else 8))
            assert size >= least
        return first & 0x0F, self.take(size)

    def assert_heard(self, kind: int, payload: bytes) -> None:
        heard = self.hear()
        assert heard == (kind, payload), f"{heard[0]}, {len(heard[1])} bytes"

    def assert_echo(self) -> None:
        """The connection goes on."""
        self.say(frame(TEXT, b"still here"))
        self.assert_heard(TEXT, b"still here")

    def assert_closed(self, code: int) -> None:
        """The server closes with this code, and ends the connection when that is answered."""
        kind, payload = self.hear()
        assert (kind, int.from_bytes(payload[:2])) == (CLOSE, code)
        payload[2:].decode()
        try:
            self.say(close_frame(code))
        except OSError:
            return  # it did not wait for the answer
        self.assert_ended()

    def assert_ended(self) -> None:
        try:
            data = bytes(self.unread) or self.socket.recv(1)
        except ConnectionResetError:
            return
        assert data == b""

    def close(self) -> None:
        self.socket.close()


@contextmanager
def connected(
    port: int, path: str = "/echo", tls: ssl.SSLContext | None = None, receive_buffer: int = 0, **headers: str
) -> Iterator[Client]:
    """A client behind its 101."""
    client = Client(port, tls, receive_buffer)
    try:
        client.upgrade(path, b"", **headers)
        yield client
    finally:
        client.close()


def bytewise(data: bytes) -> Iterator[bytes]:
    return (bytes((byte,)) for byte in data)


def pattern(size: int) -> bytes:
    """ASCII in which a lost or moved piece shows."""
    letters = cycle(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-")
    return bytes(letter for letter, _ in zip(letters, range(size), strict=False))
