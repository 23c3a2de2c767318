"""What this machine lets a test hold: open files, ports, memory. Too little of one fails, with a sentence about it."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

SPARE_FILES = 1_000  # of a process that are no connections
MOST_RELAYS = 8
PER_ADDRESS = 8_000  # connections; the relay lets one address have 10,000
CROWDS = 3  # that come within a minute, for which the port of a closed connection rests
PER_CONNECTION = 32 * 1024  # bytes: 12 KiB in the relay, the visitor's, and what the kernel keeps for two sockets
PER_RELAY = 256 * 1024 * 1024  # bytes of a relay and its visitors' process without any connection


def shares(connections: int) -> list[int]:
    """How many of them each relay holds, in as few relays as the limit of open files allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    each = connections if hard == resource.RLIM_INFINITY else hard - SPARE_FILES
    assert each * MOST_RELAYS >= connections, (
        f"A process may open {hard} files here: raise its hard limit (ulimit -Hn) to {connections + SPARE_FILES}, "
        f"or at least to {ceil(connections / MOST_RELAYS) + SPARE_FILES}."
    )
    relays = ceil(connections / each)
    assert_room(connections, relays)
    return [connections // relays + (number < connections % relays) for number in range(relays)]


def assert_room(connections: int, relays: int) -> None:
    """In all processes together."""
    needed = connections * PER_CONNECTION + relays * PER_RELAY
    available = memory_available()
    assert available >= needed, f"{needed >> 20} MiB of memory are needed, and {available >> 20} MiB are available."
    opened, _, most = map(int, Path("/proc/sys/fs/file-nr").read_text().split())
    wanted = opened + 2 * connections + 2 * relays * SPARE_FILES
    assert most >= wanted, f"All processes may open {most} files: raise fs.file-max (sysctl) to {wanted}."
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert last - first > CROWDS * PER_ADDRESS, (
        f"An address has {last - first} ports: widen net.ipv4.ip_local_port_range (sysctl) to {CROWDS * PER_ADDRESS}."
    )


def memory_available() -> int:
    """Bytes, as the kernel estimates them, and as the control group allows where there is one."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    most, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if most.exists() and (limit := most.read_text().strip()) != "max":
        available = min(available, int(limit) - int(used.read_text()))
    return available


@contextmanager
def most_open_files() -> Iterator[None]:
    """For the processes that are started meanwhile: as many as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
