"""Frames as they arrive: their syntax, their shape, and what is said of those that are wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from relay.core.errors import Refused, Unreadable
from relay.core.frames import NULL, REQUESTS, AnyFrame, Envelope

if TYPE_CHECKING:
    from mypy_extensions import i64  # a machine word where the module is compiled

DEEPEST: Final = 128  # levels of nesting, the frame itself being the first (GP-50)
_decoder: Final[msgspec.json.Decoder[AnyFrame]] = msgspec.json.Decoder(AnyFrame)
_envelope = msgspec.json.Decoder(Envelope)
_any_json = msgspec.json.Decoder(Raw)
NAME_RULE: Final = "has no control characters, and none that are invisible or turn the direction of text"
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NOT_QUOTES_OR_BRACKETS: Final = bytes(set(range(256)) - set(b'"[]{}'))


def decode(raw: bytes) -> AnyFrame:
    """The frame in `raw` (valid UTF-8). Raises Refused (`bad_frame`) if it is wrong, Unreadable if it is no object."""
    try:
        frame = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _wrong(raw, str(error)) from None
    except RecursionError:
        raise _bad(Envelope(), f"Nested deeper than {DEEPEST} levels.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(raw, str(error)) from None
    if len(raw) > 2 * DEEPEST and is_deep(raw):
        raise _wrong(raw, f"Nested deeper than {DEEPEST} levels.")
    return frame


def parse_data(body: bytes) -> Raw:
    """An HTTP body as `data`; an empty one is null. Raises Refused (`bad_frame`)."""
    if not body.strip():
        return NULL
    try:
        body.decode()
        _any_json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("bad_frame", f"The body must be JSON: {error}.") from None
    except RecursionError:
        raise Refused("bad_frame", f"Nested deeper than {DEEPEST} levels.") from None
    if is_deep(body):
        raise Refused("bad_frame", f"Nested deeper than {DEEPEST} levels.")
    return Raw(body)


def is_deep(raw: bytes) -> bool:
    """Tell whether valid JSON nests deeper than DEEPEST.

    It reads each byte once, as machine code within 3 ms per MiB of any JSON (`python -m bench.nesting`).
    """
    marks = raw.translate(None, _NOT_QUOTES_OR_BRACKETS)
    if len(marks) - marks.count(b'"') <= 2 * DEEPEST:
        return False
    if b"\\" in raw:
        marks = raw  # a quote may be escaped: every byte has to be read
    depth: i64 = 0
    position: i64 = -1
    last: i64 = len(marks) - 1
    while position < last:
        position += 1
        mark: i64 = marks[position]
        if mark == 0x22:  # a string: up to the next quote that is not escaped
            while True:
                position += 1
                mark = marks[position]
                if mark == 0x22:
                    break
                if mark == 0x5C:
                    position += 1
        elif mark == 0x5B or mark == 0x7B:
            depth += 1
            if depth > DEEPEST:
                return True
        elif mark == 0x5D or mark == 0x7D:
            depth -= 1
    return False


def is_name(text: str) -> bool:
    """Whether people see all of `text` (GP-50). Asked where a name is first stored, or was not found."""
    return text.isprintable() or not _UNSEEN.search(text)


def _wrong(raw: bytes, reason: str) -> Refused | Unreadable:
    """Not the frame it should be; what comes behind the mistake was not read yet, and may be no JSON."""
    try:
        return _bad(_envelope.decode(raw), reason)
    except (msgspec.ValidationError, RecursionError):
        return _bad(Envelope(), reason)
    except msgspec.DecodeError as error:
        return _malformed(raw, str(error))


def _malformed(raw: bytes, reason: str) -> Refused | Unreadable:
    """What msgspec refuses and the standard library reads holds lone surrogates: a bad frame; else it is no JSON."""
    try:
        read = json.loads(raw.decode())  # of bytes it would guess the encoding
    except (ValueError, RecursionError):
        return Unreadable(f"A frame is one JSON object: {reason}.")
    if not isinstance(read, dict):
        return Unreadable("A frame is one JSON object.")
    return _bad(Envelope(read.get("type"), read.get("id")), f"Not interoperable JSON (RFC 7493): {reason}.")


def _bad(envelope: Envelope, reason: str) -> Refused | Unreadable:
    if reason.startswith("Expected `object`, got") and "$" not in reason:
        return Unreadable("A frame is one JSON object.")
    kind = envelope.type if isinstance(envelope.type, str) and envelope.type.isascii() else ""
    about = kind[:128] if kind and is_name(kind) else None
    known = kind in REQUESTS and _is_id(envelope.id)
    return Refused("bad_frame", reason, about=about, id=envelope.id if known else None)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 64 and not _SURROGATE.search(value)
