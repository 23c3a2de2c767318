"""The cases of Autobahn|Testsuite's sections 1 to 10 written out, for machines that cannot run it.

What test_link.py has is not repeated. Each name begins with its section.
"""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.relay.edge.client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Client,
    bytewise,
    close_frame,
    connected,
    frame,
    pattern,
)
from tests.relay.edge.echo import PATHS, ROOMY, echo
from tests.relay.edge.reader import Reader
from tests.relay.edge.server import EdgeServer

LONGEST = 16 * 1024 * 1024  # bytes of a message


class Case(NamedTuple):
    """What is `said`, in frames, and `heard`; then what ends the connection, and the code of the server's close."""

    said: list[bytes]
    heard: list[tuple[int, bytes]]
    end: list[bytes] = []
    code: int = 0


HELLO = (TEXT, b"Hello, world!")
KOSME = "κόσμε".encode()
ONE, TWO = frame(TEXT, b"one", last=False), frame(CONTINUATION, b"two")
BYTES = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"


def refused(*end: bytes) -> Case:
    """A good message, then a fault, behind which a ping is not answered."""
    return Case([frame(*HELLO)], [HELLO], [*end, frame(PING)], 1002)


def closed(*end: bytes, code: int) -> Case:
    return Case([], [], list(end), code)


def fragments(kind: int, *parts: bytes) -> list[bytes]:
    ends = len(parts) - 1
    return [frame(CONTINUATION if at else kind, part, last=at == ends) for at, part in enumerate(parts)]


