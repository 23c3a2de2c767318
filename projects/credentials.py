"""Keys and passwords of projects: how they are made, read, looked up (HMAC) and kept (encrypted).

`gluer_pub_<project id>_<random>` and `gluer_prv_<project id>_<random><checksum>`; every part is of [a-z2-7].
The checksum lets secret scanners and SDKs tell a private key from text that merely looks like one.
"""

import re
import zlib
from dataclasses import dataclass

from accounts.alphabet import LETTERS, SECRET_LENGTH, random_text
from accounts.digests import digest
from accounts.encryption import UndecryptableError, decrypt, encrypt

__all__ = ["ParsedKey", "UndecryptableError", "decrypt", "digest", "encrypt", "make_key", "make_password", "parse_key"]

PUBLIC, PRIVATE = "public", "private"
PREFIXES = {PUBLIC: "gluer_pub", PRIVATE: "gluer_prv"}
ID_LENGTH = 12  # characters of a project id: 60 bits
CHECKSUM_LENGTH = 6  # characters: 30 bits of a CRC-32
KEY = re.compile(
    rf"gluer_(pub|prv)_([a-z2-7]{{{ID_LENGTH}}})_[a-z2-7]{{{SECRET_LENGTH}}}([a-z2-7]{{{CHECKSUM_LENGTH}}})?"
)


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """What a key says of itself; nothing of it is proven yet."""

    kind: str  # "public" or "private"
    project_id: str


def make_project_id() -> str:
    return random_text(ID_LENGTH)


def make_password() -> str:
    return random_text()


def make_key(kind: str, project_id: str) -> str:
    """A new random key; `kind` is "public" or "private"."""
    text = f"{PREFIXES[kind]}_{project_id}_{random_text()}"
    return text + checksum(text) if kind == PRIVATE else text


def checksum(text: str) -> str:
    """The 30 low bits of the CRC-32 of `text` in base32, most significant first."""
    number = zlib.crc32(text.encode())
    return "".join(LETTERS[number >> shift & 31] for shift in range(25, -1, -5))


def parse_key(text: str) -> ParsedKey | None:
    """Read a key's kind and project; None when its form or checksum is wrong."""
    match = KEY.fullmatch(text)
    if match is None:
        return None
    prefix, project_id, check = match.groups()
    if prefix == "pub":
        return None if check else ParsedKey(PUBLIC, project_id)
    return ParsedKey(PRIVATE, project_id) if check == checksum(text[:-CHECKSUM_LENGTH]) else None
