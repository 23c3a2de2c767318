"""The users of deploy/users.acl may do what relays and worker do, since the whole cluster runs with them; no more."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import yaml
from redis.exceptions import AuthenticationError, NoPermissionError

from tests.cluster.harness.redis import RELAY_PASSWORD, USERS, WORKER_PASSWORD, Redis, users
from tests.relay.harness.home import BASE

NOBODY_MAY = [
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "KEYS *",
    "SCAN 0",
    "ACL LIST",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
]
NOBODY_MAY += [
    "DEBUG SLEEP 0",
    "MONITOR",
    "SAVE",
    "SHUTDOWN",
    "EVAL 1 0",
    "PSUBSCRIBE *",
    "SUBSCRIBE other",
    "PUBLISH other x",
]
RELAY_MAY_NOT = [
    "BRPOP celery 1",
    "LRANGE celery 0 -1",
    "GET celery",
    "DEL celery",
    "SET another:1:key x",
    "LPUSH gluer-json:1:key x",
    "LPUSH unacked x",
    "SREM _kombu.binding.celery x",
]
WORKER_MAY_NOT = [
    "GET gluer-json:1:key",
    "SET gluer-json:1:key x",
    "PUBLISH gluer-1__group__relays x",
    "SUBSCRIBE gluer-1",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server.start()
    server.close()


@pytest.mark.parametrize("command", [*NOBODY_MAY, *RELAY_MAY_NOT])
def test_a_relay_may_not(server: Redis, command: str) -> None:
    with redis.Redis.from_url(server.relay_url) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())


@pytest.mark.parametrize("command", [*NOBODY_MAY, *WORKER_MAY_NOT])
def test_a_worker_may_not(server: Redis, command: str) -> None:
    with redis.Redis.from_url(server.worker_url) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())


def test_compose_fills_the_passwords_in(tmp_path: Path) -> None:
    services = yaml.safe_load((BASE / "deploy/compose.yaml").read_text())["services"]
    script = services["valkey"]["command"][2].replace("$$", "$").partition("exec ")[0]
    script = script.replace("/etc/valkey", str(USERS.parent)).replace("/tmp", str(tmp_path))  # noqa: S108
    secrets = {"REDISCLI_AUTH": RELAY_PASSWORD, "WORKER_PASSWORD": WORKER_PASSWORD, "PATH": os.environ["PATH"]}
    subprocess.run(["sh", "-euc", script], env=secrets, check=True, timeout=10)
    assert (tmp_path / "users.acl").read_text().splitlines()[1:] == users().splitlines()[1:]
    assert (tmp_path / "users.acl").stat().st_mode & 0o077 == 0


def test_the_systemd_way_fills_the_passwords_in(tmp_path: Path) -> None:
    """The lines of docs/operations.md, with a folder of ours instead of /etc/redis."""
    document = (BASE / "docs/operations.md").read_text()
    [script] = re.findall(r"\(umask 077; sed .*?\nEND\n", document, re.DOTALL)
    passwords = {"relay": RELAY_PASSWORD, "worker": WORKER_PASSWORD, "PATH": os.environ["PATH"]}
    subprocess.run(
        ["sh", "-euc", script.replace("/etc/redis", str(tmp_path))], cwd=BASE, env=passwords, check=True, timeout=10
    )
    assert (tmp_path / "users.acl").read_text().splitlines()[1:] == users().splitlines()[1:]
    assert (tmp_path / "users.acl").stat().st_mode & 0o077 == 0


def test_nobody_comes_in_without_a_user(tmp_path: Path) -> None:
    assert "user default off\n" in USERS.read_text()
    server = Redis(tmp_path)
    try:
        server.start()
        for url in (f"redis://127.0.0.1:{server.port}", f"redis://relay:wrong@127.0.0.1:{server.port}"):
            with redis.Redis.from_url(url) as client, pytest.raises((AuthenticationError, redis.ResponseError)):
                client.ping()
    finally:
        server.close()