def pieces(text: bytes, size: int) -> list[bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


CASES: dict[str, Case] = {
    "2: ten pings": Case([frame(PING, b"%d" % n) for n in range(10)], [(PONG, b"%d" % n) for n in range(10)]),
    "2: a pong, then a ping": Case([frame(PONG, b"unasked"), frame(PING, b"asked")], [(PONG, b"asked")]),
    "2: a ping of bytes": Case([frame(PING, BYTES)], [(PONG, BYTES)]),
    "2: a long ping": refused(frame(PING, b"\xfe" * 126)),
    "5: a fragmented ping": refused(*fragments(PING, b"one", b"two")),
    "5: a fragmented pong": refused(*fragments(PONG, b"one", b"two")),
    "5: pings between fragments": Case(
        [ONE, frame(PING, b"1"), frame(CONTINUATION, b", ", last=False), frame(PING, b"2"), TWO],
        [(PONG, b"1"), (PONG, b"2"), (TEXT, b"one, two")],
    ),
    "5: a last continuation of nothing": refused(frame(CONTINUATION, b"x"), frame(*HELLO)),
    "5: a continuation of nothing": refused(frame(CONTINUATION, b"x", last=False), frame(*HELLO)),
    "5: a continuation behind a message": Case([ONE, TWO], [(TEXT, b"onetwo")], [TWO, frame(*HELLO)], 1002),
    "5: a message inside another": refused(ONE, frame(TEXT, b"two")),
    "5: two beginnings": refused(ONE, ONE),
    "7: a message, then a close": Case([frame(*HELLO)], [HELLO], [close_frame(1000)], 1000),
    "7: a ping behind a close": closed(close_frame(1000), frame(PING), code=1000),
    "7: a message behind a close": closed(close_frame(1000), frame(*HELLO), code=1000),
    "7: a close behind a close": closed(close_frame(1000), frame(CLOSE), code=1000),
    "7: a close between fragments": closed(ONE, close_frame(1000), TWO, code=1000),
    "7: a reason too long": closed(close_frame(1000, b"x" * 124), code=1002),
    "7: a reason that ends within a character": closed(close_frame(1000, KOSME[:-1]), code=1007),
    "10: a message in frames of 1300 bytes": Case(
        fragments(TEXT, *pieces(pattern(65_536), 1_300)), [(TEXT, pattern(65_536))]
    ),
}
for size in (0, 125, 126, 127, 128, 997):
    for kind in (TEXT, BINARY):
        CASES[f"1: {size} bytes of kind {kind}"] = Case([frame(kind, pattern(size))], [(kind, pattern(size))])
for reserved in range(1, 8):
    for kind in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        CASES[f"3: reserved bits {reserved} of kind {kind}"] = refused(frame(kind, b"", reserved=reserved))
for kind in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    CASES[f"4: the reserved kind {kind}"] = refused(frame(kind))
    CASES[f"4: the reserved kind {kind} with a payload"] = refused(frame(kind, b"reserved payload"))
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
    CASES[f"7: a close with {code}"] = closed(close_frame(code, KOSME), code=code)
for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
    CASES[f"7: a close with {code}, which is not allowed"] = closed(close_frame(code), code=1002)

GOOD = {
    "characters of each length": "hello$world ¢ € 𤭢 κόσμε".encode(),
    "the first of each length": b"\x00 \xc2\x80 \xe0\xa0\x80 \xf0\x90\x80\x80",
    "the last of each length": b"\x7f \xdf\xbf \xef\xbf\xbf \xf4\x8f\xbf\xbf",
    "around the surrogates": b"\xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbd",
    "no characters": "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)).encode(),
}
LONE_STARTS = [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80"]
BAD = [
    *(b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf"),
    *(b"\xfd\xbf\xbf\xbf\xbf\xbf", b"\xf4\x90\x80\x80", b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80"),
    *(bytes(range(0x80, 0xC0)), bytes(n for start in range(0xC0, 0xFE) for n in (start, 0x20))),
    *LONE_STARTS,
    *(b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf", b"".join(LONE_STARTS)),
    *(b"\xfe", b"\xff", b"\xfe\xfe\xff\xff", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf"),
    *(b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80"),
    *(b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbf\xbf"),
    *(b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf"),
]
for name, text in GOOD.items():
    CASES[f"6: {name}"] = Case([frame(TEXT, text)], [(TEXT, text)])
    CASES[f"6: {name}, in fragments of a byte"] = Case(fragments(TEXT, *bytewise(text)), [(TEXT, text)])
for bad in BAD:
    text = KOSME + bad + b"edited"
    CASES[f"6: {bad!r}"] = Case([frame(*HELLO)], [HELLO], [frame(TEXT, text)], 1007)
    CASES[f"6: {bad!r}, in fragments"] = closed(*fragments(TEXT, *pieces(text, 3)), code=1007)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = EdgeServer(echo, ROOMY, ws_max_size=LONGEST)
    yield server.port
    server.stop()


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def ended(client: Client) -> list[tuple[int, bytes]]:
    """What is still heard until the server closes, which it does once."""
    heard = [client.hear()]
    while heard[-1][0] != CLOSE:
        heard.append(client.hear())
    with contextlib.suppress(OSError):  # it does not always wait for the answer
        client.say(frame(CLOSE, heard[-1][1]))
    client.assert_ended()
    return heard


def assert_heard(client: Client, heard: list[tuple[int, bytes]]) -> None:
    """Messages in their order and pongs in theirs; an application may answer later than the server."""
    frames = [client.hear() for _ in heard]
    for kinds in ({PONG}, {TEXT, BINARY}):
        assert [frame for frame in frames if frame[0] in kinds] == [frame for frame in heard if frame[0] in kinds]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_frames_mean_what_rfc_6455_says(port: int, path: str, case: Case) -> None:
    for cut in (list, lambda said: [*bytewise(b"".join(said))]):  # frame by frame, and byte by byte
        with connected(port, path) as client:
            for piece in cut(case.said):
                client.say(piece)
            assert_heard(client, case.heard)
            with contextlib.suppress(OSError):  # it does not read all that is behind a fault
                for piece in cut(case.end):
                    client.say(piece)
            if case.code:
                assert [(kind, body[:2]) for kind, body in ended(client)] == [(CLOSE, case.code.to_bytes(2))]
            else:
                client.assert_echo()


@pytest.mark.parametrize("case", [case for case in CASES.values() if case.code])
def test_frames_may_come_all_at_once(port: int, path: str, case: Case) -> None:
    """What is read together with a fault may go unanswered."""
    with connected(port, path) as client:
        client.say(*case.said, *case.end)
        *heard, close = ended(client)
        assert heard in ([], case.heard)
        assert close[1][:2] == case.code.to_bytes(2)


@pytest.mark.parametrize("size", [65_536, 262_144, 1_048_576, 4_194_304, LONGEST])
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_long_messages_come_back(port: int, path: str, kind: int, size: int) -> None:
    message = pattern(65_536) * (size // 65_536)
    with connected(port, path) as client:
        client.say(frame(kind, message))
        client.assert_heard(kind, message)


@pytest.mark.parametrize("size", [64, 256, 1_024, 4_096, 65_536, 1_048_576])
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_long_messages_come_back_from_fragments(port: int, path: str, kind: int, size: int) -> None:
    message = pattern(65_536) * 16
    with connected(port, path) as client:
        client.say(*fragments(kind, *pieces(message, size)))
        client.assert_heard(kind, message)


@pytest.mark.parametrize("size", [0, 16, 64, 256, 1_024, 4_096, 16_384])
def test_a_thousand_messages_come_back_one_by_one(port: int, path: str, size: int) -> None:
    with connected(port, path) as client:
        for kind in (TEXT, BINARY) * 500:
            client.say(frame(kind, pattern(size)))
            client.assert_heard(kind, pattern(size))


def test_the_reference_reader_knows_these_cases() -> None:
    for name, case in CASES.items():
        reader = Reader(b"".join([*case.said, *case.end]), LONGEST)
        assert reader.messages == [frame for frame in case.heard if frame[0] != PONG], name
        assert reader.pongs == [payload for kind, payload in case.heard if kind == PONG], name
        assert reader.closes == ({case.code.to_bytes(2)} if case.code else set()), name
