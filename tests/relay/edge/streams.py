"""Strategies for what a hostile client may send: bytes, broken handshakes, frames with lies, in any segments."""

from hypothesis import strategies as st

from tests.relay.edge.client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_frame, frame, request

KINDS = [TEXT] * 5 + [CONTINUATION] * 4 + [BINARY] * 2 + [PING] * 2 + [PONG, CLOSE]
RESERVED_KINDS = (3, 7, 11, 15)
LIES = [""] * 12 + ["reserved", "unmasked", "kind", "said", "huge", "wasteful"]
HUGE = (2_001, 65_535, 65_536, 2**31, 2**32, 2**62, 2**63, 2**64 - 1)  # lengths, all above what is allowed
SIZES = (0, 1, 125, 126, 127, 1_999, 2_000, 2_001)
HEADERS = (
    b"Sec-WebSocket-Extensions: permessage-deflate",
    b"Sec-WebSocket-Protocol: " + b"x," * 500,
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    b"Transfer-Encoding: chunked",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Connection: close",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b": nameless",
    b" folded",
    b"X: \x00\xff\x7f",
    b"X: " + b"long" * 20_000,
    b"Sec-WebSocket-Version: 8",
)
texts = st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass"))
payloads = texts | texts | st.binary(max_size=40) | st.sampled_from(SIZES).map(lambda size: b"x" * size)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """One frame, with at most one lie."""
    kind, last = draw(st.sampled_from(KINDS)), draw(st.booleans())
    lie, payload = draw(st.sampled_from(LIES)), draw(payloads)
    if kind == CLOSE and draw(st.booleans()):
        return close_frame(draw(st.integers(0, 5_100)), payload)
    if kind in (CLOSE, PING, PONG):
        last = draw(st.sampled_from([True] * 9 + [False]))
    if lie == "wasteful":
        size, long = len(payload), draw(st.sampled_from([2, 8]))
        return (
            bytes((last << 7 | kind, 0xFC | long // 2 + 1 if long == 2 else 0xFF))
            + size.to_bytes(long)
            + bytes(4)
            + payload
        )
    return frame(
        draw(st.sampled_from(RESERVED_KINDS)) if lie == "kind" else kind,
        payload,
        last=last,
        reserved=draw(st.integers(1, 7)) if lie == "reserved" else 0,
        masked=lie != "unmasked",
        said={"said": max(0, len(payload) + draw(st.integers(-3, 3))), "huge": draw(st.sampled_from(HUGE))}.get(lie),
    )


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A whole message in two fragments, good but for its length, with a ping between them."""
    kind = draw(st.sampled_from([TEXT, BINARY]))
    text = draw(st.text(max_size=30).map(str.encode) | st.sampled_from(SIZES).map(lambda size: b"x" * size))
    cut = draw(st.integers(0, len(text)))
    between = draw(st.sampled_from([b"", frame(PING, b"between"), frame(PONG)]))
    return frame(kind, text[:cut], last=False) + between + frame(CONTINUATION, text[cut:])


@st.composite
def conversations(draw: st.DrawFn) -> bytes:
    """Frames, which may end in the middle of one."""
    said = b"".join(draw(st.lists(messages() | frames(), max_size=12)))
    return said[: draw(st.integers(0, len(said)))] if draw(st.integers(0, 3)) == 0 else said


@st.composite
def handshakes(draw: st.DrawFn) -> bytes:
    """An upgrade request and a frame, some of it changed."""
    path = draw(st.sampled_from(["/plain", "/direct", "/%zz?%00", "//", "*"]))
    said = bytearray(request(path))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, said.count(b"\r\n")))
        lines = bytes(said).split(b"\r\n")
        lines.insert(at, draw(st.sampled_from(HEADERS)))
        said = bytearray(b"\r\n".join(lines))
    said += frame(TEXT, b"early")
    for _ in range(draw(st.integers(0, 3))):
        at, gone = draw(st.integers(0, len(said))), draw(st.integers(0, 20))
        said[at : at + gone] = draw(st.binary(max_size=5) | st.sampled_from([b"\r\n", b"\r\n\r\n", b" ", b"websocket"]))
    return bytes(said)


@st.composite
def segments(draw: st.DrawFn, said: st.SearchStrategy[bytes]) -> list[bytes]:
    """The same bytes cut anywhere."""
    rest, cut = draw(said), []
    for size in draw(st.lists(st.integers(1, 30), max_size=6)):
        cut.append(rest[:size])
        rest = rest[size:]
    return [piece for piece in [*cut, rest] if piece]
