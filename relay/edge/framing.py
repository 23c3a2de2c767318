"""Frames as a server writes them: unmasked (RFC 6455, 5.2)."""

from struct import pack
from typing import Final

TEXT_MESSAGE: Final = 0x81  # the first byte of a whole message
BINARY_MESSAGE: Final = 0x82
USUAL: Final = 4096  # bytes; headers of text messages below it are made once


def header(size: int, first: int) -> bytes:
    """Of a payload of `size` bytes."""
    if size < 126:
        return bytes((first, size))
    return pack("!BBH", first, 126, size) if size < 65536 else pack("!BBQ", first, 127, size)


HEADERS: Final = [header(size, TEXT_MESSAGE) for size in range(USUAL)]


def framed(payload: bytes, first: int = TEXT_MESSAGE) -> bytes:
    """One message in one frame, text unless `first` says otherwise."""
    size = len(payload)
    if size < USUAL and first == TEXT_MESSAGE:
        return HEADERS[size] + payload
    return header(size, first) + payload
