"""Whether a Redis is protected as its URL says: by a password, and by TLS wherever others may listen."""

from ipaddress import ip_address
from urllib.parse import urlsplit

PRIVATE_NAMES = (".internal", ".local", ".localhost")  # RFC 6761, RFC 6762, and what ICANN keeps for private networks


def weakness(url: str) -> str:
    """What is wrong with it, in a few words; "" if nothing is."""
    parts = urlsplit(url)
    if not parts.password:
        return "has no password"
    if parts.scheme != "rediss" and not is_near(parts.hostname or "localhost"):
        return "crosses public networks without TLS (rediss://)"
    return ""


def is_near(host: str) -> bool:
    """Whether it is this machine, a private address, or a name that only a private network knows.

    A name without a dot is one: compose and Kubernetes give such names, and no public domain has one. Nothing is looked
    up: at the start there may be no name service, and its answer could be another one later.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(PRIVATE_NAMES)
    return address.is_private or address.is_loopback
