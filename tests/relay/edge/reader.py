"""What RFC 6455 makes of the bytes of a client: a reference to judge an echo server by, as plain as can be."""

from dataclasses import dataclass

from tests.relay.edge.client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

KINDS = {CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG}
PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009
NAMED = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}  # codes that may stand in a close: 7.4


@dataclass
class Frame:
    """A frame as far as it is there (5.2): `payload` is None until it is whole, `said` until its length is there."""

    kind: int
    last: bool
    reserved: bool
    masked: bool
    short: int  # the seven bits of the length
    said: int | None
    payload: bytes | None
    size: int

    def faults(self, most: int) -> set[int]:
        """What is wrong with it, whatever was before it."""
        faults = set()
        if self.kind not in KINDS or not self.masked:
            faults.add(PROTOCOL_ERROR)
        if self.kind >= CLOSE and (not self.last or self.short >= 126):
            faults.add(PROTOCOL_ERROR)
        if self.said is not None and (self.said < {126: 126, 127: 65536}.get(self.short, 0) or self.said >> 63):
            faults.add(PROTOCOL_ERROR)
        if (self.said or 0) > most:
            faults.add(TOO_BIG)
        if self.kind == CLOSE and self.payload:
            if len(self.payload) == 1 or int.from_bytes(self.payload[:2]) not in NAMED:
                faults.add(PROTOCOL_ERROR)
            if not is_text(self.payload[2:]):
                faults.add(NOT_UTF8)
        return faults


class Reader:
    """Reads `data` in one go. `most`: bytes of a message.

    Until `closes` is not empty, `messages` and `pongs` come back. `closes`: the bodies one of which a close then has.
    `may_close`: codes of faults that are to be seen already in a frame that is not whole.
    """

    def __init__(self, data: bytes, most: int) -> None:
        self.most = most
        self.messages: list[tuple[int, bytes]] = []
        self.pongs: list[bytes] = []
        self.closes: set[bytes] = set()
        self.may_close: set[int] = set()
        self.parts: bytes | None = None  # of the message that has begun
        self.kind = TEXT
        self.left = False  # the client has closed
        self.whole = True  # the data end with a whole frame
        while data and not self.closes:
            frame = parse(data)
            if frame is None:
                self.whole = False
                return
            data = data[frame.size :]
            self._read(frame, parse(data))

    def _read(self, frame: Frame, ahead: Frame | None) -> None:
        """A server that reads ahead may name the fault of the frame behind instead."""
        faults = frame.faults(self.most)
        if frame.payload is None:
            self.whole = False
            self.may_close = self._faults_here(frame)
        else:
            faults |= self._faults_here(frame) | self._faults_of_text(frame, frame.payload)
        if faults:
            faults |= self.may_close | (ahead.faults(self.most) if ahead else set())
            self.closes = {code.to_bytes(2) for code in faults}
            if frame.kind == CLOSE and frame.reserved and ahead and (ahead.kind == CLOSE or ahead.faults(self.most)):
                self.closes.add((frame.payload or b"")[:2])  # it may see that fault before these bits
        elif frame.payload is not None:
            self._take(frame, frame.payload)

    def _faults_here(self, frame: Frame) -> set[int]:
        """What is wrong with it behind those before it."""
        faults = {PROTOCOL_ERROR} if frame.reserved else set()
        if frame.kind < CLOSE:
            if (self.parts is not None) is not (frame.kind == CONTINUATION):
                faults.add(PROTOCOL_ERROR)
            if len(self.parts or b"") + (frame.said or 0) > self.most:
                faults.add(TOO_BIG)
        return faults

    def _faults_of_text(self, frame: Frame, payload: bytes) -> set[int]:
        kind = self.kind if frame.kind == CONTINUATION else frame.kind
        ends = frame.last and kind == TEXT and frame.kind < CLOSE
        return {NOT_UTF8} if ends and not is_text((self.parts or b"") + payload) else set()

    def _take(self, frame: Frame, payload: bytes) -> None:
        if frame.kind == PING:
            self.pongs.append(payload)
        elif frame.kind == CLOSE:
            self.closes, self.left = {payload[:2]}, True
        elif frame.kind != PONG:
            if frame.kind != CONTINUATION:
                self.kind, self.parts = frame.kind, b""
            self.parts = (self.parts or b"") + payload
            if frame.last:
                self.messages.append((self.kind, self.parts))
                self.parts = None


def parse(data: bytes) -> Frame | None:
    """The first frame; None if not even its first two bytes are there."""
    if len(data) < 2:
        return None
    short, masked = data[1] & 0x7F, bool(data[1] & 0x80)
    longer = {126: 2, 127: 8}.get(short, 0)
    known = len(data) >= 2 + longer
    said = int.from_bytes(data[2 : 2 + longer]) if longer else short
    start = 2 + longer + (4 if masked else 0)
    body, mask = data[start : start + said], data[start - 4 : start] if masked else bytes(4)
    return Frame(
        kind=data[0] & 0x0F,
        last=bool(data[0] & 0x80),
        reserved=bool(data[0] & 0x70),
        masked=masked,
        short=short,
        said=said if known else None,
        payload=bytes(b ^ mask[at % 4] for at, b in enumerate(body)) if known and len(data) >= start + said else None,
        size=start + said,
    )


def is_text(data: bytes) -> bool:
    """Whether it is UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
