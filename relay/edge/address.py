"""The client's address, by which its rates are kept."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

FORWARDED = b"x-forwarded-for"


class TrustedProxies:
    """Addresses or networks whose X-Forwarded-For counts; of nobody else's does it."""

    def __init__(self, networks: Iterable[str]) -> None:
        self.networks: list[IPv4Network | IPv6Network] = [ip_network(network) for network in networks]
        self.trusts = lru_cache(maxsize=1024)(self._trusts)

    def client(self, scope: Mapping[str, Any]) -> str:
        """The last address on the way here that is no trusted proxy; "unknown" behind a socket without addresses."""
        ip = str((scope.get("client") or ("unknown",))[0])
        if not self.trusts(ip):
            return ip
        hops = [
            hop for name, value in scope["headers"] if name == FORWARDED for hop in value.decode("latin-1").split(",")
        ]
        for hop in reversed([hop.strip() for hop in hops[-16:]]):
            if not _is_address(hop):
                break
            ip = hop
            if not self.trusts(ip):
                break
        return ip

    def _trusts(self, ip: str) -> bool:
        return _is_address(ip) and any(ip_address(ip) in network for network in self.networks)


def source_of(ip: str) -> str:
    """By what an address is limited: itself, or for IPv6 its network of 64 bits, all of which one person may have."""
    return str(ip_network(f"{ip}/64", strict=False)) if ":" in ip and _is_address(ip) else ip


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
